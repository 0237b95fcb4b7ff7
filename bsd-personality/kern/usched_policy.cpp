// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/usched_policy.hpp"

namespace bsd {

namespace {

constexpr std::uint64_t shortest_interval = 1'000'000;
constexpr unsigned nice_range = 96; // priorities from the best nice value to the worst: 24 queues

// value * 2^(-elapsed/half_life), by straight lines between whole half-lives.
std::uint32_t faded(std::uint32_t value, std::uint64_t elapsed) {
    std::uint64_t whole = elapsed / CpuEstimate::half_life, rest = elapsed % CpuEstimate::half_life;
    if (whole >= 32)
        return 0;
    std::uint64_t left = value >> whole;
    return static_cast<std::uint32_t>(left - left * rest / (2 * CpuEstimate::half_life));
}

bool has(std::uint64_t mask, unsigned bit) {
    return (mask >> bit & 1) != 0;
}

// How long the way to user mode is there; behind a thread of a better class it has no end.
unsigned wait_on(const CpuLoad& load, UserPriority priority) {
    constexpr unsigned endless = 0x1'0000;
    return load.threads() + (class_of(load.running) < class_of(priority) ? endless : 0);
}

} // namespace

std::uint32_t CpuEstimate::at(std::uint64_t consumed, std::uint64_t now) const {
    if (now <= at_)
        return value_;
    std::uint64_t elapsed = now - at_, used = consumed > consumed_ ? consumed - consumed_ : 0;
    if (used > elapsed)
        used = elapsed;
    // The stretch's own share of a processor has the weight that the old value loses.
    std::uint32_t kept = faded(value_, elapsed), weight = maximum - faded(maximum, elapsed);
    while (used >> 32 != 0) // no product below may overflow
        used >>= 1, elapsed >>= 1;
    std::uint64_t result = kept + weight * used / elapsed;
    return result < maximum ? static_cast<std::uint32_t>(result) : maximum;
}

void CpuEstimate::update(std::uint64_t consumed, std::uint64_t now) {
    if (now < at_ + shortest_interval)
        return;
    value_ = at(consumed, now);
    consumed_ = consumed;
    at_ = now;
}

void CpuEstimate::inherit(CpuEstimate& parent, std::uint64_t now) {
    value_ = parent.value_ + a_queue < maximum ? parent.value_ + a_queue : maximum;
    consumed_ = 0;
    at_ = now;
    parent.value_ = parent.value_ + a_queue / 16 < maximum ? parent.value_ + a_queue / 16 : maximum;
}

UserPriority user_priority(SchedulingClass scheduling, int nice, std::uint32_t estimate) {
    unsigned base = realtime_base, within = scheduling.level * priorities_a_queue;
    switch (scheduling.kind) {
    case SchedulingKind::realtime:
    case SchedulingKind::fifo:
        break;
    case SchedulingKind::idle:
        base = idle_base;
        break;
    case SchedulingKind::normal:
        base = normal_base;
        within = static_cast<unsigned>(nice - best_nice) * nice_range / (worst_nice - best_nice + 1) +
                 estimate * priorities_a_queue / CpuEstimate::a_queue;
        break;
    }
    return static_cast<UserPriority>(base + (within < priorities_a_class ? within : priorities_a_class - 1));
}

void UserQueue::insert(Schedulable& item, bool first) {
    item.queue = static_cast<std::uint8_t>(queue_of(item.priority));
    first ? queues_[item.queue].push_front(&item) : queues_[item.queue].push_back(&item);
    bits_[item.queue / 64] |= std::uint64_t{1} << item.queue % 64;
    size_++;
}

void UserQueue::remove(Schedulable& item) {
    queues_[item.queue].remove(&item);
    if (queues_[item.queue].empty())
        bits_[item.queue / 64] &= ~(std::uint64_t{1} << item.queue % 64);
    size_--;
}

Schedulable* UserQueue::first_from(unsigned queue) const {
    for (unsigned word = queue / 64; word < 2; word++) {
        std::uint64_t bits = word == queue / 64 ? bits_[word] & ~std::uint64_t{0} << queue % 64 : bits_[word];
        if (bits != 0)
            return queues_[word * 64 + static_cast<unsigned>(__builtin_ctzl(bits))].first();
    }
    return nullptr;
}

Schedulable* UserQueue::best() const {
    return first_from(0);
}

Schedulable* UserQueue::best_for(unsigned cpu) const {
    for (const auto& queue : queues_)
        for (Schedulable* item = queue.first(); item != nullptr; item = queue.next(item))
            if (item->allowed(cpu))
                return item;
    return nullptr;
}

Schedulable* UserQueue::longest_waiting(const Schedulable& rival) const {
    Schedulable* longest = nullptr;
    if (class_of(rival.priority) != class_of(normal_base))
        return longest;
    for (Schedulable* item = first_from(queue_of(normal_base));
         item != nullptr && item->queue < queue_of(idle_base); item = first_from(item->queue + 1u))
        if (item->nice <= rival.nice && (longest == nullptr || item->queued_at < longest->queued_at))
            longest = item;
    return longest;
}

unsigned choose_cpu(const CpuLoad* loads, unsigned count, std::uint64_t affinity, unsigned home,
                    unsigned waker, UserPriority priority) {
    affinity &= (std::uint64_t{1} << count) - 1;
    if (affinity == 0)
        return home;
    if (has(affinity, home) && loads[home].free())
        return home;
    if (waker < count && has(affinity, waker) && loads[waker].free())
        return waker;
    unsigned least = count, worse = count;
    for (unsigned cpu = 0; cpu != count; cpu++) {
        if (!has(affinity, cpu))
            continue;
        if (loads[cpu].free())
            return cpu;
        if (class_of(priority) < class_of(loads[cpu].running) &&
            (worse == count || loads[cpu].running > loads[worse].running))
            worse = cpu;
        if (least == count || wait_on(loads[cpu], priority) < wait_on(loads[least], priority))
            least = cpu;
    }
    if (has(affinity, home) && displaces(priority, loads[home].running))
        return home;
    if (worse != count)
        return worse;
    if (has(affinity, home) && wait_on(loads[home], priority) < wait_on(loads[least], priority) + 2)
        return home;
    return least;
}

unsigned busiest_cpu(const CpuLoad* loads, unsigned count, unsigned self) {
    unsigned busiest = self;
    for (unsigned cpu = 0; cpu != count; cpu++)
        if (cpu != self && loads[cpu].queued != 0 &&
            (busiest == self || loads[cpu].queued > loads[busiest].queued))
            busiest = cpu;
    return busiest;
}

unsigned rebalance(const CpuLoad* loads, unsigned count, std::uint64_t affinity, unsigned home,
                   bool settled) {
    unsigned least = home;
    if (loads[home].queued == 0)
        return home;
    for (unsigned cpu = 0; cpu != count; cpu++)
        if (has(affinity, cpu) && loads[cpu].threads() < loads[least].threads())
            least = cpu;
    return loads[least].threads() + (settled ? 1 : 2) <= loads[home].threads() ? least : home;
}

} // namespace bsd
