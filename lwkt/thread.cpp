// SPDX-License-Identifier: BSD-2-Clause
// The memory of threads: one block each, the Thread at its low end, the room of the layer above at its high
// end, and the stack between them.
#include "lwkt/switch.hpp"

#include <bit>

namespace lwkt {

namespace {

constexpr std::size_t round_room(std::size_t room) {
    return (room + 63) & ~std::size_t{63};
}

// Gives pages back in powers of two, as the provider wants them: a stack may have any number.
void release_pages(std::byte* first, std::size_t pages) {
    while (pages != 0) {
        std::size_t part = std::bit_floor(pages);
        page_provider.release(first, part);
        first += part * glue::page_size;
        pages -= part;
    }
}

} // namespace

void free_thread(Thread* thread) {
    thread->fiber.destroy();
    release_pages(thread->stack, thread->stack_size / glue::page_size);
}

Thread* create(ThreadFunction function, void* argument, Priority priority, CpuId cpu, const char* name,
               std::size_t stack_size, std::size_t room) {
    if (cpu.value >= cpu_count() || priority == Priority::idle)
        return nullptr;
    if (stack_size == 0)
        stack_size = glue::default_stack_size;
    std::size_t pages = (stack_size + glue::page_size - 1) / glue::page_size;
    if (pages > 16)
        return nullptr;
    auto* block = static_cast<std::byte*>(page_provider.allocate(std::bit_ceil(pages)));
    if (block == nullptr)
        return nullptr;
    release_pages(block + pages * glue::page_size, std::bit_ceil(pages) - pages);
    auto* thread = new (block) Thread;
    thread->stack = block;
    thread->stack_size = pages * glue::page_size;
    thread->cpu = cpu.value;
    thread->priority = priority;
    thread->function = function;
    thread->argument = argument;
    for (std::size_t i = 0; i + 1 < sizeof thread->name && name[i]; ++i)
        thread->name[i] = name[i];
    std::size_t usable = thread->stack_size - round_room(room);
    if (!thread->fiber.create(block + sizeof(Thread), usable - sizeof(Thread))) {
        release_pages(block, pages);
        return nullptr;
    }
    thread->stack_pointer = arch::prepare_stack(block, usable);
    return thread;
}

void* room_of(Thread* thread, std::size_t room) {
    return thread->stack + thread->stack_size - round_room(room);
}

void destroy_unstarted(Thread* thread) {
    free_thread(thread);
}

} // namespace lwkt
