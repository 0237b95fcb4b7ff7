// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/trace.hpp"

#include "kernel/create.hpp"
#include "kernel/panic.hpp"
#include "kernel/scheduler.hpp"

namespace kernel {

namespace {
const Trace* traces[abi::max_cores]; // structure_lock: one a core
constexpr int page_cost = 60;        // of taking one that need not be cleared
} // namespace

void record(Core& core, abi::Event event, const Thread* thread, Word first, Word second) {
    Trace& trace = *core.trace;
    if (!(__atomic_load_n(&trace.mask, __ATOMIC_RELAXED) >> static_cast<unsigned>(event) & 1))
        return;
    Word number = trace.written;
    trace.at(number) = {arch::read_tsc(), event, number_of(thread), first, second};
    __atomic_store_n(&trace.written, number + 1, __ATOMIC_RELEASE);
}

namespace {
void note_switch(Core& core, Thread* next) {
    Trace& trace = *core.trace;
    if (next != trace.last)
        record(core, abi::Event::thread_switch, next, number_of(trace.last), next ? next->priority : 0);
    trace.last = next;
}
} // namespace

void trace_idle(Core& core) {
    note_switch(core, nullptr);
    core.trace->last_in_guest = false;
}

// leave_kernel, of a traced core: who goes on, and with what.
extern "C" void trace_leave(Core& core) {
    Trace& trace = *core.trace;
    Thread& next = *core.current;
    bool same = trace.last == &next, was_in_guest = same && trace.last_in_guest;
    note_switch(core, &next);
    trace.last_in_guest = core.in_guest;
    const Registers& r = next.registers;
    if (core.in_guest) {
        if (!was_in_guest)
            record(core, abi::Event::vcpu_run, &next, number_of(next.guest_task), next.vcpu->page->user.rip);
    } else if (r.vector == abi::vector_system_call) {
        record(core, was_in_guest ? abi::Event::vcpu_trap : abi::Event::system_return, &next,
               was_in_guest ? r.rdx : r.rax, was_in_guest ? next.vcpu->page->user.rip : r.rdx);
    }
}

// The system-call entry of a traced core.
extern "C" void trace_system_call() {
    Core& core = this_core();
    const Registers& r = core.current->registers;
    record(core, abi::Event::system_call, core.current, r.rax, r.rdi);
}
extern "C" void leave_guest_traced() {
    Core& core = this_core();
    leave_guest(core, *core.current, abi::Trap::system_call);
}

void apply_mask(Core& core, Trace& trace) {
    bool on = __atomic_load_n(&trace.mask, __ATOMIC_RELAXED) != 0;
    core.trace = &trace;
    core.traced = on;
    trace.last = core.current;
    trace.last_in_guest = core.in_guest;
    arch::set_system_call_entry(on);
}

void end_trace(Core& core, Trace& trace) {
    if (core.trace != &trace)
        return;
    core.traced = false;
    core.trace = nullptr;
    arch::set_system_call_entry(false);
}

void release_core(const Trace& trace) {
    if (traces[trace.core] == &trace)
        traces[trace.core] = nullptr;
}

void print_trace(const Core& core, unsigned most) {
    const Trace* trace = core.trace;
    if (!trace || !trace->written)
        return;
    Word end = trace->written, from = trace->first(end);
    for (from = end - from > most ? end - most : from; from < end; ++from) {
        const abi::TraceEvent& event = trace->at(from);
        console_write("\n  event ");
        console_decimal(event.ticks);
        console_write(" ");
        console_write(abi::event_names[static_cast<unsigned>(event.event)]);
        console_write(" thread ");
        console_decimal(event.thread);
        console_write(" ");
        console_hex(event.first);
        console_write(" ");
        console_hex(event.second);
    }
}

// trace_create(slot, pool, core, pages)
void invoke_trace_create(Core&, Thread& thread) {
    Registers& r = thread.registers;
    LockGuard guard(structure_lock);
    reclaim();
    Lookup<Observer> observer(thread, r.rdi, abi::observer_right::trace);
    if (!observer)
        return reply(r, observer.error);
    Lookup<Pool> pool(thread, r.rdx, abi::pool_right::create);
    if (!pool)
        return reply(r, pool.error);
    Word core = r.r10, pages = r.r8;
    if (core >= core_count || pages == 0 || pages > Trace::max_pages)
        return reply(r, Error::bad_argument);
    if (traces[core])
        return reply(r, Error::wrong_state);
    Budget budget;
    if (Error error =
            thread.task->table.reserve(*thread.task->pool, static_cast<Selector>(r.rsi), nullptr, budget);
        error != Error::ok)
        return reply_or_wait(r, error, *thread.task->pool);
    if (!budget.take(static_cast<int>(pages) * page_cost)) // the page of the slot was enough for one step
        return restart(r);
    auto* trace = make<Trace>(*pool);
    bool enough = trace;
    for (Word i = 0; enough && i < pages; ++i) {
        trace->pages[i] = static_cast<abi::TraceEvent*>(pool->allocate_page_uncleared());
        enough = trace->pages[i];
    }
    if (!enough) {
        if (trace)
            discard(*trace);
        return reply_or_wait(r, Error::no_memory, *pool);
    }
    trace->core = static_cast<std::uint8_t>(core);
    trace->capacity = static_cast<unsigned>(pages) * Trace::events_per_page;
    traces[core] = trace;
    thread.task->table.put(static_cast<Selector>(r.rsi), *trace, abi::trace_right::all, 0, nullptr);
    reply(r, Error::ok);
}

// trace_control(mask)
void invoke_trace_control(Core& core, Thread& thread) {
    Registers& r = thread.registers;
    Lookup<Trace> trace(thread, r.rdi, abi::trace_right::control);
    if (!trace)
        return reply(r, trace.error);
    if (r.rsi >> abi::event_count)
        return reply(r, Error::bad_argument);
    reply(r, Error::ok);
    __atomic_store_n(&trace->mask, r.rsi, __ATOMIC_RELAXED);
    if (trace->core == core.index)
        apply_mask(core, *trace);
    else
        send_request(*trace, request_trace);
}

// trace_read(from) -> count, first
void invoke_trace_read(Core&, Thread& thread) {
    Registers& r = thread.registers;
    Lookup<Trace> trace(thread, r.rdi, abi::trace_right::read);
    if (!trace)
        return reply(r, trace.error);
    constexpr Word most = abi::message_words * sizeof(Word) / sizeof(abi::TraceEvent);
    auto* out = reinterpret_cast<abi::TraceEvent*>(thread.buffer->words);
    Word end = __atomic_load_n(&trace->written, __ATOMIC_ACQUIRE), first = trace->first(end);
    first = r.rsi > first ? r.rsi : first;
    Word count = first >= end ? 0 : end - first < most ? end - first : most;
    for (Word i = 0; i < count; ++i)
        out[i] = trace->at(first + i);
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    // The core may have written over some of them meanwhile: then there is nothing, and newer ones are left.
    Word left = trace->first(__atomic_load_n(&trace->written, __ATOMIC_RELAXED));
    if (first < left && count > 0) {
        first = left;
        count = 0;
    }
    reply(r, Error::ok, count);
    r.rsi = first;
}

// object_number(object) -> number
void invoke_object_number(Core&, Thread& thread) {
    Registers& r = thread.registers;
    Lookup<Observer> observer(thread, r.rdi, abi::observer_right::trace);
    if (!observer)
        return reply(r, observer.error);
    auto found = thread.task->table.find(static_cast<Selector>(r.rsi));
    if (!found.object)
        return reply(r, Error::bad_capability);
    reply(r, Error::ok, number_of(found.object));
}

// counter_read(core, counter) -> value
void invoke_counter_read(Core&, Thread& thread) {
    Registers& r = thread.registers;
    Lookup<Observer> observer(thread, r.rdi, abi::observer_right::count);
    if (!observer)
        return reply(r, observer.error);
    if (r.rsi >= core_count || r.rdx >= abi::counter_count)
        return reply(r, Error::bad_argument);
    bool is_clock = static_cast<abi::Counter>(r.rdx) == abi::Counter::ticks;
    reply(r, Error::ok,
          is_clock ? arch::read_tsc() : __atomic_load_n(&cores[r.rsi].counters[r.rdx], __ATOMIC_RELAXED));
}

} // namespace kernel
