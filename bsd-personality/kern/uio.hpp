// SPDX-License-Identifier: BSD-2-Clause
// Uio: where the bytes of one read or write come from or go to. Vectors of user memory (of one address space)
// or of kernel memory; a cursor moves along them. Bytes that were moved before an error stay moved: callers
// of read and write report a short count then, as BSD does.
#pragma once

#include "bsd-personality/kern/errno.hpp"
#include "bsd-personality/kern/text.hpp"
#include "l4-glue/types.hpp"

namespace bsd {

class VmSpace;

/// struct iovec as user programs lay it out; for Space::kernel, `base` is a kernel address.
struct IoVector {
    std::uint64_t base, length;
};
static_assert(sizeof(IoVector) == 16);

class Uio {
public:
    /// One stretch of user memory.
    Uio(VmSpace& space, glue::UserAddress base, std::uint64_t length)
        : space_(&space), single_{base.value, length}, vectors_(&single_), count_(1), residual_(length) {}
    /// Several stretches of user memory; `vectors` must outlive the Uio, and the sum be below 2^63.
    Uio(VmSpace& space, const IoVector* vectors, unsigned count, std::uint64_t total)
        : space_(&space), vectors_(vectors), count_(count), residual_(total) {}
    /// Kernel memory.
    Uio(void* base, std::uint64_t length)
        : single_{reinterpret_cast<std::uint64_t>(base), length}, vectors_(&single_), count_(1),
          residual_(length) {}
    Uio(const Uio&) = delete;
    Uio& operator=(const Uio&) = delete;

    /// Bytes still to be moved.
    std::uint64_t residual() const { return residual_; }
    /// Kernel to destination; `length` is cut to residual(). EFAULT when a page is not there.
    SysResult<void> copy_out(const void* from, std::uint64_t length) {
        return move(const_cast<void*>(from), length, true);
    }
    /// Source to kernel; `length` is cut to residual(). EFAULT when a page is not there.
    SysResult<void> copy_in(void* to, std::uint64_t length) { return move(to, length, false); }
    /// Whether the next `length` bytes (cut to residual()) can be moved without a fault, because this vCPU
    /// has their pages at hand; then they can be in shared mode, and no part fails. `out`: to user memory.
    bool at_hand(std::uint64_t length, bool out) const;
    /// The last `length` bytes are not there until they are given back.
    void hold_back(std::uint64_t length) { residual_ -= length; }
    void give_back(std::uint64_t length) { residual_ += length; }
    /// Writes zeros to the destination.
    SysResult<void> zero_out(std::uint64_t length);
    /// Takes `length` bytes as moved without touching them (/dev/null).
    void skip(std::uint64_t length);

private:
    SysResult<void> move(void* kernel, std::uint64_t length, bool out);
    void advance(std::uint64_t run);

    VmSpace* space_ = nullptr; // null: kernel memory
    IoVector single_{};
    const IoVector* vectors_;
    unsigned count_;
    std::uint64_t within_ = 0; // of vectors_[0], already moved
    std::uint64_t residual_;
};

} // namespace bsd
