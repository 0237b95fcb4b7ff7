// SPDX-License-Identifier: BSD-2-Clause
// What the processes of one user have in all, where a resource limit bounds a user's sum and not a process's
// own. Under giant.
#pragma once

#include <cstdint>

namespace bsd {

enum class UserResource : std::uint8_t { processes, pseudo_terminals, kqueues, umtx_pages };
inline constexpr unsigned user_resources = 4;

/// Adds to what the user has. False: it would be more than `limit`, or there is no memory to count it.
[[nodiscard]] bool charge_user(std::uint32_t uid, UserResource resource, std::uint64_t amount,
                               std::uint64_t limit);
/// Takes back what was charged.
void release_user(std::uint32_t uid, UserResource resource, std::uint64_t amount);
std::uint64_t user_has(std::uint32_t uid, UserResource resource);

} // namespace bsd
