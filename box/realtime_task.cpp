// SPDX-License-Identifier: BSD-2-Clause
#include "box/realtime_task.hpp"

#include "box/clock.hpp"
#include "box/log.hpp"
#include "box/text_writer.hpp"

#include <cstring>

namespace box {

namespace {

constexpr std::uint64_t task_memory = 2 << 20;
constexpr std::uint64_t task_pool_pages = 256;
constexpr std::uint64_t admitted_limit = 900'000; // millionths of a core

} // namespace

void RealtimeTask::fail(const proto::RealtimeManifest& task, const char* reason) {
    manifest_ = &task;
    reason_ = reason;
    char line[160];
    TextWriter text(line, sizeof line);
    text << "realtime " << task.name << ": " << reason;
    log(text.text());
}

void RealtimeTask::start(Memory& memory, const proto::RealtimeManifest& task, proto::Bytes program,
                         std::uint64_t others, const abi::Selector* fault_endpoints, std::uint32_t cores) {
    manifest_ = &task;
    if (task.core >= cores)
        return fail(task, "core: the box has not that many");
    if (others + utilization() > admitted_limit)
        return fail(task,
                    "budget_ns: not admitted, the core's realtime tasks would need more than 90 % of it");
    auto piece = memory.take(sizeof(proto::RealtimeShared), abi::page_size);
    if (!piece.ok())
        return fail(task, "memory: the box has not that much left");
    piece_ = piece.value();
    std::memset(piece_.data, 0, piece_.size);
    auto* shared = reinterpret_cast<proto::RealtimeShared*>(piece_.data);
    shared->magic = proto::realtime_magic;
    shared->period_ns = task.period_ns;
    shared_ = shared;
    TaskParameters p;
    p.name = task.name;
    p.program = program;
    p.memory = task_memory;
    p.pool_pages = task_pool_pages;
    p.shared = piece_;
    p.cores[0] = task.core;
    p.priority = task.priority;
    p.budget = glue::Ticks{ticks_of(task.budget_ns)};
    p.period = glue::Ticks{ticks_of(task.period_ns)};
    p.fault_endpoints = fault_endpoints;
    if (const char* reason = task_.start(memory, p))
        fail(task, reason);
}

void RealtimeTask::crashed() {
    fail(*manifest_, "the task crashed");
    task_.destroy();
}

proto::Text RealtimeTask::status_text(char* out, std::size_t capacity) const {
    TextWriter text(out, capacity);
    if (reason_ != nullptr || shared_ == nullptr) {
        text << "state failed: " << (reason_ != nullptr ? reason_ : "not started") << "\n";
        return text.text();
    }
    static const char* states[] = {"starting", "running", "stopped", "failed"};
    const std::uint32_t state = __atomic_load_n(&shared_->state, __ATOMIC_RELAXED);
    const std::uint64_t activations = __atomic_load_n(&shared_->activations, __ATOMIC_ACQUIRE);
    std::uint64_t seen = 0;
    std::uint64_t median = 0;
    std::uint64_t p99 = 0;
    for (unsigned i = 0; i < proto::latency_buckets; i++) {
        const std::uint64_t before = seen;
        seen += __atomic_load_n(&shared_->buckets[i], __ATOMIC_RELAXED);
        if (before * 2 < activations && seen * 2 >= activations)
            median = proto::latency_bucket_end(i);
        if (before * 100 < activations * 99 && seen * 100 >= activations * 99)
            p99 = proto::latency_bucket_end(i);
    }
    text << "state " << states[state & 3] << "\nactivations " << activations << "\nmissed "
         << __atomic_load_n(&shared_->missed, __ATOMIC_RELAXED) << "\nmedian_ns " << median << "\np99_ns "
         << p99 << "\nmaximum_ns " << __atomic_load_n(&shared_->maximum_ns, __ATOMIC_RELAXED) << "\n";
    return text.text();
}

proto::Text RealtimeTask::histogram_text(char* out, std::size_t capacity) const {
    TextWriter text(out, capacity);
    for (unsigned i = 0; shared_ != nullptr && i < proto::latency_buckets; i++)
        if (const std::uint32_t count = __atomic_load_n(&shared_->buckets[i], __ATOMIC_RELAXED); count != 0)
            text << proto::latency_bucket_end(i) << " " << std::uint64_t{count} << "\n";
    return text.text();
}

} // namespace box
