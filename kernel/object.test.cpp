// SPDX-License-Identifier: BSD-2-Clause
// Capability tables and families: which capability was derived from which.
#include "kernel/object.hpp"

#include <algorithm>
#include <random>
#include <vector>

#include "kernel/host/pool_memory.hpp"

namespace {

using kernel::Budget;
using kernel::Capability;
using kernel::CapabilityTable;
using kernel::Error;
using kernel::Object;
using kernel::Pool;
using kernel::Selector;
using kernel::Word;
using kernel::test::NoLeak;
using kernel::test::root_pool;

struct alignas(64) Thing : Object {
    static constexpr kernel::Type kind = kernel::Type::console;
};

// A slot as the model knows it. Families are trees; a family's list is their order, parents first.
struct Slot {
    Thing* object = nullptr;
    std::uint32_t rights = 0;
    Word badge = 0;
    int parent = -1;
};

constexpr unsigned slots = 300;

void empty(CapabilityTable& table, Pool& pool) {
    unsigned at = 0;
    while (table.slots() > 0) {
        Budget budget;
        while (Capability* slot = table.next_occupied(pool, at, budget))
            slot->unlink();
    }
}

TEST(CapabilityTable, RefusesWhatIsNotThere) {
    Pool& pool = root_pool();
    NoLeak no_leak(pool);
    CapabilityTable table;
    Thing thing;
    Budget budget;
    EXPECT_EQ(table.find(0).object, nullptr);
    EXPECT_EQ(table.find(5).object, nullptr);
    ASSERT_EQ(table.create(pool, 200), Error::ok);
    EXPECT_EQ(table.reserve(pool, 0, nullptr, budget), Error::bad_argument);
    EXPECT_EQ(table.reserve(pool, 200, nullptr, budget), Error::bad_argument);
    EXPECT_EQ(table.find(5).object, nullptr);   // its page is not made
    EXPECT_EQ(table.find(~0u).object, nullptr); // outside
    ASSERT_EQ(table.reserve(pool, 5, nullptr, budget), Error::ok);
    table.put(5, thing, 7, 42, nullptr);
    EXPECT_EQ(table.reserve(pool, 5, nullptr, budget), Error::occupied);
    auto found = table.find(5);
    EXPECT_EQ(found.object, &thing);
    EXPECT_EQ(found.rights, 7u);
    EXPECT_EQ(found.badge, 42u);
    EXPECT_EQ(table.grow(pool, 100), Error::bad_argument);
    EXPECT_EQ(table.grow(pool, kernel::max_slots + 1), Error::bad_argument);
    EXPECT_EQ(table.grow(pool, kernel::max_slots), Error::ok);
    EXPECT_EQ(table.find(5).object, &thing); // growing keeps what is there
    empty(table, pool);
    EXPECT_EQ(thing.origin, nullptr);
}

TEST(CapabilityTable, DerivationHasALimit) {
    Pool& pool = root_pool();
    NoLeak no_leak(pool);
    CapabilityTable table;
    Thing thing;
    Budget budget;
    ASSERT_EQ(table.create(pool, slots), Error::ok);
    Capability* parent = nullptr;
    for (Selector i = 1; i <= Capability::max_depth + 1; ++i) {
        ASSERT_EQ(table.reserve(pool, i, parent, budget), Error::ok) << i;
        table.put(i, thing, 1, 0, parent);
        parent = table.slot(i);
    }
    EXPECT_EQ(table.reserve(pool, 250, parent, budget), Error::limit);
    empty(table, pool);
}

// Random derivations, moves, exchanges of place and deletions of leaves in one table: families agree with a
// model after each step.
TEST(CapabilityTable, FamiliesAgreeWithAModel) {
    Pool& pool = root_pool();
    for (unsigned seed = 1; seed <= 6; ++seed) {
        NoLeak no_leak(pool);
        std::mt19937_64 random(seed);
        CapabilityTable table;
        ASSERT_EQ(table.create(pool, slots), Error::ok);
        std::vector<Thing> things(4);
        std::vector<Slot> model(slots);
        auto occupied = [&](bool wanted) {
            for (unsigned tries = 0; tries < 2000; ++tries)
                if (Selector at = 1 + static_cast<Selector>(random() % (slots - 1));
                    (model[at].object != nullptr) == wanted)
                    return at;
            return Selector{0};
        };
        auto is_leaf = [&](Selector at) {
            return std::none_of(model.begin(), model.end(),
                                [&](const Slot& s) { return s.object && s.parent == static_cast<int>(at); });
        };
        for (unsigned step = 0; step < 700; ++step) {
            Selector from = occupied(true), to = occupied(false);
            Budget budget;
            switch (random() % 5) {
            case 0: // a first capability
                if (Thing& thing = things[random() % things.size()]; !thing.origin && to) {
                    ASSERT_EQ(table.reserve(pool, to, nullptr, budget), Error::ok);
                    table.put(to, thing, 15, 0, nullptr);
                    model[to] = {&thing, 15, 0, -1};
                }
                break;
            case 1:
            case 2:
                if (from && to && table.reserve(pool, to, table.slot(from), budget) == Error::ok) {
                    auto rights = static_cast<std::uint32_t>(model[from].rights & random());
                    table.put(to, *model[from].object, rights, step, table.slot(from));
                    model[to] = {model[from].object, rights, step, static_cast<int>(from)};
                }
                break;
            case 3: // a move: what was derived stays derived
                if (from && to && table.reserve(pool, to, nullptr, budget) == Error::ok) {
                    table.empty_slot(to).move_from(*table.slot(from));
                    model[to] = model[from];
                    model[from] = {};
                    for (Slot& s : model)
                        if (s.object && s.parent == static_cast<int>(from))
                            s.parent = static_cast<int>(to);
                }
                break;
            default:
                if (from && is_leaf(from)) {
                    table.slot(from)->unlink();
                    model[from] = {};
                }
            }
            std::vector<unsigned> children(slots);
            for (const Slot& s : model)
                if (s.object && s.parent >= 0)
                    ++children[static_cast<unsigned>(s.parent)];
            for (Selector at = 1; at < slots; ++at) {
                const Slot& s = model[at];
                auto found = table.find(at);
                ASSERT_EQ(found.object, s.object) << "seed " << seed << " step " << step << " slot " << at;
                if (!s.object)
                    continue;
                ASSERT_EQ(found.rights, s.rights);
                ASSERT_EQ(found.badge, s.badge);
                Capability* slot = table.slot(at);
                unsigned depth = 0;
                for (int up = s.parent; up >= 0; up = model[static_cast<unsigned>(up)].parent)
                    ++depth;
                ASSERT_EQ(slot->depth, depth);
                ASSERT_EQ(slot->is_origin, s.parent < 0);
                ASSERT_EQ(slot->has_derived(), children[at] > 0);
                if (s.parent < 0) {
                    // The family's list holds it and all below it, and nothing else.
                    ASSERT_EQ(s.object->origin, slot);
                    unsigned listed = 0;
                    for (Capability* in = slot; in; in = in->next(), ++listed)
                        ASSERT_EQ(in->object(), s.object);
                    ASSERT_EQ(listed, static_cast<unsigned>(
                                          std::count_if(model.begin(), model.end(), [&](const Slot& other) {
                                              return other.object == s.object;
                                          })));
                }
            }
        }
        empty(table, pool);
        for (Thing& thing : things)
            ASSERT_EQ(thing.origin, nullptr);
    }
}

} // namespace
