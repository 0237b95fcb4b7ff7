// SPDX-License-Identifier: BSD-2-Clause
#include "tests/watch/marks.hpp"

#include "tests/kernel/laboratory.hpp"

IN_CHILD void watch_begin() {
    asm volatile("");
}
IN_CHILD void watch_end() {
    asm volatile("");
}
