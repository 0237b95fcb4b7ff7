// SPDX-License-Identifier: BSD-2-Clause
// Makes processes that have nothing to do, and waits: idle COUNT SECONDS. Half of them read an empty pipe, half wait for
// signals. Prints how many there are, waits, and ends; the jail's end takes them along.
#include "../system.h"

enum { fork_ = 2, read_ = 3, close_ = 6, nanosleep_ = 240, sigsuspend_ = 341 };

__attribute__((used)) void start(word* stack) {
    if (stack[0] < 3)
        finish(2);
    const long count = number_in((const char*)stack[2]);
    int ends[2];
#if defined(OS_FREEBSD)
    if (call(542, ends, 0) != 0)
        finish(3);
#else
    struct answer made = call_full(42, 0, 0, 0, 0, 0, 0); // DragonFly's pipe answers in two registers
    if (made.failed)
        finish(3);
    ends[0] = (int)made.value, ends[1] = (int)made.second;
#endif
    for (long i = 0; i < count; i++) {
        struct answer made = call_full(fork_, 0, 0, 0, 0, 0, 0);
        if (made.failed)
            finish(4);
        if (made.value != 0)
            continue;
        char byte;
        word none[2] = {0, 0};
        call(close_, ends[1]);
        if (i & 1)
            call(read_, ends[0], &byte, 1);
        else
            for (;;)
                call(sigsuspend_, none);
        finish(0);
    }
    print_number(count);
    print(" idle processes\n");
    word time[2] = {(word)number_in((const char*)stack[3]), 0};
    finish(call(nanosleep_, time, 0) == 0 ? 0 : 5);
}
