// SPDX-License-Identifier: BSD-2-Clause
// Constants and shared structures of the kernel ABI: messages, information page, vCPU page, first
// capabilities.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernel/abi/operations.hpp"

namespace abi {

using Word = std::uint64_t;
using Selector = std::uint32_t; // index into the caller's capability table; 0 is never a capability

inline constexpr Word page_size = 4096;
inline constexpr Word large_page_size = 2 << 20;
inline constexpr Word user_end = 0x7fff'ffff'f000; // first address that can never be mapped
inline constexpr unsigned max_cores = 16;
inline constexpr unsigned priorities = 256; // 0 lowest
inline constexpr Word no_deadline = ~Word{0};

// While a thread of this priority or a higher one runs, interrupts of lower priority wait.
inline constexpr unsigned realtime_priority = 248;
// The line argument of irq_create: an interrupt line, and the priority of the thread that handles it.
constexpr Word interrupt_line(std::uint32_t line, unsigned priority = 0) {
    return Word{priority} << 32 | line;
}

// Flags of map and protect. Rights beyond the binding's are refused.
enum MapFlags : Word {
    map_read = 1,
    map_write = 2,
    map_execute = 4,
    map_uncached = 8,
    map_replace = 16,         // an occupied page is replaced instead of refused
    map_write_combining = 32, // not together with map_uncached
};

// Flags of thread_create.
enum ThreadFlags : Word {
    thread_no_fpu = 1, // never touches FPU registers: foreign state stays in them
};

// Flags of scheduling_create, besides the priority limit.
enum SchedulingFlags : Word {
    scheduling_guaranteed = 256, // refused if the core could not keep it beside what is guaranteed already
};
// What scheduling_info tells: value, second.
enum class SchedulingInfo : Word {
    parameters, // budget, period
    promise,    // utilization (2^32 is the whole core), 1 if guaranteed
    budget,     // ticks usable now, when the next are (or these were)
    use,        // 1 if bound to a thread, how often the budget was used up
};

// A message: a tag (rsi) and four words in registers (r12 .. r15), more words in the message buffer.
// Tag: bits 0-6 number of words, bit 8 a page item, bit 9 a capability item is in the sender's buffer, bits
// 32-63 label. The receiver's tag has the bits of the items that came.
inline constexpr unsigned message_words = 64;
inline constexpr unsigned register_words = 4;
inline constexpr Word tag_page_item = Word{1} << 8;
inline constexpr Word tag_capability_item = Word{1} << 9;
inline constexpr Word tag_items = tag_page_item | tag_capability_item;
constexpr Word make_tag(std::uint32_t label, unsigned words, Word flags = 0) {
    return Word{label} << 32 | flags | words;
}
constexpr std::uint32_t tag_label(Word tag) {
    return static_cast<std::uint32_t>(tag >> 32);
}
constexpr unsigned tag_words(Word tag) {
    return tag & 0x7f;
}

// Labels that the kernel itself uses; users keep below label_kernel.
enum Label : std::uint32_t {
    label_kernel = 0xffff'0000,
    label_page_fault = 0xffff'0001,   // words: address, rip, error code (x86 page-fault bits), 14
    label_exception = 0xffff'0002,    // words: address, rip, error code, vector
    label_notification = 0xffff'0003, // words: bits; no reply is owed
};

// A page item: the receiver of the message (for a fault: the faulting thread) gets one page of a bound
// region.
struct PageItem {
    std::uint32_t binding; // selector in the sender's table of a binding of the receiver's space
    std::uint32_t flags;   // MapFlags
    Word offset;           // bytes in the region
    Word address;          // where in the receiver's space; ignored in a reply to a page fault
};

// A capability item: the receiver gets a copy of a capability, derived from it, in the slot that it names in
// its own buffer. It goes through an endpoint capability with the right `grant`, and back with the reply.
struct CapabilityItem {
    Selector source;      // in the sender's table
    std::uint32_t rights; // no more than these
    Word badge;           // 0, or a badge for an unbadged endpoint or notification
};

// One page per thread, owned by the kernel, mapped in the thread's task.
struct MessageBuffer {
    Word words[message_words]; // words 0-3 are unused: they travel in registers
    PageItem item;
    CapabilityItem capability;
    Selector receive_slot; // an empty slot of the receiver's table; 0: it takes no capability
    std::uint32_t reserved[2 * (512 - message_words - 5) - 1];
};
static_assert(sizeof(MessageBuffer) == page_size && offsetof(MessageBuffer, item) == 512);
static_assert(offsetof(MessageBuffer, capability) == 536 && offsetof(MessageBuffer, receive_slot) == 552);

// User registers as the kernel stores them at a trap; the last five are what the processor pushes.
struct Registers {
    Word r15, r14, r13, r12, rbp, rbx;
    Word r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    Word vector; // exception vector, or vector_system_call
    Word error;  // processor's error code
    Word rip, cs, rflags, rsp, ss;
};
static_assert(sizeof(Registers) == 22 * 8 && sizeof(Registers) % 16 == 0);
inline constexpr Word vector_system_call = 256;

// Why vcpu_run returned.
enum class Trap : Word {
    system_call = 1, // user.rip is after the instruction; rcx and r11 hold rip and rflags
    page_fault = 2,  // fault_address and user.error
    exception = 3,   // user.vector and user.error
    event = 4,       // bits arrived in `events`, or `pending` was set before
    deadline = 5,    // `deadline` has passed
};

// One page per vCPU, owned by the kernel, mapped in the server's task. The kernel touches it on the vCPU's
// core only.
struct VcpuPage {
    Registers user; // state to resume and state at the trap
    Word fs_base, gs_base;
    Word fault_address;
    Word deadline; // absolute ticks at which vcpu_run or vcpu_wait returns, or an upcall happens; no_deadline
                   // for none. The kernel looks at it in vcpu_run and vcpu_wait, at switches, and whenever
                   // its timer fires
    Word events;   // notification bits that arrived; the server takes them with one atomic exchange
    std::uint32_t upcall_enable; // 1: an event or deadline interrupts the server's own code by an upcall
    std::uint32_t pending;       // set by the kernel when it could not upcall; cleared by the server
    Word upcall_entry, upcall_stack;
    Word stolen; // ticks since start in which the vCPU was ready but did not run
    Word reserved[3];
    Registers upcall; // own state at the upcall; the server resumes it by itself
};
static_assert(offsetof(VcpuPage, fs_base) == 176 && offsetof(VcpuPage, events) == 208);
static_assert(offsetof(VcpuPage, upcall_enable) == 216 && offsetof(VcpuPage, upcall_entry) == 224);
static_assert(offsetof(VcpuPage, upcall) == 272 && offsetof(VcpuPage, upcall) % 16 == 0);

// Kernel information page, mapped read-only where task_create was told.
inline constexpr Word information_magic = 0x3150494b4c4c4542ull;
struct InformationPage {
    Word magic;
    std::uint32_t version, cores;
    Word ticks_per_second;                // of the time-stamp counter
    std::uint64_t nanoseconds_multiplier; // nanoseconds = (ticks - boot_ticks) * multiplier >> 32
    Word boot_ticks;
    Word xsave_size; // bytes of extended state in use
    Word xsave_mask; // XCR0
    Word features;   // reserved, zero
};

enum class ThreadState : Word { inactive, ready, receiving, sending, waiting_reply, waiting, faulted, dead };

// What trace_read copies.
struct TraceEvent {
    Word ticks;
    Event event;
    std::uint32_t thread; // number of its object; 0: none
    Word first, second;   // by the event, see kernel.abi
};
static_assert(sizeof(TraceEvent) == 32);

// The root task's first capabilities.
enum RootSelector : Selector {
    root_task = 1,
    root_thread = 2,
    root_pool = 3,
    root_scheduling = 4,
    root_irqs = 5,
    root_ports = 6,
    root_console = 7,
    root_module = 8,  // RAM region: the boot module
    root_devices = 9, // region: device memory, BootInformation::devices_base
    root_observer = 10,
    root_ram = 16, // RAM regions of free memory, BootInformation::ram_regions of them
};
inline constexpr unsigned root_table_slots = 65536;
inline constexpr Word root_boot_address = 0x10'0000;        // BootInformation, read-only
inline constexpr Word root_information_address = 0x10'1000; // information page of the root task
inline constexpr Word root_buffer_address = 0x10'2000;      // message buffer of the first thread
inline constexpr Word root_stack_top = 0x18'0000;           // 64 KiB below

struct BootInformation {
    Word module_size;    // bytes; the region is rounded up to pages
    Word payload_offset; // in the module
    Word payload_size;
    std::uint32_t ram_regions;
    std::uint32_t reserved;
    Word ram_size[16]; // bytes of each region; all aligned to large pages
    char command_line[1024];
    Word devices_base,
        devices_size; // physical: from behind all memory below 4 GiB to the interrupt controllers
};
static_assert(sizeof(BootInformation) <= page_size && offsetof(BootInformation, devices_base) == 1184);

} // namespace abi
