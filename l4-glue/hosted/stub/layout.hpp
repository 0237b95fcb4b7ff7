// SPDX-License-Identifier: BSD-2-Clause
// What the personality and the stub in a BSD process agree on: where the stub lies, and what is in the memory
// that both have mapped. Read by the assembler, too. docs/hosted.md says why a BSD process may write most of
// it.
//
//   stub_base              the trampoline's page, read and execute, for ever; it begins with a SYSCALL
//                          instruction, by which a traced process (traced.hpp) makes calls
//   stub_base + 0x1000     set-up code and data: gone before the first BSD instruction
//   stub_control           the agent's page: written by the personality, read-only here
//   stub_slots + n * 16 K  vCPU n's slot: its control block, then the stack on which its signal frames lie
#ifndef LIBELLE_HOSTED_STUB_LAYOUT
#define LIBELLE_HOSTED_STUB_LAYOUT

#define STUB_BASE 0x600000000000
#define STUB_SETUP_OFFSET 0x1000
#define STUB_SETUP_END_OFFSET 0x20000
#define STUB_CONTROL_OFFSET 0x100000
#define STUB_SLOTS_OFFSET 0x104000
#define STUB_SLOT_SIZE 0x4000
#define STUB_END_OFFSET 0x200000

// In a slot.
#define SLOT_STATE 0
#define SLOT_SLEEPING 4
#define SLOT_SIGNAL 8
#define SLOT_INFORMATION 16
#define SLOT_CONTEXT 24
#define SLOT_FS_BASE 32
#define SLOT_GS_BASE 40
#define SLOT_SPINS 48
#define SLOT_STACK 0x1000
#define STATE_TRAPPED 1
#define STATE_RUN 2
#define STATE_ASLEEP 3

// In the agent's page.
#define REQUEST_SIZE 56
#define REQUEST_MAX 64

#define CALL_NEXT 39 /* getpid */
#define RAM_DESCRIPTOR 3
#define IMAGE_DESCRIPTOR 4
#define ROLE_AGENT 0x100

#ifndef __ASSEMBLER__
#include <cstddef>
#include <cstdint>

namespace glue::hosted {

inline constexpr std::uint64_t stub_base = STUB_BASE;
inline constexpr std::uint64_t stub_setup = stub_base + STUB_SETUP_OFFSET;
inline constexpr std::uint64_t stub_setup_end = stub_base + STUB_SETUP_END_OFFSET;
inline constexpr std::uint64_t stub_control = stub_base + STUB_CONTROL_OFFSET;
inline constexpr std::uint64_t stub_slots = stub_base + STUB_SLOTS_OFFSET;
inline constexpr std::uint64_t stub_slot_size = STUB_SLOT_SIZE;
inline constexpr std::uint64_t stub_end = stub_base + STUB_END_OFFSET;

// Shared with the BSD process, all of it hostile: it says what the process wants its trap to have been.
struct Slot {
    std::uint32_t state;    // STATE_RUN: released; else parked in the handler. A futex
    std::uint32_t sleeping; // the personality sleeps on `state`; traced: of slot 0, the first thread does
    std::uint64_t signal;
    std::uint64_t information; // address of the siginfo_t
    std::uint64_t context;     // address of the ucontext
    std::uint64_t fs_base, gs_base;
    std::uint64_t spins; // how often the parked thread looks before it sleeps
};
static_assert(offsetof(Slot, sleeping) == SLOT_SLEEPING && offsetof(Slot, signal) == SLOT_SIGNAL);
static_assert(offsetof(Slot, information) == SLOT_INFORMATION && offsetof(Slot, context) == SLOT_CONTEXT);
static_assert(offsetof(Slot, fs_base) == SLOT_FS_BASE && offsetof(Slot, gs_base) == SLOT_GS_BASE);
static_assert(offsetof(Slot, spins) == SLOT_SPINS);

// One call that the agent is to make.
struct Request {
    std::uint64_t number;
    std::uint64_t arguments[6];
};
static_assert(sizeof(Request) == REQUEST_SIZE && sizeof(Request) * REQUEST_MAX <= 4096);

// What the personality writes into the socket. With it come the control memory and, for a traced process,
// the RAM file and, if there is one, the image.
struct CreateMessage {
    std::uint32_t vcpus;
    std::uint32_t traced;
};
// The answer. The process's pidfd comes with it and, if it is not traced, its listener.
struct CreatedMessage {
    std::int32_t error; // 0, or a negative errno with a step
    std::uint32_t step;
    std::int32_t thread[16]; // of a traced process: their numbers in its own namespace
};

} // namespace glue::hosted
#endif
#endif
