// SPDX-License-Identifier: BSD-2-Clause
// Loading a native program (a static ELF made by this tree) into RAM for a new task.
#pragma once

#include "proto/bytes.hpp"

namespace box {

struct Program {
    struct Segment {
        std::uint64_t address, size; // pages, in memory
        std::uint64_t offset;        // bytes from the start of the RAM it was loaded to
        std::uint64_t flags;         // abi::MapFlags
    };
    Segment segments[8];
    unsigned count = 0;
    std::uint64_t entry = 0;
    std::uint64_t size = 0; // bytes of RAM used
};

// Copies the segments to `ram` one after the other. Returns null, or what is wrong with the file.
const char* load_program(proto::Bytes file, std::byte* ram, std::uint64_t ram_size, Program& out);

} // namespace box
