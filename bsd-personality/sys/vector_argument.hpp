// SPDX-License-Identifier: BSD-2-Clause
// An array of struct iovec from user memory.
#pragma once

#include "bsd-personality/kern/proc.hpp"
#include "bsd-personality/vm/usermem.hpp"
#include "lwkt/slab.hpp"

namespace bsd {

constexpr std::uint64_t largest_transfer = 0x7fff'ffff'ffff'ffff;

class VectorArgument {
public:
    static constexpr std::uint32_t most = 1024;

    VectorArgument() = default;
    VectorArgument(const VectorArgument&) = delete;
    VectorArgument& operator=(const VectorArgument&) = delete;
    ~VectorArgument() {
        if (all_ != few_)
            lwkt::release(all_, count_ * sizeof(IoVector));
    }
    /// `count` at most `most`. Errors: EFAULT, EINVAL (too many bytes), ENOMEM; in shared mode eexclusive.
    SysResult<void> copy_in(Lwp& lwp, UserAddress from, std::uint32_t count) {
        if (count > on_stack) {
            if (shared_mode())
                return Failure(Errno::eexclusive);
            auto* memory = static_cast<IoVector*>(lwkt::allocate(count * sizeof(IoVector)));
            if (!memory)
                return Failure(Errno::enomem);
            all_ = memory;
        }
        count_ = count;
        TRY(copyin(*lwp.proc.vmspace, from, all_, count * sizeof(IoVector)));
        for (std::uint32_t i = 0; i < count; i++)
            if (__builtin_add_overflow(total_, all_[i].length, &total_) || total_ > largest_transfer)
                return Failure(Errno::einval);
        return {};
    }
    const IoVector* vectors() const { return all_; }
    std::uint32_t count() const { return count_; }
    std::uint64_t total() const { return total_; }

private:
    static constexpr std::uint32_t on_stack = 8;
    IoVector few_[on_stack];
    IoVector* all_ = few_;
    std::uint32_t count_ = 0;
    std::uint64_t total_ = 0;
};

} // namespace bsd
