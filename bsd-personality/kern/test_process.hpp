// SPDX-License-Identifier: BSD-2-Clause
// Processes for host tests: the whole personality without its trap loop, on an LWKT whose threads never run.
// What would sleep is answered as interrupted.
#pragma once

#include <gtest/gtest.h>

#include <vector>

#include "bsd-personality/kern/proc.hpp"
#include "bsd-personality/vm/test_platform.hpp"
#include "bsd-personality/vm/vmspace.hpp"
#include "lwkt/irq_sources.hpp"

namespace bsd::test {

/// init and one process of it with a thread, memory and an empty root directory. Gone again at the end.
struct ProcessTest : testing::Test {
    ProcessTest();
    ~ProcessTest() override;
    /// Anonymous memory in the process.
    std::uint64_t map(std::uint64_t pages, std::uint8_t protection = 3);
    /// A file in the root directory.
    void add_file(const char* name, const void* data, std::size_t size, std::uint16_t mode = 0755);
    /// The thread leaves its loop, as it does when it finds ast_exit set.
    static void leave(Lwp& lwp);

    Proc* proc = nullptr;
    Lwp* lwp = nullptr;
    std::uint64_t free_before = 0;
};

/// Answers of the processor to extended states: false refuses them.
extern bool accept_fpu;
/// What interrupts the task, as LWKT counts it.
extern std::vector<lwkt::InterruptCount> interrupt_rows;

} // namespace bsd::test
