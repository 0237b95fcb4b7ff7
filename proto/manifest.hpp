// SPDX-License-Identifier: BSD-2-Clause
//
// The box's manifest: what to start. Text, one setting a line, strict: an unknown section or key, a key twice
// or a value that does not parse is an error that names line and key.
//
//     [box]                       one, optional
//     seed = 64 to 256 hexadecimal digits      entropy of the whole box
//     epoch = nanoseconds since 1970           wall clock at start; without it the box reads the CMOS clock
//     icount = yes | no                        instruction-counted emulation: realtime is judged
//     [jail NAME]
//     abi = freebsd | dragonfly
//     image = NAME                             an image part of the boot archive
//     argument = TEXT                          once for each argument; the first is the program
//     environment = NAME=VALUE                 any number
//     directory = PATH                         working directory, default /
//     memory = BYTES
//     cpus = COUNT                             vCPUs, default 1
//     cores = 0,1                              which cores, in order (0,0: both on one); default: the
//                                              box chooses
//     share = PERCENT                          of one core; default: no limit
//     terminal = ROWSxCOLUMNS                  the console is a terminal of this size (0x0: unknown)
//     restart = never
//     [realtime NAME]
//     program = NAME                           a program part of the boot archive
//     period_ns, budget_ns = NANOSECONDS
//     priority = 1..255
//     core = NUMBER
//
// A value is the rest of the line without surrounding blanks, or "quoted" with the escapes \" \\ \n \t \r and
// \xHH. Lines that are empty or start with # are skipped. Unquoting is done in place, so the parser needs the
// text writable, allocates nothing, and the result points into the text.
#pragma once

#include "proto/bytes.hpp"
#include "proto/jail.hpp"

namespace proto {

inline constexpr std::uint32_t manifest_max_jails = 16;
inline constexpr std::uint32_t manifest_max_tasks = 8;
inline constexpr std::uint32_t manifest_max_texts = 1024;
inline constexpr std::uint32_t manifest_max_cpus = 16;
inline constexpr std::uint32_t manifest_max_seed = 128;
/// Less than this cannot hold a personality's own data and one process.
inline constexpr std::uint64_t manifest_min_memory = 8ULL << 20;
inline constexpr std::uint64_t manifest_max_memory = 1ULL << 40;

using Abi = JailAbi;
[[nodiscard]] const char* abi_name(Abi abi);

struct JailManifest {
    Text name;
    Abi abi = Abi::freebsd;
    Text image;
    std::uint32_t first_argument = 0; ///< into Manifest::arguments
    std::uint32_t argument_count = 0;
    std::uint32_t first_environment = 0; ///< into Manifest::environment
    std::uint32_t environment_count = 0;
    Text directory = "/";
    std::uint64_t memory = 0;
    std::uint32_t cpus = 1;
    std::uint32_t core_count = 0; ///< 0: the box chooses; else equal to cpus
    std::uint8_t cores[manifest_max_cpus] = {};
    std::uint32_t share = 0; ///< percent of one core; 0: no limit
    bool trace = false;      ///< its system calls, from the first on
    bool terminal = false;
    std::uint16_t rows = 0, columns = 0; ///< of the terminal
};

struct RealtimeManifest {
    Text name;
    Text program;
    std::uint64_t period_ns = 0;
    std::uint64_t budget_ns = 0;
    std::uint32_t priority = 255;
    std::uint32_t core = 0;
};

struct Manifest {
    std::uint8_t seed[manifest_max_seed] = {};
    std::uint32_t seed_size = 0;
    bool has_epoch = false;
    std::uint64_t epoch_ns = 0;
    bool icount = false;
    std::uint32_t jail_count = 0;
    JailManifest jails[manifest_max_jails];
    std::uint32_t task_count = 0;
    RealtimeManifest tasks[manifest_max_tasks];
    std::uint32_t argument_count = 0;
    Text arguments[manifest_max_texts]; ///< of all jails, one jail's in a row
    std::uint32_t environment_count = 0;
    Text environment[manifest_max_texts]; ///< of all jails, one jail's in a row
};

struct ManifestError {
    std::uint32_t line = 0;       ///< from 1; 0 when it is about the whole
    Text key;                     ///< key or section at fault
    const char* reason = nullptr; ///< null: no error
};

/// "ROWSxCOLUMNS", each up to 65535.
[[nodiscard]] bool parse_window(Text text, std::uint16_t& rows, std::uint16_t& columns);

/// Parses `text` (writable, `size` bytes) into `out`, which is reset first (large: keep it out of small
/// stacks). The first error ends it.
[[nodiscard]] ManifestError parse_manifest(char* text, std::size_t size, Manifest& out);

} // namespace proto
