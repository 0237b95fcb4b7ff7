// SPDX-License-Identifier: BSD-2-Clause
// Things that happen at a time, per core: a sorted list of nodes embedded in their owners.
#pragma once

#include "kernel/inbox.hpp"

namespace kernel {

struct Thread;
struct Notification;

struct TimerNode {
    enum class What : std::uint8_t { timer, replenish, vcpu_wait };
    Word deadline = 0;
    TimerNode *next = nullptr, *previous = nullptr;
    bool queued = false;
    What what;
    explicit TimerNode(What w) : what(w) {}
};

class TimerQueue {
public:
    void insert(TimerNode& node, Word deadline) {
        remove(node);
        node.deadline = deadline;
        TimerNode* before = nullptr;
        TimerNode* at = first_;
        while (at && at->deadline <= deadline) {
            before = at;
            at = at->next;
        }
        node.next = at;
        node.previous = before;
        (before ? before->next : first_) = &node;
        if (at)
            at->previous = &node;
        node.queued = true;
    }
    void remove(TimerNode& node) {
        if (!node.queued)
            return;
        (node.previous ? node.previous->next : first_) = node.next;
        if (node.next)
            node.next->previous = node.previous;
        node.queued = false;
    }
    TimerNode* first() const { return first_; }

private:
    TimerNode* first_ = nullptr;
};

struct Timer : CoreObject {
    static constexpr Type kind = Type::timer;
    TimerNode node{TimerNode::What::timer};
    Notification* notification = nullptr; // immutable; dies with its pool or clears `armed`
    Word bits = 0;
};

} // namespace kernel
