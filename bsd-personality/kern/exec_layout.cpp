// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/exec_layout.hpp"

#include "bsd-personality/kern/text.hpp"
#include "bsd-personality/vm/vmspace.hpp"

namespace bsd {

namespace {

constexpr std::uint64_t scatter = 4096 * vm::page_size; // of the stack and the shared page
constexpr std::uint64_t large_page = 2 << 20;
// Nothing is placed above: below the hosted stub there is room for what programs map.
constexpr std::uint64_t highest = std::uint64_t{0x5000} << 32;

std::uint64_t align_up(std::uint64_t address, std::uint64_t alignment) {
    return (address + alignment - 1) & ~(alignment - 1);
}

// A multiple of `alignment` in [low, high), or the first one at `low` if there is none.
std::uint64_t somewhere(std::uint64_t low, std::uint64_t high, std::uint64_t alignment, Random& random) {
    low = align_up(low, alignment);
    if (high <= low + alignment)
        return low;
    std::uint64_t number = 0;
    random.fill(&number, sizeof number);
    return low + number % ((high - low) / alignment) * alignment;
}

bool movable(const ElfFile& file) {
    return file.position_independent && file.low == 0;
}

} // namespace

bool wants_aslr(const ElfFile& file, const Abi& abi, MemoryPolicy::Choice choice) {
    if (abi.kind != AbiKind::freebsd || choice == MemoryPolicy::Choice::forced_off ||
        (file.features & ElfFile::no_aslr) != 0)
        return false;
    if (choice == MemoryPolicy::Choice::forced_on)
        return true;
    return file.position_independent ? movable(file) && memory_settings.aslr_of_pie : memory_settings.aslr;
}

ExecLayout choose_layout(const ElfFile& file, const Abi& abi, const LayoutRules& rules, Random& random) {
    ExecLayout layout;
    layout.randomized = rules.randomize;
    const std::uint64_t top = user_address_end - abi.max_stack;
    if (movable(file)) {
        std::uint64_t alignment = most(file.alignment, vm::page_size);
        layout.bias = rules.randomize
                          ? somewhere(vm::page_size + file.high + rules.heap_room, top / 2, alignment, random)
                          : align_up(abi.position_independent_base, alignment);
    }
    layout.heap = vm::round_up(file.high + layout.bias);
    layout.heap_end =
        least(layout.heap + least(rules.heap_room, user_address_end), user_address_end / 2) & ~vm::page_mask;
    layout.stack_end = least(abi.stack_top, abi.sigcode_address);
    layout.stack_top = abi.stack_top;
    layout.shared_page = abi.sigcode_address;
    layout.interpreter = layout.map_base = layout.heap_end;
    if (rules.randomize) {
        std::uint64_t from = layout.heap_end;
        bool room = layout.heap < from && from < highest - 2 * scatter - abi.max_stack;
        if (rules.stack && room) {
            layout.stack_end = somewhere(from, from + scatter, vm::page_size, random) + abi.max_stack;
            layout.stack_top = layout.stack_end - somewhere(0, vm::page_size, sizeof(std::uint64_t), random);
            from = layout.stack_end;
        }
        if (rules.shared_page && room) {
            layout.shared_page = somewhere(from, from + scatter, vm::page_size, random);
            from = layout.shared_page + vm::page_size;
        }
        const std::uint64_t end = least(top / 2 + layout.heap_end / 2, highest);
        layout.map_base = somewhere(from, end, large_page, random);
        layout.interpreter = somewhere(from, end, vm::page_size, random);
    }
    layout.ps_strings = layout.stack_top - (abi.stack_top - abi.ps_strings);
    return layout;
}

ExecLayout layout_for(const Proc& proc, const Abi& abi, const ElfFile& file, bool gains) {
    const MemoryPolicy policy = gains ? MemoryPolicy{} : proc.memory_policy;
    const Limit& data = proc.limits[limit_data];
    LayoutRules rules;
    rules.randomize = wants_aslr(file, abi, policy.aslr);
    rules.stack = memory_settings.aslr_of_stack;
    rules.shared_page = memory_settings.aslr_of_shared_page;
    rules.heap_room =
        least(abi.kind == AbiKind::freebsd ? data.maximum : data.current, std::uint64_t{32} << 30);
    return choose_layout(file, abi, rules, random_source);
}

unsigned random_stack_gap() {
    constexpr std::uint32_t align = 16;
    const std::int32_t setting = memory_settings.stack_gap;
    std::uint32_t gap = 0;
    if (setting > 0) {
        random_source.fill(&gap, sizeof gap);
        gap &= static_cast<std::uint32_t>(setting) - 1;
    } else {
        gap = static_cast<std::uint32_t>(-setting);
    }
    return (gap + align - 1) & ~(align - 1);
}

} // namespace bsd
