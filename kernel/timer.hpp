// SPDX-License-Identifier: BSD-2-Clause
// Things that happen at a time, per core: a leftist heap of nodes embedded in their owners. A node's rank is
// the length of the shortest way down to a missing child, and the left child's is never the smaller; so the
// way down the right side of a heap of n nodes has at most log2(n + 1) steps, which is what inserting and
// removing walk. The earliest node is the root. Nodes of one deadline come out in no particular order.
#pragma once

#include "kernel/inbox.hpp"

namespace kernel {

struct Thread;
struct Notification;

struct TimerNode {
    enum class What : std::uint8_t { timer, replenish, vcpu_wait, timeout };
    Word deadline = 0;
    TimerNode *left = nullptr, *right = nullptr, *parent = nullptr;
    bool queued = false;
    std::uint8_t rank = 1; // at most 64: a heap of rank r has at least 2^r - 1 nodes
    What what;
    explicit TimerNode(What w) : what(w) {}
};

class TimerQueue {
public:
    void insert(TimerNode& node, Word deadline) {
        remove(node);
        node.deadline = deadline;
        node.left = node.right = node.parent = nullptr;
        node.rank = 1;
        node.queued = true;
        root_ = merge(root_, &node);
        root_->parent = nullptr;
    }
    void remove(TimerNode& node) {
        if (!node.queued)
            return;
        node.queued = false;
        TimerNode* parent = node.parent;
        TimerNode* rest = merge(node.left, node.right);
        if (rest)
            rest->parent = parent;
        if (!parent) {
            root_ = rest;
            return;
        }
        (parent->left == &node ? parent->left : parent->right) = rest;
        // Upwards until a rank stays: each that changes is one above its child's, so this too is logarithmic.
        for (; parent && fix(*parent); parent = parent->parent) {
        }
    }
    TimerNode* first() const { return root_; }

private:
    static unsigned rank(const TimerNode* node) { return node ? node->rank : 0; }
    // Restores the order of the children; true if the rank changed.
    static bool fix(TimerNode& node) {
        if (rank(node.left) < rank(node.right)) {
            TimerNode* left = node.left;
            node.left = node.right;
            node.right = left;
        }
        auto now = static_cast<std::uint8_t>(rank(node.right) + 1);
        bool changed = node.rank != now;
        node.rank = now;
        return changed;
    }
    // Merges along the right sides, then restores ranks on the way back up. The root's parent is the caller's
    // business.
    static TimerNode* merge(TimerNode* a, TimerNode* b) {
        if (!a || !b)
            return a ? a : b;
        TimerNode *top = nullptr, *last = nullptr;
        while (a && b) {
            if (b->deadline < a->deadline) {
                TimerNode* other = a;
                a = b;
                b = other;
            }
            a->parent = last;
            (last ? last->right : top) = a;
            last = a;
            a = a->right;
        }
        last->right = a ? a : b;
        last->right->parent = last;
        for (TimerNode* at = last; at; at = at->parent)
            fix(*at);
        return top;
    }

    TimerNode* root_ = nullptr;
};

struct Timer : CoreObject {
    static constexpr Type kind = Type::timer;
    TimerNode node{TimerNode::What::timer};
    Notification* notification = nullptr; // immutable; dies with its pool or clears `armed`
    Word bits = 0;
};

} // namespace kernel
