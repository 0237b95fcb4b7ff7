// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/timer.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <map>
#include <random>
#include <vector>

namespace {

using kernel::TimerNode;
using kernel::TimerQueue;
using kernel::Word;

// The structure's promises, and how many nodes there are.
unsigned check(const TimerNode* node, const TimerNode* parent) {
    if (!node)
        return 0;
    EXPECT_EQ(node->parent, parent);
    EXPECT_TRUE(node->queued);
    if (parent) {
        EXPECT_GE(node->deadline, parent->deadline);
    }
    unsigned left = node->left ? node->left->rank : 0, right = node->right ? node->right->rank : 0;
    EXPECT_GE(left, right);
    EXPECT_EQ(node->rank, right + 1);
    return 1 + check(node->left, node) + check(node->right, node);
}

void expect_bounded(const TimerQueue& queue, unsigned nodes) {
    EXPECT_EQ(check(queue.first(), nullptr), nodes);
    unsigned steps = 0;
    for (const TimerNode* node = queue.first(); node; node = node->right)
        ++steps;
    EXPECT_LE(steps, std::bit_width(nodes)); // log2(n + 1), rounded up
}

std::vector<TimerNode> nodes(std::size_t count) {
    return {count, TimerNode(TimerNode::What::timer)};
}

TEST(TimerQueue, GivesTheEarliestFirst) {
    auto node = nodes(5);
    TimerQueue queue;
    EXPECT_EQ(queue.first(), nullptr);
    const Word deadlines[] = {50, 20, 40, 10, 30};
    for (unsigned i = 0; i < 5; ++i)
        queue.insert(node[i], deadlines[i]);
    for (Word wanted : {10, 20, 30, 40, 50}) {
        EXPECT_EQ(queue.first()->deadline, wanted);
        queue.remove(*queue.first());
    }
    EXPECT_EQ(queue.first(), nullptr);
    queue.remove(node[0]); // not queued: nothing happens
}

TEST(TimerQueue, InsertingAgainMoves) {
    auto node = nodes(2);
    TimerQueue queue;
    queue.insert(node[0], 10);
    queue.insert(node[1], 20);
    queue.insert(node[0], 30);
    EXPECT_EQ(queue.first(), &node[1]);
    expect_bounded(queue, 2);
}

// Orders that make a list or an unbalanced tree long.
TEST(TimerQueue, SortedInputStaysShallow) {
    for (bool rising : {true, false}) {
        auto node = nodes(4096);
        TimerQueue queue;
        for (unsigned i = 0; i < node.size(); ++i)
            queue.insert(node[i], rising ? i : node.size() - i);
        expect_bounded(queue, 4096);
        for (unsigned i = 0; i < node.size(); i += 2)
            queue.remove(node[i]);
        expect_bounded(queue, 2048);
    }
}

TEST(TimerQueue, AgreesWithAMultimap) {
    std::mt19937 random(7);
    auto node = nodes(300);
    TimerQueue queue;
    std::map<std::pair<Word, unsigned>, unsigned> model;
    for (unsigned step = 0; step < 20'000; ++step) {
        unsigned i = random() % node.size();
        if (node[i].queued)
            model.erase({node[i].deadline, i});
        if (random() % 3 == 0) {
            queue.remove(node[i]);
        } else {
            Word deadline = random() % 1000;
            queue.insert(node[i], deadline);
            model[{deadline, i}] = i;
        }
        ASSERT_EQ(queue.first() ? queue.first()->deadline : ~Word{0},
                  model.empty() ? ~Word{0} : model.begin()->first.first);
        if (step % 500 == 0)
            expect_bounded(queue, static_cast<unsigned>(model.size()));
    }
}

} // namespace
