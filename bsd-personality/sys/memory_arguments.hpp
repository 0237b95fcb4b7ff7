// SPDX-License-Identifier: BSD-2-Clause
// What the calls of mmap's family make of their arguments.
#pragma once

#include "bsd-personality/kern/proc.hpp"
#include "bsd-personality/vm/vmspace.hpp"

namespace bsd {

/// Whole pages around a range of bytes.
struct PageRange {
    std::uint64_t start, end;
    bool empty() const { return start >= end; }
    std::uint64_t pages() const { return empty() ? 0 : (end - start) >> vm::page_shift; }
};

/// FreeBSD's PROT_ bits and, above them, PROT_MAX bits. Errors: EINVAL, ENOTSUP (more than the maximum).
SysResult<void> decode_protection(std::uint32_t bits, std::uint8_t& protection, std::uint8_t& maximum);

} // namespace bsd
