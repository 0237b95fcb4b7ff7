// SPDX-License-Identifier: BSD-2-Clause
// The boot module (QEMU's -initrd): a page with this header, the uncompressed ELF of the root task, then a
// payload that the kernel hands to the root task unread. All offsets are from the module's start and page
// aligned.
#pragma once

#include <cstdint>

namespace abi {

inline constexpr std::uint64_t boot_module_magic = 0x31454c4c4542494cull; // "LIBELLE1", little endian

struct BootModuleHeader {
    std::uint64_t magic;
    std::uint64_t root_offset; // bytes; the root task's static ELF64 executable
    std::uint64_t root_size;
    std::uint64_t payload_offset;
    std::uint64_t payload_size;
};
static_assert(sizeof(BootModuleHeader) == 40);

} // namespace abi
