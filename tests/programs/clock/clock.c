// SPDX-License-Identifier: BSD-2-Clause
// Reads the clock from FreeBSD's timekeeping page (AT_TIMEKEEP) as its C library does, and holds what it reads against
// clock_gettime(2): between two calls, after a sleep, and while it computes for longer than the page stays right by
// itself. Without a C library.
typedef unsigned long word;
typedef unsigned int half;
enum { call_exit = 1, call_write = 4, call_clock_gettime = 232, call_nanosleep = 240, monotonic = 4, realtime = 0,
       auxiliary_timekeep = 22, efault = 14 };

struct hands {
    half algorithm, generation;
    word scale;
    half offset_count, mask;
    word offset[2], boottime[2]; // seconds, and 2^-64 of one
    half shift;
    char rest[28];
};
struct timekeep {
    half version, enabled, current, padding;
    struct hands hand[4];
};
_Static_assert(sizeof(struct hands) == 88, "struct vdso_timehands");
static const volatile struct timekeep* page;

static word call(word number, word a, word b, word c, int* failed) {
    unsigned char carry;
    __asm__ volatile("syscall\nsetc %1" : "+a"(number), "=&b"(carry), "+D"(a), "+S"(b), "+d"(c)
                     : : "rcx", "r8", "r9", "r10", "r11", "memory", "cc");
    *failed = carry;
    return number;
}

static void print(const char* text) {
    word size = 0;
    int failed;
    while (text[size])
        size++;
    call(call_write, 1, (word)text, size, &failed);
}

static void finish(int status) {
    int failed;
    for (;;)
        call(call_exit, (word)status, 0, 0, &failed);
}

static word ask(word clock) {
    word time[2];
    int failed;
    call(call_clock_gettime, clock, (word)time, 0, &failed);
    return time[0] * 1000000000 + time[1];
}

static word look(int wall) {
    for (;;) {
        half current = page->current;
        const volatile struct hands* hand = &page->hand[current];
        half generation = hand->generation, low, high;
        __asm__ volatile("lfence\nrdtsc" : "=a"(low), "=d"(high) : : "memory");
        half count = (half)(((word)high << 32 | low) >> hand->shift);
        word seconds = hand->offset[0], fraction = hand->offset[1];
        word passed = hand->scale * ((count - hand->offset_count) & hand->mask);
        seconds += __builtin_add_overflow(fraction, passed, &fraction);
        if (wall) {
            seconds += hand->boottime[0];
            seconds += __builtin_add_overflow(fraction, hand->boottime[1], &fraction);
        }
        __asm__ volatile("" : : : "memory");
        if (generation != 0 && generation == hand->generation && current == page->current)
            return seconds * 1000000000 + (1000000000 * (fraction >> 32) >> 32);
    }
}

static void compare(const char* when) {
    for (int wall = 0; wall < 2; wall++)
        for (int round = 0; round < 500; round++) {
            word before = ask(wall ? realtime : monotonic), here = look(wall), after = ask(wall ? realtime : monotonic);
            if (here < before || here > after) {
                print(here < before ? "behind the call " : "before the call ");
                print(when);
                print("\n");
                finish(1);
            }
        }
    print("between calls ");
    print(when);
    print("\n");
}

static void sleep_for(word seconds, word nanoseconds) {
    word time[2] = {seconds, nanoseconds};
    int failed;
    call(call_nanosleep, (word)time, 0, 0, &failed);
}

__attribute__((used)) void start(word* block) {
    word* at = block + 1 + block[0] + 1;
    while (*at++)
        ;
    for (; at[0]; at += 2)
        if (at[0] == auxiliary_timekeep)
            page = (const volatile struct timekeep*)at[1];
    if (!page || page->version != 1 || !page->enabled) {
        print("no page\n");
        finish(0);
    }
    int failed;
    if (call(call_clock_gettime, monotonic, (word)page, 0, &failed) != efault || !failed) {
        print("the page was written to\n");
        finish(1);
    }
    compare("at the start");
    for (int n = 0; n < 20; n++) {
        word before = look(0);
        sleep_for(0, 3000000);
        if (look(0) - before < 3000000) {
            print("a sleep was too short\n");
            finish(1);
        }
    }
    sleep_for(1, 300000000);
    compare("after a sleep");
    for (word begin = look(0), last = begin; last - begin < 1600000000;) {
        word now = look(0);
        if (now < last) {
            print("it went back\n");
            finish(1);
        }
        last = now;
    }
    compare("after a computation");
    finish(0);
}
__asm__(".globl _start\n_start: and $-16, %rsp\ncall start\nud2"); // rdi points at argc
