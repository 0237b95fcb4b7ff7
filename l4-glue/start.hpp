// SPDX-License-Identifier: BSD-2-Clause
// What a task finds when it starts: a read-only page at start_address, written by the box, and capabilities
// at fixed selectors. The box fills it, the glue's start code reads it, the layers above see glue::start().
#pragma once

#include "l4-glue/types.hpp"

namespace glue {

inline constexpr std::uint64_t start_address = 0x10'0000;       // StartInformation
inline constexpr std::uint64_t information_address = 0x10'1000; // abi::InformationPage
inline constexpr std::uint64_t buffer_address =
    0x10'2000; // message buffer of the first thread; +page per further
inline constexpr std::uint64_t vcpu_page_address = 0x11'0000; // vCPU page of vCPU n at + n pages
inline constexpr std::uint64_t stack_top = 0x18'0000;         // of the first thread, 64 KiB
inline constexpr std::uint64_t image_base = 0x20'0000;        // program text and data
inline constexpr std::uint64_t shared_window =
    0x0080'0000'0000;                                           // memory shared with the box (proto/jail.hpp)
inline constexpr std::uint64_t image_window = 0x00c0'0000'0000; // the jail's image, read-only
inline constexpr std::uint64_t ram_window = 0x0100'0000'0000;   // the task's whole RAM region, linear

enum StartSelector : abi::Selector {
    start_task = 1,
    start_thread = 2,
    start_pool = 3,
    start_ram = 4,             // region, read write execute
    start_image = 5,           // region, read execute; absent when image_size is 0
    start_shared = 6,          // region, read write
    start_console = 7,         // kernel console, for crash messages
    start_doorbell = 8,        // notification of the box, badge set by the box: signal
    start_event = 9,           // own notification that the box signals; bound to vCPU 0 by the glue
    start_scheduling = 16,     // scheduling context of vCPU n at + n
    start_irq_scheduling = 40, // of an IRQ thread on the core of vCPU n at + n, a fifth of the vCPU's time
    start_fault_endpoint = 64, // where faults of a thread on vCPU n's core go, at + n
    start_free = 128,          // first selector that the task may use for its own objects
};
inline constexpr unsigned start_table_slots = 65536;

struct StartInformation {
    std::uint64_t magic;
    std::uint64_t ram_size;   // bytes of the RAM region
    std::uint64_t ram_used;   // bytes at its start that hold this program; the rest is free
    std::uint64_t image_size; // bytes of the image region, 0 if none
    std::uint64_t shared_size;
    std::uint32_t vcpus;                // how many cores the task was given, at most abi::max_cores
    std::uint32_t priority;             // of its threads; an IRQ thread may use priority + 1
    std::uint32_t core[abi::max_cores]; // the physical core of vCPU n
    char name[32];                      // the jail's or task's name, NUL-terminated
    char arguments[1024];               // free text, NUL-terminated
};
inline constexpr std::uint64_t start_magic = 0x5452415453454c4cull;
static_assert(sizeof(StartInformation) <= page_size);

} // namespace glue
