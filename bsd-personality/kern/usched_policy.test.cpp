// SPDX-License-Identifier: BSD-2-Clause
// What the user scheduler decides, and what comes of it: small machines whose time passes in the test.
#include "bsd-personality/kern/usched_policy.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <vector>

namespace bsd {
namespace {

constexpr std::uint64_t millisecond = 1'000'000, second = 1'000 * millisecond;
constexpr SchedulingClass normal{}, realtime_last{SchedulingKind::realtime, 31},
    idle_first{SchedulingKind::idle, 0};

TEST(UserPriority, ClassesAreApart) {
    EXPECT_LT(user_priority(realtime_last, 0, 0), user_priority(normal, best_nice, 0));
    EXPECT_LT(user_priority(normal, worst_nice, CpuEstimate::maximum),
              user_priority(idle_first, best_nice, 0));
    EXPECT_LT(user_priority({SchedulingKind::idle, 31}, 0, 0), nobody_priority);
    EXPECT_EQ(class_of(user_priority(normal, worst_nice, CpuEstimate::maximum)), 1u);
}

TEST(UserPriority, LevelsAreQueues) {
    for (std::uint8_t level = 0; level != 31; level++) {
        SchedulingClass better{SchedulingKind::realtime, level},
            worse{SchedulingKind::fifo, std::uint8_t(level + 1)};
        EXPECT_TRUE(displaces(user_priority(better, 0, 0), user_priority(worse, 0, 0)));
    }
}

TEST(UserPriority, NiceAndUseMakeItWorse) {
    for (int nice = best_nice; nice < worst_nice; nice++)
        EXPECT_LT(user_priority(normal, nice, 0), user_priority(normal, nice + 1, 0));
    EXPECT_TRUE(displaces(user_priority(normal, 0, 0), user_priority(normal, 0, CpuEstimate::a_queue)));
    EXPECT_FALSE(displaces(user_priority(normal, 0, 0), user_priority(normal, 0, CpuEstimate::a_queue / 8)));
}

TEST(CpuEstimate, FollowsWhatIsUsed) {
    CpuEstimate estimate;
    std::uint64_t now = 0, used = 0;
    auto run = [&](std::uint64_t time, unsigned percent) {
        for (std::uint64_t end = now + time; now < end;) {
            now += 10 * millisecond;
            used += 10 * millisecond * percent / 100;
            estimate.update(used, now);
        }
        return estimate.value() * 100 / CpuEstimate::maximum;
    };
    EXPECT_GT(run(second, 100), 60u);
    EXPECT_GT(run(4 * second, 100), 95u);
    EXPECT_NEAR(run(5 * second, 50), 50, 3);
    EXPECT_NEAR(run(5 * second, 10), 10, 3);
    EXPECT_LT(run(5 * second, 0), 2u);
}

TEST(CpuEstimate, OneLongSleepIsLikeManyShortOnes) {
    CpuEstimate estimate;
    estimate.update(5 * second, 5 * second);
    EXPECT_GT(estimate.value(), CpuEstimate::maximum * 9 / 10);
    EXPECT_LE(estimate.at(5 * second, 7 * second), CpuEstimate::maximum / 15);
    EXPECT_EQ(estimate.at(5 * second, 1000 * second), 0u);
    EXPECT_EQ(estimate.at(5 * second, 4 * second), estimate.value()) << "time does not go back";
    EXPECT_LE(estimate.at(~std::uint64_t{0}, ~std::uint64_t{0}), CpuEstimate::maximum);
}

TEST(CpuEstimate, ShortIntervalsWait) {
    CpuEstimate estimate;
    estimate.update(millisecond / 2, millisecond / 2);
    EXPECT_EQ(estimate.value(), 0u);
    estimate.update(millisecond, millisecond);
    EXPECT_GT(estimate.value(), 0u);
}

TEST(CpuEstimate, AChildCostsItsParent) {
    CpuEstimate parent, child;
    child.inherit(parent, second);
    EXPECT_GT(child.value(), parent.value());
    EXPECT_GT(parent.value(), 0u);
    for (int i = 0; i != 1000; i++)
        child.inherit(parent, second);
    EXPECT_LE(child.value(), CpuEstimate::maximum);
    EXPECT_LE(parent.value(), CpuEstimate::maximum);
}

TEST(UserQueue, BestFirstThenFirstIn) {
    UserQueue queue;
    Schedulable items[4];
    items[0].priority = user_priority(idle_first, 0, 0);
    items[1].priority = items[2].priority = user_priority(normal, 0, 0);
    items[3].priority = user_priority(realtime_last, 0, 0);
    for (Schedulable& item : items)
        queue.insert(item);
    EXPECT_EQ(queue.size(), 4u);
    for (Schedulable* expected : {&items[3], &items[1], &items[2], &items[0]}) {
        ASSERT_EQ(queue.best(), expected);
        queue.remove(*expected);
        EXPECT_FALSE(expected->queued());
    }
    EXPECT_EQ(queue.best(), nullptr);
    EXPECT_EQ(queue.size(), 0u);
}

TEST(UserQueue, AChangedPriorityDoesNotLoseAQueuedThread) {
    UserQueue queue;
    Schedulable item;
    queue.insert(item);
    item.priority = user_priority(idle_first, 0, 0); // changed while it waits
    queue.remove(item);
    EXPECT_EQ(queue.best(), nullptr);
}

TEST(UserQueue, AffinityIsRespectedWhenOthersAsk) {
    UserQueue queue;
    Schedulable here, anywhere;
    here.priority = user_priority(realtime_last, 0, 0);
    here.affinity = 1;
    queue.insert(here);
    EXPECT_EQ(queue.best_for(1), nullptr);
    queue.insert(anywhere);
    EXPECT_EQ(queue.best_for(1), &anywhere);
    EXPECT_EQ(queue.best_for(0), &here);
}

TEST(UserQueue, WhoWaitsLongestIsLookedForBehindEstimatesOnly) {
    UserQueue queue;
    std::deque<Schedulable> items(5);
    auto add = [&](Schedulable& item, SchedulingClass kind, int nice, std::uint32_t estimate,
                   std::uint64_t at) {
        item.nice = nice;
        item.priority = user_priority(kind, nice, estimate);
        item.queued_at = at;
        queue.insert(item);
    };
    Schedulable rival;
    rival.priority = user_priority(normal, 0, 0);
    EXPECT_EQ(queue.longest_waiting(rival), nullptr);
    add(items[0], normal, 0, 0, 50);
    EXPECT_EQ(queue.longest_waiting(rival), &items[0]);
    add(items[1], normal, 0, CpuEstimate::maximum, 20);
    EXPECT_EQ(queue.longest_waiting(rival), &items[1]);
    add(items[2], normal, 1, 0, 10); // nicer than the rival
    add(items[3], idle_first, 0, 0, 10);
    add(items[4], realtime_last, 0, 0, 10); // comes first anyhow
    EXPECT_EQ(queue.longest_waiting(rival), &items[1]);
    rival.nice = 1;
    EXPECT_EQ(queue.longest_waiting(rival), &items[2]);
    rival.priority = user_priority(realtime_last, 0, 0);
    EXPECT_EQ(queue.longest_waiting(rival), nullptr);
    rival.priority = user_priority(idle_first, 0, 0);
    EXPECT_EQ(queue.longest_waiting(rival), nullptr);
    for (Schedulable& item : items)
        queue.remove(item);
}

TEST(UserQueue, EachQueueIsFound) {
    UserQueue queue;
    std::deque<Schedulable> items(96);
    for (unsigned i = 0; i != 96; i++) {
        items[i].priority = static_cast<UserPriority>(i * priorities_a_queue);
        queue.insert(items[i]);
    }
    for (unsigned i = 0; i != 96; i++)
        EXPECT_EQ(queue.first_from(i), &items[i]);
    EXPECT_EQ(queue.first_from(96), nullptr);
}

constexpr UserPriority plain = normal_base + 46;
constexpr CpuLoad free_cpu{}, busy{plain, 0};
constexpr std::uint64_t anywhere = ~0ull;

TEST(ChooseCpu, WhereItRanThenTheWakersThenAnyFreeOne) {
    const CpuLoad all_free[4] = {};
    EXPECT_EQ(choose_cpu(all_free, 4, anywhere, 2, 1, plain), 2u);
    const CpuLoad home_busy[4] = {free_cpu, free_cpu, busy, free_cpu};
    EXPECT_EQ(choose_cpu(home_busy, 4, anywhere, 2, 1, plain), 1u);
    const CpuLoad one_free[4] = {busy, busy, busy, free_cpu};
    EXPECT_EQ(choose_cpu(one_free, 4, anywhere, 2, 1, plain), 3u);
}

TEST(ChooseCpu, AffinityComesFirst) {
    const CpuLoad loads[4] = {free_cpu, busy, busy, busy};
    EXPECT_EQ(choose_cpu(loads, 4, 0b1000, 0, 0, plain), 3u);
    EXPECT_EQ(choose_cpu(loads, 4, 0b0100, 2, 0, plain), 2u);
    EXPECT_EQ(choose_cpu(loads, 4, 0b10000, 1, 0, plain), 1u) << "no vCPU of the mask exists";
}

TEST(ChooseCpu, ABetterClassDisplacesAWorseOneElsewhere) {
    const CpuLoad loads[2] = {busy, {idle_base, 0}};
    EXPECT_EQ(choose_cpu(loads, 2, anywhere, 0, 0, plain), 1u);
    const CpuLoad behind_realtime[2] = {{realtime_base, 0}, {plain, 1}};
    EXPECT_EQ(choose_cpu(behind_realtime, 2, anywhere, 0, 0, plain), 1u);
}

TEST(ChooseCpu, StaysUnlessTwoMoreWait) {
    const CpuLoad one_more[2] = {{plain, 1}, {plain, 0}}, two_more[2] = {{plain, 2}, {plain, 0}};
    EXPECT_EQ(choose_cpu(one_more, 2, anywhere, 0, 0, plain), 0u);
    EXPECT_EQ(choose_cpu(two_more, 2, anywhere, 0, 0, plain), 1u);
}

TEST(Balance, AnIdleOneAsksTheBusiest) {
    const CpuLoad loads[4] = {free_cpu, {plain, 1}, {plain, 3}, {plain, 0}};
    EXPECT_EQ(busiest_cpu(loads, 4, 0), 2u);
    const CpuLoad nobody[2] = {free_cpu, busy};
    EXPECT_EQ(busiest_cpu(nobody, 2, 0), 0u);
}

TEST(Balance, ThreeOnTwoTakeTurnsAndTwoStayWhereTheyAre) {
    const CpuLoad three[2] = {{plain, 1}, {plain, 0}}, two[2] = {busy, free_cpu},
                  four[2] = {{plain, 2}, {plain, 0}};
    EXPECT_EQ(rebalance(three, 2, anywhere, 0, false), 0u);
    EXPECT_EQ(rebalance(three, 2, anywhere, 0, true), 1u);
    EXPECT_EQ(rebalance(three, 2, 1, 0, true), 0u);
    EXPECT_EQ(rebalance(two, 2, anywhere, 0, true), 0u);
    EXPECT_EQ(rebalance(four, 2, anywhere, 0, false), 1u);
}

// One vCPU with threads that compute all the time, scheduled as usched.cpp does at the end of slices.
struct Machine {
    struct Task : Schedulable {
        int nice = 0;
        std::uint64_t used = 0;
    };
    std::deque<Task> tasks;
    UserQueue queue;
    Task* current = nullptr;
    std::uint64_t now = 0;

    Task& add(SchedulingClass scheduling, int nice) {
        Task& task = tasks.emplace_back();
        task.scheduling = scheduling;
        task.nice = nice;
        queue.insert(task);
        return task;
    }
    void refresh(Task& task) {
        task.estimate.update(task.used, now);
        task.priority = user_priority(task.scheduling, task.nice, task.estimate.value());
    }
    void run(std::uint64_t time) {
        for (std::uint64_t end = now + time; now < end;) {
            if (current != nullptr)
                refresh(*current);
            for (Task& task : tasks)
                if (task.queued()) {
                    refresh(task);
                    if (queue_of(task.priority) == task.queue)
                        continue;
                    queue.remove(task);
                    queue.insert(task);
                }
            if (current == nullptr || !displaces(current->priority, queue.best()->priority)) {
                auto* next = static_cast<Task*>(queue.best());
                queue.remove(*next);
                if (current != nullptr)
                    queue.insert(*current);
                current = next;
            }
            now += 10 * millisecond;
            current->used += 10 * millisecond;
        }
    }
};

TEST(Shares, EqualThreadsShareEqually) {
    Machine machine;
    for (int i = 0; i != 4; i++)
        machine.add(normal, 0);
    machine.run(20 * second);
    for (const auto& task : machine.tasks)
        EXPECT_NEAR(static_cast<double>(task.used), 5.0 * second, 0.3 * second);
}

TEST(Shares, TheNicestGetsASmallShareButSome) {
    Machine machine;
    auto& plain_task = machine.add(normal, 0);
    auto& nice_task = machine.add(normal, worst_nice);
    machine.run(20 * second);
    EXPECT_GT(plain_task.used, 2 * nice_task.used);
    EXPECT_GT(nice_task.used, second);
}

TEST(Shares, IdleGetsNothingAndRealtimeEverything) {
    Machine machine;
    auto& plain_task = machine.add(normal, worst_nice);
    auto& idle_task = machine.add(idle_first, best_nice);
    machine.run(5 * second);
    EXPECT_EQ(idle_task.used, 0u);
    EXPECT_EQ(plain_task.used, 5 * second);
    auto& realtime_task = machine.add(realtime_last, worst_nice);
    machine.run(5 * second);
    EXPECT_GE(realtime_task.used, 5 * second - 10 * millisecond);
}

TEST(Shares, AnInteractiveThreadDisplacesThoseThatCompute) {
    Machine machine;
    for (int i = 0; i != 3; i++)
        machine.add(normal, 0);
    machine.run(5 * second);
    CpuEstimate interactive; // wakes every 20 ms for a millisecond
    for (std::uint64_t woken = 0; woken != 250; woken++)
        interactive.update(woken * millisecond, woken * 20 * millisecond);
    UserPriority own = user_priority(normal, 0, interactive.value());
    for (auto& task : machine.tasks)
        EXPECT_TRUE(displaces(own, task.priority)) << own << " " << task.priority;
}

} // namespace
} // namespace bsd
