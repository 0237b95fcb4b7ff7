// SPDX-License-Identifier: BSD-2-Clause
// What kernel tests and benchmarks share: they run as the root task and make further tasks that run the same
// program text. Functions marked IN_CHILD (and what they inline) lie in a section of their own that is
// mapped, at the same addresses, in every child; all that they touch otherwise is the page at `child_data`.
#pragma once

#include "glue/clock.hpp"
#include "glue/console.hpp"
#include "glue/thread.hpp"

namespace laboratory {

using abi::Operation;
using abi::Selector;
using abi::Word;
using glue::Error;
using glue::native::exchange;
using glue::native::invoke;
using glue::native::Message;
using glue::native::Reply;

#define IN_CHILD [[gnu::section(".child"), gnu::noinline, gnu::used]]

inline constexpr Word page = abi::page_size;
inline constexpr Word child_data = 0x4000'0000;  // one page shared by all tasks, also mapped here
inline constexpr Word child_stack = 0x4010'0000; // top of a child's stack, one page below
inline constexpr Word child_buffer = 0x4020'0000;
inline constexpr Word scratch = 0x4100'0000; // free addresses for mapping

// RAM for the laboratory: pages of the first region, handed out once.
Word take_ram(Word pages); // offset in the region root_ram

// Maps the shared data page here; call first.
void initialize();
// Where the shared page and the children's text lie in the region root_ram.
extern Word data_offset, section_offset, section_pages;
template <class T>
inline volatile T& shared(unsigned index) {
    return reinterpret_cast<volatile T*>(child_data)[index];
}

struct Child {
    Selector task = 0, ram = 0; // task, and its binding of the RAM region
};
// A task with the child section, a stack and the data page. Panics the test program on failure.
Child make_child(Selector pool = abi::root_pool, unsigned slots = 256);
// A capability of ours, copied into a child's table.
void give(const Child& child, Selector slot, Selector what, std::uint32_t rights, Word badge = 0);
// A thread with a scheduling context of its own (or none: passive), in `task`.
Selector make_thread(Selector task, unsigned core, unsigned priority, Word buffer, bool passive = false,
                     Selector fault_endpoint = 0, Selector pool = abi::root_pool);
void start(Selector thread, void (*function)(Word), Word argument, Word stack_top);

Selector make_endpoint(unsigned core = 0, Selector pool = abi::root_pool);
Selector make_notification(unsigned core = 0, Selector pool = abi::root_pool);
Selector new_selector();
// Lets threads of lower priority run for a while.
void pause_for(Word microseconds);

void print(const char* text);
void print(Word value);
[[noreturn]] void fail(const char* what);
void must(const char* what, Reply reply);
void must(const char* what, Error error);

// Whether the kernel's command line has this text. (Not by musl's strstr, which needs a thread pointer:
// tests/tree.)
bool has_argument(const char* text);

// Ends the run: QEMU's exit device, then waits.
[[noreturn]] void finish(unsigned status);

} // namespace laboratory
