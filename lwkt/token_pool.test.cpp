// SPDX-License-Identifier: BSD-2-Clause
#include "lwkt/token_pool.hpp"
#include "lwkt/test_support.hpp"

#include <set>

using namespace lwkt;
using lwkt::test::Group;
using lwkt::test::run;

namespace {

LWKT_ON_1_2_4(TokenPool);

TEST(TokenPoolOne, SpreadsAddressesAndIsConstant) {
    static char objects[4096];
    std::set<Token*> tokens;
    for (char& object : objects) {
        tokens.insert(&token_pool_lookup(&object));
        EXPECT_EQ(&token_pool_lookup(&object), &token_pool_lookup(&object));
    }
    EXPECT_EQ(tokens.size(), token_pool_size);
}

// Each object alone under its address's token, and moved between two of them under both, in both orders.
TEST_P(TokenPool, SerializesObjects) {
    constexpr unsigned objects = 8;
    constexpr int rounds = 500;
    struct Object {
        int inside = 0, balance = 100;
    } object[objects];
    std::atomic<int> wrong{0};
    run(GetParam(), [&] {
        Group group;
        for (unsigned i = 0; i != 6; ++i)
            group.spawn(i % GetParam(), [&, i] {
                std::uint64_t state = 77 + i;
                for (int n = 0; n != rounds; ++n) {
                    Object& from = object[test::next_random(state) % objects];
                    Object& to = object[test::next_random(state) % objects];
                    PoolTokenGuard one(&from), two(&to); // maybe one token
                    bool alone = from.inside == 0 && to.inside == 0;
                    ++from.inside, ++to.inside;
                    --from.balance, ++to.balance;
                    if (n % 8 == 0) {
                        --from.inside, --to.inside;
                        yield();
                        ++from.inside, ++to.inside;
                    }
                    --from.inside, --to.inside;
                    wrong += !alone;
                }
            });
    });
    EXPECT_EQ(wrong, 0);
    int sum = 0;
    for (const Object& o : object)
        sum += o.balance;
    EXPECT_EQ(sum, 100 * static_cast<int>(objects));
}

} // namespace
