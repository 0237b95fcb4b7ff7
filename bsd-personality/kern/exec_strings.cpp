// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/exec.hpp"
#include "bsd-personality/vm/usermem.hpp"

#include <cstring>

namespace bsd {

ExecStrings::~ExecStrings() {
    if (data_)
        vm::pages_free(static_cast<vm::PageNumber>(glue::Ram::offset(data_).value >> vm::page_shift), order_);
}

SysResult<void> ExecStrings::reserve(std::uint64_t bytes) {
    std::uint64_t capacity = data_ ? vm::page_size << order_ : 0;
    if (bytes <= capacity - used_)
        return {};
    if (bytes > limit || used_ + bytes > limit)
        return Failure(Errno::e2big);
    unsigned order = data_ ? order_ : 2;
    while ((vm::page_size << order) < used_ + bytes)
        order++;
    vm::PageNumber pages = vm::pages_allocate(order, vm::Urgency::user);
    if (!pages)
        return Failure(Errno::enomem);
    auto* bigger = reinterpret_cast<char*>(vm::page_pointer(pages));
    if (data_) {
        std::memcpy(bigger, data_, used_);
        vm::pages_free(static_cast<vm::PageNumber>(glue::Ram::offset(data_).value >> vm::page_shift), order_);
    }
    data_ = bigger;
    order_ = order;
    return {};
}

SysResult<void> ExecStrings::add(Text string) {
    TRY(reserve(string.size + 1));
    if (string.size != 0)
        std::memcpy(data_ + used_, string.data, string.size);
    used_ += string.size;
    data_[used_++] = '\0';
    return {};
}

SysResult<void> ExecStrings::add_vector(VmSpace& space, glue::UserAddress vector, std::uint32_t& count) {
    for (std::uint64_t at = vector.value;; at += 8) {
        std::uint64_t string = TRY(copyin<std::uint64_t>(space, glue::UserAddress{at}));
        if (string == 0)
            return {};
        // Room first, then the copy goes straight into the buffer.
        std::uint64_t room = 256;
        for (;;) {
            TRY(reserve(room));
            auto length = copyinstr(space, glue::UserAddress{string}, data_ + used_, room);
            if (length) {
                used_ += length.value() + 1;
                break;
            }
            if (length.error() != Errno::enametoolong)
                return Failure(length.error());
            if (used_ + room >= limit)
                return Failure(Errno::e2big);
            room = least(room * 8, limit - used_);
        }
        count++;
    }
}

SysResult<void> ExecStrings::replace_first(Text block, std::uint32_t count, Text last) {
    std::uint64_t old = 0, added = block.size + last.size + 1;
    if (argument_count != 0) {
        while (data_[old] != '\0')
            old++;
        old++;
        argument_count--;
    }
    TRY(reserve(added));
    std::memmove(data_ + added, data_ + old, used_ - old);
    used_ = used_ - old + added;
    std::memcpy(data_, block.data, block.size);
    std::memcpy(data_ + block.size, last.data, last.size);
    data_[added - 1] = '\0';
    argument_count += count + 1;
    return {};
}

} // namespace bsd
