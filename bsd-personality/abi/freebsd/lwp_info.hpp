// SPDX-License-Identifier: BSD-2-Clause
// What FreeBSD tells a debugger of a thread: struct ptrace_lwpinfo.
#pragma once

#include "bsd-personality/abi/freebsd/signal.hpp"

namespace bsd::freebsd {

struct LwpInfoRecord {
    std::int32_t tid, event, flags;
    std::uint32_t mask[4], pending[4];
    std::uint32_t padding;
    SignalInfoRecord signal;
    char name[20];
    std::int32_t child;
    std::uint32_t call, argument_count;
};
static_assert(sizeof(LwpInfoRecord) == 160 && offsetof(LwpInfoRecord, signal) == 48 &&
              offsetof(LwpInfoRecord, name) == 128);
enum : std::int32_t { event_none = 0, event_signal = 1 };
enum LwpFlag : std::int32_t {
    flag_call_entry = 4,
    flag_call_exit = 8,
    flag_exec = 0x10,
    flag_signal_info = 0x20,
    flag_forked = 0x40,
    flag_child = 0x80,
    flag_born = 0x100,
    flag_exited = 0x200,
    flag_vforked = 0x400,
    flag_vfork_done = 0x800,
};

} // namespace bsd::freebsd
