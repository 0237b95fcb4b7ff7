// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/uidinfo.hpp"

#include "bsd-personality/kern/list.hpp"
#include "lwkt/slab.hpp"

namespace bsd {

namespace {

// Lives while any of its sums is not zero.
struct UserSums {
    Link<UserSums> link;
    std::uint32_t uid = 0;
    std::uint64_t sums[user_resources] = {};
};
constexpr unsigned buckets = 32;
List<UserSums, &UserSums::link> users[buckets];

UserSums* find(std::uint32_t uid) {
    auto& bucket = users[uid % buckets];
    for (UserSums* user = bucket.first(); user; user = bucket.next(user))
        if (user->uid == uid)
            return user;
    return nullptr;
}

} // namespace

bool charge_user(std::uint32_t uid, UserResource resource, std::uint64_t amount, std::uint64_t limit) {
    UserSums* user = find(uid);
    std::uint64_t sum;
    if (__builtin_add_overflow(user ? user->sums[static_cast<unsigned>(resource)] : 0, amount, &sum) ||
        sum > limit)
        return false;
    if (!user) {
        if (!(user = lwkt::construct<UserSums>()))
            return false;
        user->uid = uid;
        users[uid % buckets].push_front(user);
    }
    user->sums[static_cast<unsigned>(resource)] = sum;
    return true;
}

void release_user(std::uint32_t uid, UserResource resource, std::uint64_t amount) {
    UserSums* user = find(uid);
    if (!user)
        return;
    user->sums[static_cast<unsigned>(resource)] -= amount;
    for (std::uint64_t sum : user->sums)
        if (sum != 0)
            return;
    users[uid % buckets].remove(user);
    lwkt::destroy(user);
}

std::uint64_t user_has(std::uint32_t uid, UserResource resource) {
    const UserSums* user = find(uid);
    return user ? user->sums[static_cast<unsigned>(resource)] : 0;
}

} // namespace bsd
