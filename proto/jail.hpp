// SPDX-License-Identifier: BSD-2-Clause
// The memory that a jail's personality shares with the box (at glue::shared_window in the personality): what
// to run, the console rings, and how it went. The box writes `parameters` before the jail starts. Ring
// headers and their sizes are fixed here; both sides treat what the other writes as hostile.
#pragma once

#include <cstddef>
#include <cstdint>

namespace proto {

inline constexpr std::uint32_t jail_magic = 0x4c494a4cu;
inline constexpr std::uint32_t console_ring_size = 64 << 10;
enum JailRing : unsigned {
    ring_stdin,
    ring_stdout,
    ring_stderr,
    ring_trace,
    jail_rings
}; // stdin: box produces

enum class JailAbi : std::uint32_t { freebsd = 1, dragonfly = 2 };

struct JailParameters {
    std::uint32_t magic;
    JailAbi abi; // what the jail reports as its system; each executable's brand picks its own table
    std::uint32_t argument_count, environment_count;
    std::uint8_t seed[64]; // entropy of this jail alone
    std::uint32_t trace;   // not 0: system calls are told to ring_trace, which somebody reads
    std::uint64_t epoch;   // wall clock in nanoseconds since 1970 at Clock time 0
    char hostname[64];
    char command[256];   // path of the executable in the image
    char directory[256]; // working directory, "/" if empty
    char strings[8192];  // arguments, then environment, each NUL-terminated
};

enum class JailState : std::uint32_t { created = 0, running = 1, exited = 2, failed = 3 };

/// What kind of console it is. The size is written by the box at any time, which then rings; read once each
/// time.
struct JailTerminal {
    std::uint32_t present; // 1: ring_stdin and ring_stdout are a terminal's line; ring_stderr is not used
    std::uint32_t window;  // rows << 16 | columns; 0: unknown
};

struct JailStatus { // written by the personality, read by the box
    JailState state;
    std::uint32_t wait_status;   // of the first process, as wait4(2) gives it; valid when exited
    std::uint32_t processes;     // alive now
    std::uint32_t unknown_calls; // system calls answered ENOSYS so far
    char message[512];           // why it failed, or notes such as names of missing calls; NUL-terminated
};

struct alignas(64) JailRingHeader { // layout of glue::RingHeader
    std::uint32_t words[32];
};

struct JailShared {
    JailParameters parameters;
    alignas(64) JailTerminal terminal;
    alignas(64) JailStatus status;
    JailRingHeader ring[jail_rings];
    alignas(4096) std::byte data[jail_rings][console_ring_size];
};
static_assert(sizeof(JailRingHeader) == 128);
static_assert(sizeof(JailShared) <= (320 << 10));

} // namespace proto
