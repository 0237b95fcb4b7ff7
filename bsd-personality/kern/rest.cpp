// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/rest.hpp"

#include "lwkt/callout.hpp"

namespace bsd {

namespace {

constexpr std::uint64_t interval = 5'000'000'000;
constexpr std::uint8_t at_rest = 2; // VmSpace::looks_at_rest, when the tables are gone

constinit lwkt::Callout timer; // used by who has set `watching`
bool watching = false;         // atomic: cores race for it

void watch();

void look(void*) {
    lwkt::TokenGuard guard(giant);
    __atomic_store_n(&watching, false, __ATOMIC_SEQ_CST); // before looking: who wakes later watches again
    if (look_for_rest())
        watch();
}

void watch() {
    if (!__atomic_exchange_n(&watching, true, __ATOMIC_SEQ_CST))
        timer.reset(glue::Clock::now() + glue::Nanoseconds{interval}, look, nullptr);
}

// All of its threads sleep, and will take giant before they run. One that has just been made has called
// leave_rest().
bool sleeps(const Proc& proc) {
    for (const Lwp* lwp = proc.lwps.first(); lwp; lwp = proc.lwps.next(lwp)) {
        const auto& state = reinterpret_cast<const std::uint8_t&>(lwp->thread->state); // of another core
        if (__atomic_load_n(&state, __ATOMIC_RELAXED) !=
            static_cast<std::uint8_t>(lwkt::ThreadState::blocked))
            return false;
    }
    return true;
}

} // namespace

void leave_rest(VmSpace& space) {
    __atomic_store_n(&space.looks_at_rest, 0, __ATOMIC_SEQ_CST);
    if (glue::AddressSpace::cheap_to_make)
        watch();
}

bool look_for_rest() {
    bool again = false;
    for (Proc* proc = all_processes.first(); proc; proc = all_processes.next(proc)) {
        VmSpace* space = proc->vmspace;
        if (!space || space->references() != 1) // of a vfork, for example: not for long
            continue;
        if (!sleeps(*proc)) {
            __atomic_store_n(&space->looks_at_rest, 0, __ATOMIC_SEQ_CST);
            again = true;
        } else if (__atomic_load_n(&space->looks_at_rest, __ATOMIC_SEQ_CST) < at_rest) {
            if (++space->looks_at_rest == at_rest)
                space->rest();
            else
                again = true;
        }
    }
    return again;
}

} // namespace bsd
