// SPDX-License-Identifier: BSD-2-Clause
// What a system-call handler sees: its arguments, read in place from the registers of the calling lwp
// (wherever they lie at the moment), and the shape of its answer. Handlers are free functions, one family a
// file under sys/:
//
//     SysResult<Return> sys_close(Lwp& lwp, const SystemCall& call);
//
// The tables abi/*.syscalls name them; scripts/gen-syscalls declares them and builds the dispatch tables.
#pragma once

#include "bsd-personality/kern/errno.hpp"
#include "l4-glue/types.hpp"

namespace bsd {

struct Lwp;
using glue::UserAddress;
using glue::UserContext;

/// A handler's result: rax, and rdx for the calls with two results; rdx is otherwise left as the caller had
/// it.
struct Return {
    std::uint64_t rax = 0;
    std::uint64_t rdx = 0;
    bool has_rdx = false;

    constexpr Return() = default;
    constexpr Return(std::uint64_t value) : rax(value) {}
    constexpr Return(std::uint64_t first, std::uint64_t second) : rax(first), rdx(second), has_rdx(true) {}
};

/// The arguments of one call. Valid while the handler runs, also after it slept.
class SystemCall {
public:
    static constexpr unsigned stack_words = 4; // arguments beyond the registers, copied in before dispatch

    constexpr SystemCall(UserContext* const& frame, unsigned shift) : frame_(frame), shift_(shift) {}

    /// Argument i, raw. i must be less than the number of words that the table's types take.
    std::uint64_t word(unsigned i) const {
        switch (i + shift_) {
        case 0:
            return frame_->rdi;
        case 1:
            return frame_->rsi;
        case 2:
            return frame_->rdx;
        case 3:
            return frame_->r10;
        case 4:
            return frame_->r8;
        case 5:
            return frame_->r9;
        default:
            return i + shift_ - 6 < stack_words ? stack_[i + shift_ - 6] : 0;
        }
    }
    /// An int: the upper half of the register is junk.
    std::int32_t integer(unsigned i) const { return static_cast<std::int32_t>(word(i)); }
    /// An unsigned int.
    std::uint32_t natural(unsigned i) const { return static_cast<std::uint32_t>(word(i)); }
    UserAddress address(unsigned i) const { return UserAddress{word(i)}; }

    std::uint64_t* stack() { return stack_; } // for the dispatcher

private:
    UserContext* const& frame_; // of the lwp: moves when another lwp takes the vCPU page
    unsigned shift_;            // 1 for the indirect calls 0 and 198
    std::uint64_t stack_[stack_words];
};

using Handler = SysResult<Return> (*)(Lwp& lwp, const SystemCall& call);

/// One row of an ABI's table, generated.
struct SystemCallEntry {
    Handler handler;       // nullptr: absent, answers ENOSYS
    const char* name;      // nullptr: the number is not a call of the real system
    const char* arguments; // types as in the table, for traces
    std::uint8_t words;    // argument words
    std::uint8_t flags;    // SystemCallFlags
};

enum SystemCallFlags : std::uint8_t {
    call_nogiant = 1, // touches only its own lwp and immutable data: runs without the giant token
    call_partial = 2,
    call_shared = 4, // tried with giant shared first (giant.hpp)
};

struct SystemCallTable {
    const SystemCallEntry* entries;
    unsigned count;
};
extern const SystemCallTable freebsd_system_calls, dragonfly_system_calls; // generated

} // namespace bsd
