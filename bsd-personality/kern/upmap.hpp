// SPDX-License-Identifier: BSD-2-Clause
// Pages that DragonFly's programs share with the kernel: /dev/kpmap has the time as of the last tick,
// /dev/upmap what a process asks often, /dev/lpmap what a thread does. A page begins with a list of what is
// in it and where; programs look for what they want there and do without what is not listed. A process's and
// a thread's page follow them over fork: the child finds its own at the same address. Under giant but for the
// time.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bsd-personality/kern/proc.hpp"
#include "bsd-personality/vm/object.hpp"

namespace bsd {

/// What begins each page; type 0 ends the list.
struct UserMapHeader {
    std::uint16_t type, offset;
};
struct UserMapTime {
    std::int64_t seconds, nanoseconds;
};
/// struct sys_kpmap, sys_upmap and sys_lpmap of DragonFly.
struct KernelPage {
    UserMapHeader header[64];
    std::int32_t version, ticks; // atomic: readers take up_time[ticks & 1]
    UserMapTime up_time[2], wall_time[2];
    std::int64_t counter_rate;          // of the time-stamp counter, a second
    std::int32_t tick_rate, fast_clock; // fast_clock: gettimeofday may be as old as a tick
};
struct ProcessPage {
    UserMapHeader header[64];
    std::uint32_t version, run_ticks;
    std::uint64_t fork_id;
    std::uint32_t vforks; // children of vfork that run in its memory
    std::int32_t pid;
    std::uint32_t reserved[16];
    char title[1024]; // the program's: for ps
};
struct ThreadPage {
    UserMapHeader header[64];
    std::uint32_t version, tid, reserved, blocked_signals;
    char title[1024];
};
static_assert(offsetof(KernelPage, up_time) == 264 && offsetof(KernelPage, counter_rate) == 328 &&
              sizeof(KernelPage) == 344);
static_assert(offsetof(ProcessPage, fork_id) == 264 && offsetof(ProcessPage, title) == 344 &&
              sizeof(ProcessPage) == 1368);
static_assert(offsetof(ThreadPage, title) == 272 && sizeof(ThreadPage) == 1296);

/// What the devices map, made when somebody first asks. Borrowed. Errors: ENOMEM.
SysResult<vm::Object*> kernel_page_object();
SysResult<vm::Object*> process_page_object(Lwp& lwp);
SysResult<vm::Object*> thread_page_object(Lwp& lwp);

/// The child of a fork, which has memory of its own, gets pages of its own where the parent has some. False
/// when memory is exhausted.
[[nodiscard]] bool fork_user_pages(Lwp& parent, Lwp& child);
/// A vfork child runs in the parent's memory, and no longer does.
void begin_shared_pages(Proc& parent);
void end_shared_pages(Proc& parent);
/// Another program, or the end. What is mapped stays until it is unmapped.
void drop_process_page(Proc& proc);
void drop_thread_page(Lwp& lwp);

/// What the program calls itself; empty: its arguments say.
Text process_title(const Proc& proc);
/// Null unless the thread has a page.
char* thread_title(Lwp& lwp);

} // namespace bsd
