// SPDX-License-Identifier: BSD-2-Clause
// Credentials: counted, never changed while shared (a call that changes ids makes a copy and swaps it in).
#pragma once

#include <cstdint>

#include "bsd-personality/kern/errno.hpp"
#include "bsd-personality/kern/ref.hpp"
#include "lwkt/slab.hpp"

namespace bsd {

inline constexpr unsigned max_groups = 16;

struct Ucred {
    std::uint32_t uid = 0, ruid = 0, svuid = 0; // effective, real, saved
    std::uint32_t gid = 0, rgid = 0, svgid = 0;
    std::uint32_t group_count = 0; // supplementary groups, without the effective one
    std::uint32_t groups[max_groups] = {};
    char login_class[33] = "default"; // FreeBSD

    void ref() { references++; }
    void unref() {
        if (--references == 0)
            lwkt::destroy(this);
    }
    bool is_member(std::uint32_t group) const {
        for (unsigned i = 0; i < group_count; i++)
            if (groups[i] == group)
                return true;
        return group == gid;
    }
    bool is_superuser() const { return uid == 0; }

    std::uint32_t references = 1;
};
using UcredRef = Ref<Ucred>;

/// A private copy, to be changed and then installed. Errors: ENOMEM.
inline SysResult<UcredRef> copy_credentials(const Ucred& cred) {
    auto* copy = lwkt::construct<Ucred>(cred);
    if (!copy)
        return Failure(Errno::enomem);
    copy->references = 1;
    return UcredRef::adopt(copy);
}

} // namespace bsd
