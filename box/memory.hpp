// SPDX-License-Identifier: BSD-2-Clause
// The box's memory: all free RAM of the machine, mapped in the box, given out in pieces. A piece knows the
// capability of the region it lies in, so that a region for just that piece can be carved for a child.
#pragma once

#include "l4-glue/types.hpp"
#include "proto/bytes.hpp"

namespace box {

using glue::Outcome;

// Contiguous RAM: `data` is where the box sees it.
struct Piece {
    abi::Selector region = 0; // root region it lies in
    std::uint64_t offset = 0; // in that region
    std::uint64_t size = 0;
    std::byte* data = nullptr;
};

class Memory {
public:
    // Binds and maps every RAM region of the boot information and the boot module.
    Outcome<void> initialize();

    // `size` is rounded up to `alignment` (4 KiB or 2 MiB). no_memory when no region has that much in one
    // run.
    Outcome<Piece> take(std::uint64_t size, std::uint64_t alignment);
    // A capability to just this piece with `rights` (abi::region_right), paid from `pool`.
    Outcome<abi::Selector> carve(const Piece& piece, abi::Selector pool, std::uint32_t rights) const;

    std::uint64_t total() const { return total_; }
    std::uint64_t free() const;
    // The boot module's payload, read-only.
    proto::Bytes payload() const { return payload_; }

private:
    struct Range {
        abi::Selector region;
        std::uint64_t size, used;
        std::byte* data;
    };
    Range ranges_[16] = {};
    unsigned count_ = 0;
    std::uint64_t total_ = 0;
    proto::Bytes payload_;
};

const abi::BootInformation& boot_information();

} // namespace box
