// SPDX-License-Identifier: BSD-2-Clause
// Making and destroying a child task: everything of it comes from one pool and one piece of RAM, so that it
// can exhaust nothing else and is gone when its pool is.
#pragma once

#include "box/elf.hpp"
#include "box/memory.hpp"
#include "l4-glue/start.hpp"

namespace box {

struct TaskParameters {
    proto::Text name;
    proto::Bytes program;         // ELF
    std::uint64_t memory = 0;     // bytes of RAM, rounded up to 2 MiB
    std::uint64_t pool_pages = 0; // kernel memory
    const Piece* image = nullptr; // read-only image, or none
    Piece shared;                 // memory shared with the box
    unsigned vcpus = 1;
    std::uint32_t cores[abi::max_cores] = {};
    unsigned priority = 0;
    glue::Ticks budget, period;                     // of each scheduling context; period 0: without limit
    std::uint64_t doorbell_bits = 0;                // what the box's notification gets when the child rings
    const abi::Selector* fault_endpoints = nullptr; // one a core of the machine, badged for the child
    const char* arguments = "";
};

class Task {
public:
    // Null and a started task, or why not (the task is gone then).
    const char* start(Memory& memory, const TaskParameters& parameters);
    // Destroys the task and all it made. Its RAM stays with this object's piece for a later start.
    void destroy();
    bool exists() const { return pool_ != 0; }

    void ring() const; // signals the child's start_event
    glue::Ticks consumed() const;
    abi::ThreadState state() const;

    // For what it is given besides: its capability table and what pays; 0 when it does not exist.
    abi::Selector selector() const { return task_; }
    abi::Selector pool() const { return pool_; }
    abi::Selector event() const { return event_origin_; } // its start_event, with all rights

private:
    const char* build(Memory& memory, const TaskParameters& parameters);

    abi::Selector pool_ = 0, task_ = 0, thread_ = 0, event_ = 0, event_origin_ = 0;
    Piece ram_;
};

// The notification that children ring, made by main.
extern abi::Selector box_event;

} // namespace box
