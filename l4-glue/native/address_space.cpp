// SPDX-License-Identifier: BSD-2-Clause
#include "glue/address_space.hpp"

namespace glue {

using abi::Operation;
using native::invoke;

namespace {
constexpr std::uint64_t flags_of(Access access) {
    if (access == Access::none)
        return 0;
    std::uint64_t flags = abi::map_read; // x86 has no write-only or execute-only pages
    if (has(access, Access::write))
        flags |= abi::map_write;
    if (has(access, Access::execute))
        flags |= abi::map_execute;
    return flags;
}
} // namespace

KernelMemory kernel_memory() {
    auto reply = invoke(Operation::pool_info, start_pool);
    return {reply.second * page_size, reply.value * page_size};
}

Outcome<void> AddressSpace::create() {
    task_ = allocate_selector();
    if (!task_)
        return Failure(Error::no_memory);
    if (auto reply = invoke(Operation::task_create, start_pool, task_, 0, 0); !reply.ok()) {
        free_selector(task_);
        task_ = 0;
        return Failure(reply.error);
    }
    const abi::Selector regions[] = {start_ram, start_image};
    for (unsigned i = 0; i < (start().image_size ? 2u : 1u); ++i) {
        binding_[i] = allocate_selector();
        auto reply = binding_[i] ? invoke(Operation::bind, task_, binding_[i], start_pool, regions[i])
                                 : native::Reply{Error::no_memory, 0, 0};
        if (!reply.ok()) {
            free_selector(binding_[i]);
            binding_[i] = 0;
            destroy();
            return Failure(reply.error);
        }
    }
    return {};
}

void AddressSpace::destroy() {
    if (!task_)
        return;
    (void)invoke(Operation::task_destroy, task_); // its bindings go with it
    free_selector(task_);
    for (auto& binding : binding_) {
        free_selector(binding);
        binding = 0;
    }
    task_ = 0;
}

Outcome<void> AddressSpace::map(UserAddress address, Source source, RamOffset offset, std::size_t pages,
                                Access access) {
    std::uint64_t done = 0;
    while (done < pages) {
        auto reply =
            invoke(Operation::map, binding_[static_cast<unsigned>(source)], address.value + done * page_size,
                   offset.value + done * page_size, pages - done, flags_of(access) | abi::map_replace);
        if (!reply.ok())
            return Failure(reply.error);
        done += reply.value;
    }
    return {};
}

void AddressSpace::unmap(UserAddress address, std::size_t pages) {
    for (std::uint64_t done = 0; done < pages;) {
        auto reply = invoke(Operation::unmap, task_, address.value + done * page_size, pages - done);
        if (!reply.ok())
            return;
        done += reply.value;
    }
}

void AddressSpace::protect(UserAddress address, std::size_t pages, Access access) {
    if (access == Access::none)
        return unmap(address, pages);
    for (std::uint64_t done = 0; done < pages;) {
        auto reply = invoke(Operation::protect, task_, address.value + done * page_size, pages - done,
                            flags_of(access));
        if (!reply.ok())
            return unmap(UserAddress{address.value + done * page_size},
                         pages - done); // fails closed: it faults again
        done += reply.value;
    }
}

} // namespace glue
