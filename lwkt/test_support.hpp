// SPDX-License-Identifier: BSD-2-Clause
// For the tests of this folder: run(cpus, body) starts LWKT on the hosted platform, runs body as the first
// thread and ends when it returns; Group starts threads and waits for them. Nothing here depends on time.
#pragma once

#include "lwkt/callout.hpp"
#include "lwkt/ipiq.hpp"
#include "lwkt/msgport.hpp"
#include "lwkt/slab.hpp"
#include "lwkt/sleepqueue.hpp"
#include "lwkt/spinlock.hpp"
#include "lwkt/token.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace lwkt::test {

inline std::atomic<long> pages_out{0};              // taken from the provider and not given back
inline std::atomic<long> pages_left{1'000'000'000}; // the provider fails when they are used up

inline void* allocate_pages(std::size_t pages) {
    if (pages_left.fetch_sub(static_cast<long>(pages)) < static_cast<long>(pages)) {
        pages_left += static_cast<long>(pages);
        return nullptr;
    }
    pages_out += static_cast<long>(pages);
    return std::aligned_alloc(pages * glue::page_size, pages * glue::page_size);
}
inline void release_pages(void* block, std::size_t pages) {
    pages_left += static_cast<long>(pages);
    pages_out -= static_cast<long>(pages);
    std::free(block);
}

inline void run(unsigned cpus, std::function<void()> body) {
    glue::hosted::set_up(1 << 20, cpus);
    pages_left = 1'000'000'000;
    ASSERT_EQ(pages_out.load(), 0);
    auto first = [](void* argument) {
        (*static_cast<std::function<void()>*>(argument))();
        shutdown();
    };
    PageProvider provider{allocate_pages, release_pages};
    auto result = start(first, &body, provider);
    ASSERT_TRUE(result.ok());
    EXPECT_EQ(pages_out.load(), 0) << "pages were not given back";
}

// Threads that are waited for. Used by one thread.
class Group {
public:
    Thread* spawn(unsigned cpu, std::function<void()> body, Priority priority = Priority::user_normal) {
        auto start = std::make_unique<Start>(Start{this, std::move(body)});
        Thread* thread = create(&Group::main, start.get(), priority, CpuId{cpu}, "test");
        if (thread == nullptr)
            return nullptr;
        starts_.push_back(std::move(start));
        ++left_;
        schedule(thread);
        return thread;
    }
    void wait() {
        while (left_ != 0) {
            tsleep_interlock(this, sleep_plain);
            if (left_ != 0)
                (void)tsleep(this, sleep_interlocked, "group");
            else
                tsleep_remove();
        }
    }
    ~Group() { wait(); }

private:
    struct Start {
        Group* group;
        std::function<void()> body;
    };
    static void main(void* argument) {
        auto& start = *static_cast<Start*>(argument);
        Group* group = start.group;
        start.body();
        start.body = nullptr;
        group->left_--;
        wakeup(group); // only the address
    }
    std::vector<std::unique_ptr<Start>> starts_;
    std::atomic<int> left_{0};
};

inline std::uint64_t next_random(std::uint64_t& state) { // xorshift: the same numbers in every run
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

// Tests that run on 1, 2 and 4 vCPUs.
class OnCpus : public testing::TestWithParam<unsigned> {};
#define LWKT_ON_1_2_4(suite)                                                                                 \
    class suite : public lwkt::test::OnCpus {};                                                              \
    INSTANTIATE_TEST_SUITE_P(Cpus, suite, testing::Values(1u, 2u, 4u), testing::PrintToStringParamName())

} // namespace lwkt::test
