// SPDX-License-Identifier: BSD-2-Clause
#include "box/memory.hpp"

#include <cstring>

#include "glue/address_space.hpp"
#include "kernel/abi/boot_module.hpp"

namespace box {

using abi::Operation;
using glue::native::check;
using glue::native::invoke;

namespace {

// Each region has a terabyte of the box's address space.
constexpr std::uint64_t window(unsigned i) {
    return std::uint64_t{i + 1} << 40;
}

Outcome<std::byte*> map_region(abi::Selector region, std::uint64_t size, std::uint64_t address,
                               std::uint64_t flags) {
    abi::Selector binding = glue::allocate_selector();
    TRY(check(invoke(Operation::bind, abi::root_task, binding, abi::root_pool, region)));
    for (std::uint64_t done = 0; done < size / abi::page_size;) {
        auto reply = invoke(Operation::map, binding, address + done * abi::page_size, done * abi::page_size,
                            size / abi::page_size - done, flags);
        TRY(check(reply));
        done += reply.value;
    }
    return reinterpret_cast<std::byte*>(address);
}

} // namespace

const abi::BootInformation& boot_information() {
    return *reinterpret_cast<const abi::BootInformation*>(abi::root_boot_address);
}

Outcome<void> Memory::initialize() {
    const auto& boot = boot_information();
    for (unsigned i = 0; i < boot.ram_regions; ++i) {
        auto region = static_cast<abi::Selector>(abi::root_ram + i);
        std::byte* data =
            TRY(map_region(region, boot.ram_size[i], window(i), abi::map_read | abi::map_write));
        ranges_[count_++] = {region, boot.ram_size[i], 0, data};
        total_ += boot.ram_size[i];
    }
    std::uint64_t module = (boot.module_size + abi::page_size - 1) & ~(abi::page_size - 1);
    const std::byte* start = TRY(map_region(abi::root_module, module, window(count_), abi::map_read));
    if (boot.module_size < sizeof(abi::BootModuleHeader))
        return Failure(glue::Error::bad_range);
    abi::BootModuleHeader header;
    std::memcpy(&header, start, sizeof header);
    if (header.payload_offset > boot.module_size ||
        header.payload_size > boot.module_size - header.payload_offset)
        return Failure(glue::Error::bad_range);
    payload_ = {reinterpret_cast<const std::uint8_t*>(start) + header.payload_offset, header.payload_size};
    return {};
}

Outcome<Piece> Memory::take(std::uint64_t size, std::uint64_t alignment) {
    size = (size + alignment - 1) & ~(alignment - 1);
    for (unsigned i = 0; i < count_; ++i) {
        Range& range = ranges_[i];
        std::uint64_t offset = (range.used + alignment - 1) & ~(alignment - 1);
        if (offset > range.size || size > range.size - offset)
            continue;
        range.used = offset + size;
        return Piece{range.region, offset, size, range.data + offset};
    }
    return Failure(glue::Error::no_memory);
}

Outcome<abi::Selector> Memory::carve(const Piece& piece, abi::Selector pool, std::uint32_t rights) const {
    abi::Selector made = glue::allocate_selector();
    TRY(check(invoke(Operation::region_carve, piece.region, made, pool, piece.offset, piece.size, rights)));
    return made;
}

std::uint64_t Memory::free() const {
    std::uint64_t sum = 0;
    for (unsigned i = 0; i < count_; ++i)
        sum += ranges_[i].size - ranges_[i].used;
    return sum;
}

} // namespace box
