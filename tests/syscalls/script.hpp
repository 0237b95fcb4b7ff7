// SPDX-License-Identifier: BSD-2-Clause
// What the fuzzer's bytes mean: events, one after the other, each what the next thread that comes to user
// mode does there. A system call is two bytes of number and, for each argument, what its type in the table
// (bsd-personality/abi/*.syscalls) suggests: a path for a string, memory with something in it for another
// pointer, a small or a telling number for the rest. Every sequence of bytes means something.
#pragma once

#include "bsd-personality/kern/proc.hpp"
#include "l4-glue/types.hpp"

#include <cstddef>
#include <cstdint>

namespace fuzz {

/// Memory that each process begins with. What lies beyond it is not mapped; behind its last page is one that
/// can only be read.
inline constexpr std::uint64_t scratch = 0x1000'0000, scratch_pages = 16;
inline constexpr std::uint64_t scratch_end = scratch + scratch_pages * 4096;

class Script {
public:
    Script() = default;
    Script(const std::uint8_t* bytes, std::size_t size) : at_(bytes), end_(bytes + size) {}
    bool exhausted() const { return at_ == end_; }

    enum class Event : std::uint8_t { system_call, fault, pause };
    /// Takes the next event of a thread: puts what the processor would have into `context`. Under giant.
    Event next(bsd::Lwp& lwp, glue::UserContext& context);

private:
    std::uint8_t byte() { return at_ != end_ ? *at_++ : std::uint8_t{0}; }
    std::uint64_t raw(unsigned bytes);
    std::uint64_t number(const bsd::Lwp& lwp);
    std::uint64_t pointer(bsd::Lwp& lwp, bool string);
    void write(bsd::Lwp& lwp, std::uint64_t address, const void* from, std::size_t size);

    const std::uint8_t* at_ = nullptr;
    const std::uint8_t* end_ = nullptr;
};

/// Prints how many calls were made so far, and of how many of the calls that there are, by system.
void print_calls();

} // namespace fuzz
