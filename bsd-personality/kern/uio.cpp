// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/uio.hpp"

#include <string.h>

#include "bsd-personality/vm/usermem.hpp"

namespace bsd {

SysResult<void> Uio::move(void* kernel, std::uint64_t length, bool out) {
    auto* bytes = static_cast<std::byte*>(kernel);
    length = least(length, residual_);
    while (length != 0) {
        std::uint64_t run = least(length, vectors_->length - within_);
        if (run != 0) {
            std::uint64_t at = vectors_->base + within_;
            if (!space_)
                memcpy(out ? reinterpret_cast<void*>(at) : bytes, out ? bytes : reinterpret_cast<void*>(at),
                       run);
            else if (out)
                TRY(copyout(*space_, bytes, glue::UserAddress{at}, run));
            else
                TRY(copyin(*space_, glue::UserAddress{at}, bytes, run));
        }
        bytes += run;
        length -= run;
        advance(run);
    }
    return {};
}

bool Uio::at_hand(std::uint64_t length, bool out) const {
    length = least(length, residual_);
    std::uint64_t within = within_;
    for (const IoVector* vector = vectors_; length != 0; vector++, within = 0) {
        std::uint64_t run = least(length, vector->length - within), at = vector->base + within;
        length -= run;
        if (run == 0)
            continue;
        if (!VmSpace::valid_range(at, run) || run > VmSpace::translation_slots << vm::page_shift)
            return false;
        for (std::uint64_t page = at & ~vm::page_mask; page < at + run; page += vm::page_size)
            if (!space_->at_hand(page, out))
                return false;
    }
    return true;
}

SysResult<void> Uio::zero_out(std::uint64_t length) {
    length = least(length, residual_);
    while (length != 0) {
        std::uint64_t run = least(length, vectors_->length - within_);
        std::uint64_t at = vectors_->base + within_;
        if (!space_)
            memset(reinterpret_cast<void*>(at), 0, run);
        else if (run != 0)
            TRY(zero_user(*space_, glue::UserAddress{at}, run));
        length -= run;
        advance(run);
    }
    return {};
}

void Uio::skip(std::uint64_t length) {
    length = least(length, residual_);
    while (length != 0) {
        std::uint64_t run = least(length, vectors_->length - within_);
        length -= run;
        advance(run);
    }
}

void Uio::advance(std::uint64_t run) {
    residual_ -= run;
    within_ += run;
    while (within_ == vectors_->length && count_ > 1) {
        vectors_++;
        count_--;
        within_ = 0;
    }
}

} // namespace bsd
