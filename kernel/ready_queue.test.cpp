// SPDX-License-Identifier: BSD-2-Clause
#include <gtest/gtest.h>

#include <deque>
#include <list>
#include <map>
#include <memory>
#include <random>

#include "kernel/core.hpp"

namespace {

using kernel::ReadyQueue;
using kernel::Thread;

// A FIFO for each priority: the first thread is always the model's, and so is the highest priority.
TEST(ReadyQueue, IsAFifoForEachPriority) {
    for (unsigned seed = 1; seed <= 50; ++seed) {
        std::mt19937_64 random(seed);
        auto queue = std::make_unique<ReadyQueue>();
        std::deque<Thread> threads(40);
        std::map<int, std::list<Thread*>, std::greater<>> model;
        unsigned spread = seed % 2 ? 256 : 4; // often several of one priority
        for (unsigned step = 0; step < 5000; ++step) {
            Thread& thread = threads[random() % threads.size()];
            if (thread.ready_queued) {
                queue->remove(thread);
                auto& list = model[thread.priority];
                list.remove(&thread);
                if (list.empty())
                    model.erase(thread.priority);
                ASSERT_FALSE(thread.ready_queued);
            } else {
                thread.priority = static_cast<std::uint8_t>(random() % spread * (spread == 4 ? 63 : 1));
                if (random() % 3 == 0) {
                    queue->push_front(thread);
                    model[thread.priority].push_front(&thread);
                } else {
                    queue->push(thread);
                    model[thread.priority].push_back(&thread);
                }
                ASSERT_TRUE(thread.ready_queued);
            }
            ASSERT_EQ(queue->highest(), model.empty() ? -1 : model.begin()->first)
                << "seed " << seed << " step " << step;
            ASSERT_EQ(queue->first(), model.empty() ? nullptr : model.begin()->second.front())
                << "seed " << seed << " step " << step;
        }
        while (Thread* first = queue->first()) {
            ASSERT_EQ(first, model.begin()->second.front());
            queue->remove(*first);
            model.begin()->second.pop_front();
            if (model.begin()->second.empty())
                model.erase(model.begin());
        }
        ASSERT_TRUE(model.empty());
    }
}

} // namespace
