// SPDX-License-Identifier: BSD-2-Clause
// A process without threads for host tests of files: calls run in it directly, and a call that would sleep
// answers ERESTART instead, so that tests see where it would have blocked.
#pragma once

#include <gtest/gtest.h>

#include <cstring>

#include "bsd-personality/kern/proc.hpp"
#include "bsd-personality/vfs/root.hpp"
#include "bsd-personality/vm/test_platform.hpp"

namespace bsd::test {

struct Process {
    /// Fresh memory of 64 MiB and an empty root.
    Process();
    ~Process();
    Proc proc;
    Lwp lwp{proc};
    VnodeRef file_tree;
};

/// How often lwkt::wakeup was called for an address since the last question.
unsigned wakeups(const void* ident);

inline Text view(const char* string) {
    return text(string);
}

} // namespace bsd::test
