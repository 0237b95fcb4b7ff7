// SPDX-License-Identifier: BSD-2-Clause
// Checks of the library's own invariants, never of user input. verify() is always on (memory safety depends
// on it); assert_that() is on in test builds (LIBELLE_CHECKS) only. Both end in panic(), which prints and
// stops the task.
#pragma once

namespace lwkt {

// Prints "panic: text (file:line)" on the platform's console and stops the task. Any context.
[[noreturn, gnu::cold]] void panic(const char* text, const char* file = __builtin_FILE(),
                                   int line = __builtin_LINE());

} // namespace lwkt

#define verify(condition) (__builtin_expect(!(condition), 0) ? lwkt::panic(#condition) : void())

#ifdef LIBELLE_CHECKS
#define assert_that(condition) verify(condition)
#else
#define assert_that(condition) void(sizeof(condition))
#endif
