// SPDX-License-Identifier: BSD-2-Clause
// Sleep and wakeup, and what is built on them.
#include "lwkt/condition.hpp"
#include "lwkt/irq.hpp"
#include "lwkt/sleepqueue.hpp"
#include "lwkt/token.hpp"
#include "scenarios.hpp"

using namespace lwkt;

namespace explore {

// Producers and consumers under a token, without timeouts: a lost wake-up ends in a standstill.
void sleep_wakeup() {
    struct {
        Token token{"queue"};
        int available = 0, room = 0, consumed = 0;
    } q;
    unsigned pairs = cpu_count() > 2 ? 2 : 1;
    Group group;
    for (unsigned i = 0; i != pairs; ++i) {
        group.spawn((2 * i) % cpu_count(), [&, i] {
            for (int n = 0; n != 3; ++n) {
                TokenGuard guard(q.token);
                while (q.available == 1)
                    (void)tsleep(&q.room, 0, "room");
                ++q.available;
                i % 2 ? wakeup_one(&q.available) : wakeup(&q.available);
            }
        });
        group.spawn((2 * i + 1) % cpu_count(), [&] {
            for (int n = 0; n != 3; ++n) {
                TokenGuard guard(q.token);
                while (q.available == 0)
                    (void)tsleep(&q.available, 0, "item");
                --q.available;
                ++q.consumed;
                wakeup(&q.room);
            }
        });
    }
    group.run();
    check(q.consumed == static_cast<int>(pairs) * 3, "an item was lost");
}

// One waits for a word that another core sets, interlocked, or with a timeout that may hit at any moment.
void interlock() {
    int stage = 0;
    Group group;
    for (unsigned i = 0; i != cpu_count(); ++i)
        group.spawn(i, [&, i] {
            for (int round = 0; round != 2; ++round) {
                int mine = round * static_cast<int>(cpu_count()) + static_cast<int>(i);
                for (;;) {
                    tsleep_interlock(&stage, 0);
                    explore_point();
                    if (stage == mine)
                        break;
                    check(stage < mine, "two threads in one stage");
                    if (pick(4) == 0)
                        (void)tsleep(&stage, sleep_interlocked, "stage",
                                     glue::Clock::now() + Nanoseconds{40});
                    else
                        (void)tsleep(&stage, sleep_interlocked, "stage");
                }
                tsleep_remove();
                stage = mine + 1;
                explore_point();
                wakeup(&stage);
            }
        });
    group.run();
}

// A buffer of one place under a spin lock, without timeouts.
void conditions() {
    struct {
        SpinLock lock;
        ConditionVariable full{"full"}, empty{"empty"};
        int items = 0, consumed = 0;
    } b;
    Group group;
    for (unsigned i = 0; i != cpu_count(); ++i) {
        group.spawn(i, [&] {
            for (int n = 0; n != 2; ++n) {
                SpinGuard guard(b.lock);
                while (b.items == 1)
                    (void)b.full.wait(b.lock);
                ++b.items;
                b.empty.signal();
            }
        });
        group.spawn((i + 1) % cpu_count(), [&] {
            for (int n = 0; n != 2; ++n) {
                SpinGuard guard(b.lock);
                while (b.items == 0)
                    (void)b.empty.wait(b.lock);
                check(b.items == 1, "more than there is room for");
                --b.items;
                ++b.consumed;
                b.full.signal();
            }
        });
    }
    group.run();
    check(b.consumed == 2 * static_cast<int>(cpu_count()), "an item was lost");
}

// More threads than cores; each blocks inside, and enters twice.
void serializer() {
    struct {
        Serializer lock{"explored"};
        lwkt::Thread* inside = nullptr;
        int entered = 0;
    } s;
    lwkt::Thread* const nobody = nullptr;
    Group group;
    for (unsigned i = 0; i != cpu_count() + 1; ++i)
        group.spawn(i % cpu_count(), [&] {
            for (int n = 0; n != 2; ++n) {
                SerializerGuard guard(s.lock);
                check(s.inside == nobody, "two threads in a serializer");
                s.inside = current();
                explore_point();
                if (pick(2))
                    yield();
                if (pick(4) == 0) {
                    SerializerGuard again(s.lock);
                    (void)tsleep(&n, 0, "nap", glue::Clock::now() + Nanoseconds{40});
                }
                check(s.inside == current() && s.lock.held(), "another thread came in");
                s.inside = nobody;
                ++s.entered;
            }
        });
    group.run();
    check(s.entered == 2 * static_cast<int>(cpu_count() + 1), "a thread did not enter");
}

// Each raise is followed by a run that sees what was there before it.
void soft_interrupt() {
    struct Work {
        SoftInterrupt soft;
        int queued = 0, done = 0;
    } work;
    check(work.soft
              .attach(
                  CpuId{cpu_count() - 1},
                  [](void* self) {
                      auto& w = *static_cast<Work*>(self);
                      w.done = w.queued;
                      explore_point();
                      wakeup(&w.done);
                  },
                  &work, "swi")
              .ok(),
          "no memory");
    Group group;
    for (unsigned i = 0; i != cpu_count(); ++i)
        group.spawn(i, [&] {
            for (int n = 0; n != 2; ++n) {
                int mine = ++work.queued;
                explore_point();
                work.soft.raise();
                for (;;) {
                    tsleep_interlock(&work.done, 0);
                    explore_point();
                    if (work.done >= mine)
                        break;
                    (void)tsleep(&work.done, sleep_interlocked, "soft");
                }
                tsleep_remove();
            }
        });
    group.run();
    check(work.done == work.queued, "a raise was lost");
    work.soft.detach();
}

// Threads wander, sleep and hold a token. Each sleep ends by an interrupt that was asked for; others come
// unasked, wherever the thread may be by then.
void moves() {
    struct {
        Token token{"explored"};
        lwkt::Thread* wanderer[2] = {};
        int asked[2] = {}, served[2] = {}, inside = 0, left = 0;
    } m;
    Group group;
    for (unsigned i = 0; i != 2; ++i)
        group.spawn(i, [&, i] {
            m.wanderer[i] = current();
            for (unsigned n = 0; n != 2; ++n) {
                unsigned to = (i + n + 1) % cpu_count();
                migrate(CpuId{to});
                check(current() == m.wanderer[i] && current()->cpu == to, "arrived elsewhere");
                if (pick(2)) {
                    TokenGuard guard(m.token);
                    check(m.inside++ == 0, "two threads hold a token");
                    explore_point();
                    --m.inside;
                }
                tsleep_interlock(&m.asked[i], sleep_interruptible);
                ++m.asked[i];
                explore_point();
                wakeup(&m.served);
                Wake why = tsleep(&m.asked[i], sleep_interruptible | sleep_interlocked, "nap");
                check(why == Wake::interrupted, "woken for another reason");
            }
            for (;;) { // until nobody interrupts it any more
                tsleep_interlock(&m.left, 0);
                explore_point();
                if (m.left != 0)
                    break;
                (void)tsleep(&m.left, sleep_interlocked, "left");
            }
            tsleep_remove();
        });
    group.spawn(cpu_count() - 1, [&] {
        while (m.served[0] + m.served[1] != 4) {
            tsleep_interlock(&m.served, 0);
            explore_point();
            bool any = false;
            for (unsigned i = 0; i != 2; ++i)
                any = any || m.asked[i] != m.served[i];
            if (!any) {
                (void)tsleep(&m.served, sleep_interlocked, "ask");
                continue;
            }
            for (unsigned i = 0; i != 2; ++i) {
                m.served[i] += m.asked[i] != m.served[i];
                if (m.wanderer[i])
                    interrupt(m.wanderer[i]);
            }
        }
        tsleep_remove();
        m.left = 1;
        explore_point();
        wakeup(&m.left);
    });
    group.run();
}

} // namespace explore
