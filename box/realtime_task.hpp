// SPDX-License-Identifier: BSD-2-Clause
// A realtime task as the box sees it: admitted, started, and read out through the memory shared with it.
#pragma once

#include "box/task.hpp"
#include "proto/manifest.hpp"
#include "proto/realtime.hpp"

namespace box {

class RealtimeTask {
public:
    /// `others` is how much of the core's time (in millionths) earlier tasks were promised; more than 90 % in
    /// all is refused. On failure the task has a reason and does not run.
    void start(Memory& memory, const proto::RealtimeManifest& task, proto::Bytes program,
               std::uint64_t others, const abi::Selector* fault_endpoints, std::uint32_t cores);
    void fail(const proto::RealtimeManifest& task, const char* reason);
    void crashed();

    [[nodiscard]] const proto::RealtimeManifest& manifest() const { return *manifest_; }
    [[nodiscard]] std::uint64_t utilization() const {
        return manifest_->budget_ns * 1'000'000 / manifest_->period_ns;
    }
    /// "key value" lines: state, activations, missed, median_ns, p99_ns, maximum_ns.
    proto::Text status_text(char* out, std::size_t capacity) const;
    /// "latency_ns count" lines of all buckets that are not empty.
    proto::Text histogram_text(char* out, std::size_t capacity) const;

private:
    const proto::RealtimeManifest* manifest_ = nullptr;
    Task task_;
    Piece piece_;
    const proto::RealtimeShared* shared_ = nullptr;
    const char* reason_ = nullptr;
};

} // namespace box
