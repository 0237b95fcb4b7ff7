// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/flush.hpp"

#include "kernel/arch/x86_64/apic.hpp"
#include "kernel/arch/x86_64/memory.hpp"
#include "kernel/arch/x86_64/pcid.hpp"
#include "kernel/machine.hpp"
#include "kernel/scheduler.hpp"
#include "kernel/spinlock.hpp"

namespace kernel {

SpinLock structure_lock;

namespace {
Task* flushing; // structure_lock: the space whose translations cores are asked to drop, or which to leave

void load_kernel_space(Core& core) {
    __atomic_store_n(&core.space, nullptr, __ATOMIC_RELAXED);
    arch::write_cr3(machine.kernel_root);
}

void leave_space(Core& core) {
    Task* task = __atomic_load_n(&flushing, __ATOMIC_ACQUIRE);
    for (Thread *thread = core.preempted_guests, *next; thread; thread = next) {
        next = thread->guest_next;
        if (thread->guest_task == task)
            abandon_guest(core, *thread, Error::aborted, abi::Trap::event);
    }
    if (core.space != task)
        return;
    if (core.current && core.current->in_guest && core.current->guest_task == task) {
        leave_guest(core, *core.current, abi::Trap::event);
        core.current->registers.rax = static_cast<Word>(Error::aborted);
    } else {
        load_kernel_space(core);
    }
}
} // namespace

void serve_flush() {
    Core& core = this_core();
    std::uint32_t requested = __atomic_load_n(&core.flush_requested, __ATOMIC_ACQUIRE);
    if (!requested)
        return;
    __atomic_store_n(&core.flush_requested, 0, __ATOMIC_RELAXED);
    if (requested & leave_request)
        leave_space(core);
    arch::flush_tag(__atomic_load_n(&flushing, __ATOMIC_ACQUIRE)->space.cr3());
    __atomic_store_n(&core.flush_completed, core.flush_completed + 1, __ATOMIC_RELEASE);
}

void flush_space(Task& task, bool leave) {
    Core& self = this_core();
    __atomic_store_n(&flushing, &task, __ATOMIC_RELEASE);
    if (leave)
        leave_space(self);
    // With tags any core can have translations of the space, whatever it runs.
    if (leave || machine.pcid || self.space == &task)
        arch::flush_tag(task.space.cr3());
    __atomic_thread_fence(__ATOMIC_SEQ_CST); // tables before the look at other cores
    std::uint32_t before[abi::max_cores];
    bool asked[abi::max_cores] = {};
    for (unsigned i = 0; i < core_count; ++i) {
        Core& core = cores[i];
        if (&core == &self ||
            (!leave && !machine.pcid && __atomic_load_n(&core.space, __ATOMIC_RELAXED) != &task))
            continue;
        before[i] = __atomic_load_n(&core.flush_completed, __ATOMIC_RELAXED);
        asked[i] = true;
        __atomic_store_n(&core.flush_requested, leave ? flush_request | leave_request : flush_request,
                         __ATOMIC_RELEASE);
        arch::send_interrupt(core.apic_id, arch::vector_inbox);
        ++self.counters[static_cast<unsigned>(abi::Counter::shootdowns)];
    }
    for (unsigned i = 0; i < core_count; ++i)
        while (asked[i] && __atomic_load_n(&cores[i].flush_completed, __ATOMIC_ACQUIRE) == before[i])
            arch::pause();
}

void SpinLock::acquire() {
    while (__atomic_exchange_n(&held_, 1, __ATOMIC_ACQUIRE))
        while (__atomic_load_n(&held_, __ATOMIC_RELAXED)) {
            serve_flush();
            arch::pause();
        }
}

Error entry_bits(std::uint32_t rights, Word flags, Word& bits) {
    if (flags & ~Word{abi::map_read | abi::map_write | abi::map_execute | abi::map_uncached |
                      abi::map_replace | abi::map_write_combining})
        return Error::bad_argument;
    if (!(flags & abi::map_read) || (flags & abi::map_uncached && flags & abi::map_write_combining))
        return Error::bad_argument;
    bool write = rights & abi::region_right::write, execute = rights & abi::region_right::execute;
    if ((flags & abi::map_write && !write) || (flags & abi::map_execute && !execute))
        return Error::no_right;
    bits = (write ? PageTable::may_write : 0) | (execute ? PageTable::may_execute : 0);
    if (flags & abi::map_write)
        bits |= PageTable::writable;
    if (!(flags & abi::map_execute))
        bits |= PageTable::no_execute;
    if (flags & abi::map_uncached)
        bits |= PageTable::uncached | PageTable::write_through;
    if (flags & abi::map_write_combining)
        bits |= PageTable::write_combining;
    return Error::ok;
}

Error map_page(Binding& binding, Word address, Word offset, Word flags) {
    Word bits, done;
    if (Error error = entry_bits(binding, flags, bits); error != Error::ok)
        return error;
    if (address >= abi::user_end)
        return Error::bad_address;
    if (offset % abi::page_size || offset >= binding.size)
        return Error::bad_range;
    LockGuard guard(structure_lock);
    Task* task = binding.task;
    if (binding.dying || task->dying) // since it was looked up
        return Error::dead;
    bool flush = false;
    Budget budget(4 * Budget::step); // one page: three tables at most, or one to be split
    Error error = task->space.map(*task->pool, address, binding.base + offset, 1, bits,
                                  flags & abi::map_replace, budget, done, flush);
    if (flush)
        flush_space(*task);
    return error;
}

} // namespace kernel
