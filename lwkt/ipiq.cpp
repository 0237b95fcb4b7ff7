// SPDX-License-Identifier: BSD-2-Clause
// IPI queues: one ring for each ordered pair of cores. The source core owns the head, the destination the
// tail.
#include "lwkt/arch/x86_64/stack.hpp"
#include "lwkt/globaldata.hpp"

namespace lwkt {

bool try_send_ipiq(CpuId cpu, IpiFunction function, void* argument, std::uintptr_t word) {
    verify(cpu.value < cpu_count());
    CriticalSection critical;
    GlobalData& gd = here();
    if (cpu.value == gd.cpu) {
        function(argument, word);
        return true;
    }
    GlobalData& target = *globaldata_of[cpu.value];
    IpiQueue& queue = target.from[gd.cpu];
    std::uint32_t head = __atomic_load_n(&queue.head, __ATOMIC_RELAXED);
    if (head - __atomic_load_n(&queue.tail, __ATOMIC_ACQUIRE) == ipiq_length) {
        ++gd.ipi_counters.full;
        ktr(KtrEvent::ipi_full, reinterpret_cast<std::uintptr_t>(function), cpu.value);
        return false;
    }
    queue.entries[head % ipiq_length] = {function, argument, word};
    __atomic_store_n(&queue.head, head + 1, __ATOMIC_SEQ_CST);
    ++gd.ipi_counters.sent;
    ktr(KtrEvent::ipi_sent, reinterpret_cast<std::uintptr_t>(function), cpu.value);
    notify(target);
    return true;
}

// Two cores that flood each other both serve their own queues here, so both make room. A core that does not
// answer (descheduled) costs spin_bound PAUSEs once, then L4 time is given away until there is room.
void send_ipiq(CpuId cpu, IpiFunction function, void* argument, std::uintptr_t word) {
    CriticalSection critical;
    GlobalData& gd = here();
    verify(!gd.draining);
    for (unsigned spins = 0; !try_send_ipiq(cpu, function, argument, word);) {
        drain_ipiq(gd);
        arch::pause();
        if (++spins >= spin_bound)
            give_time_away(gd, spins - spin_bound);
    }
}

void drain_ipiq(GlobalData& gd) {
    bool nested = gd.draining;
    gd.draining = true;
    for (unsigned source = 0; source != cpu_count(); ++source) {
        IpiQueue& queue = gd.from[source];
        gd.waker = source;
        for (;;) {
            std::uint32_t tail = __atomic_load_n(&queue.tail, __ATOMIC_RELAXED);
            if (tail == __atomic_load_n(&queue.head, __ATOMIC_ACQUIRE))
                break;
            IpiQueue::Entry entry = queue.entries[tail % ipiq_length];
            __atomic_store_n(&queue.tail, tail + 1, __ATOMIC_RELEASE);
            ++gd.ipi_counters.received;
            ktr(KtrEvent::ipi_run, reinterpret_cast<std::uintptr_t>(entry.function), entry.word);
            entry.function(entry.argument, entry.word);
        }
    }
    gd.draining = nested;
    gd.waker = gd.cpu;
    std::uint64_t buckets = __atomic_exchange_n(&gd.wakeup_overflow, 0, __ATOMIC_SEQ_CST);
    if (buckets)
        wakeup_buckets(gd, buckets);
}

namespace {
struct WaitedCall {
    IpiFunction function;
    void* argument;
    std::uintptr_t word;
    Thread* caller;
};
void run_waited_call(void* argument, std::uintptr_t) {
    WaitedCall call = *static_cast<WaitedCall*>(argument);
    call.function(call.argument, call.word);
    wake_elsewhere(call.caller, inbox_call); // the caller cannot leave before its own core has seen this
}
} // namespace

void call_ipiq(CpuId cpu, IpiFunction function, void* argument, std::uintptr_t word) {
    if (cpu == current_cpu()) {
        CriticalSection critical;
        return function(argument, word);
    }
    Thread* self = current();
    WaitedCall call{function, argument, word, self};
    self->call_done = false;
    send_ipiq(cpu, run_waited_call, &call);
    CriticalSection critical;
    while (!self->call_done)
        lwkt_switch_blocked();
}

IpiStatistics ipiq_statistics(CpuId cpu) {
    return globaldata_of[cpu.value]->ipi_counters;
}

} // namespace lwkt
