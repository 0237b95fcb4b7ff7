// SPDX-License-Identifier: BSD-2-Clause
// What processors keep: translations of spaces that are not loaded, and extended register state.
#include <cstring>
#include <initializer_list>

#include "tests/kernel/check.hpp"

namespace laboratory {

namespace {

constexpr Word page_seen = 0x4050'0000, frames = 0x4051'0000; // in the child: the page, and both its frames
constexpr unsigned round_cell = 200, answer_cell = 201, ready_cell = 202;

const abi::InformationPage& information() {
    return *reinterpret_cast<const abi::InformationPage*>(abi::root_information_address);
}

// Says what it sees in the page whenever asked, and lets others have the core meanwhile.
IN_CHILD void reader(Word) {
    *reinterpret_cast<volatile Word*>(frames) = 1;
    *reinterpret_cast<volatile Word*>(frames + page) = 2;
    shared<Word>(ready_cell) = 1;
    for (Word round = 1;; ++round) {
        while (shared<Word>(round_cell) != round) {
            (void)*reinterpret_cast<volatile Word*>(page_seen); // so that a translation is there
            (void)invoke(Operation::yield, 0);
        }
        shared<Word>(answer_cell) = round << 8 | *reinterpret_cast<volatile Word*>(page_seen);
    }
}
IN_CHILD void yielder(Word) {
    for (;;)
        (void)invoke(Operation::yield, 0);
}

} // namespace

// A page is mapped anew while its space is loaded on another core or, as often, just not: whoever reads it
// after that sees the new frame.
void test_kept_translations() {
    unsigned core = information().cores - 1;
    Child child = make_child(), other = make_child();
    Word offset = take_ram(2);
    auto map = [&](Word address, Word at, Word pages) {
        return invoke(Operation::map, child.ram, address, at, pages,
                      abi::map_read | abi::map_write | abi::map_replace);
    };
    CHECK_ERROR(map(frames, offset, 2), ok);
    CHECK_ERROR(map(page_seen, offset, 1), ok);
    Selector threads[] = {make_thread(child.task, core, 100, child_buffer),
                          make_thread(other.task, core, 100, child_buffer)};
    for (unsigned cell : {round_cell, answer_cell, ready_cell})
        shared<Word>(cell) = 0;
    start(threads[0], reader, 0, child_stack);
    start(threads[1], yielder, 0, child_stack);
    while (!shared<Word>(ready_cell))
        (void)invoke(Operation::yield, 0);
    unsigned stale = 0;
    for (Word round = 1; round <= 200; ++round) {
        CHECK_ERROR(map(page_seen, offset + round % 2 * page, 1), ok);
        shared<Word>(round_cell) = round;
        while (shared<Word>(answer_cell) >> 8 != round)
            (void)invoke(Operation::yield, 0);
        stale += (shared<Word>(answer_cell) & 0xff) != 1 + round % 2;
    }
    CHECK_EQ(stale, 0);
    CHECK_ERROR(invoke(Operation::task_destroy, child.task), ok);
    CHECK_ERROR(invoke(Operation::task_destroy, other.task), ok);
}

namespace {

constexpr Word state_avx = 4, state_avx512 = 0xe0;
struct alignas(64) Vectors {
    Word low[2], middle[4], high[8], high_low[8], mask; // xmm0, ymm1, zmm31, zmm2, k1
};

void load(const Vectors& v, Word state) {
    asm volatile("movdqu %0, %%xmm0" ::"m"(v.low));
    if (state & state_avx)
        asm volatile("vmovdqu %0, %%ymm1" ::"m"(v.middle));
    if ((state & state_avx512) == state_avx512)
        asm volatile("vmovdqu64 %0, %%zmm31; vmovdqu64 %1, %%zmm2; kmovw %2, %%k1" ::"m"(v.high),
                     "m"(v.high_low), "m"(v.mask));
}
void store(Vectors& v, Word state) {
    asm volatile("movdqu %%xmm0, %0" : "=m"(v.low));
    if (state & state_avx)
        asm volatile("vmovdqu %%ymm1, %0" : "=m"(v.middle));
    if ((state & state_avx512) == state_avx512)
        asm volatile("vmovdqu64 %%zmm31, %0; vmovdqu64 %%zmm2, %1; kmovw %%k1, %2"
                     : "=m"(v.high), "=m"(v.high_low), "+m"(v.mask));
}

volatile Word disturbed;
alignas(16) std::byte disturber_stack[4096];
void disturb(Word state) {
    Vectors mine;
    for (Word round = 0x1111;; round = round * 3) {
        std::memset(&mine, static_cast<int>(round), sizeof mine);
        load(mine, state);
        disturbed = disturbed + 1;
        (void)invoke(Operation::yield, 0);
    }
}

} // namespace

// All state that the processor offers stays with its thread: x87 and SSE, AVX, AVX-512.
void test_extended_state() {
    Word state = information().xsave_mask;
    CHECK(information().xsave_size >= 576);
    Selector thread = new_selector(), scheduling = new_selector();
    must("thread",
         invoke(Operation::thread_create, abi::root_pool, thread, abi::root_task, 0, 0x4480'0000, 0));
    must("scheduling", invoke(Operation::scheduling_create, abi::root_pool, scheduling, 0, 0, 0, 255));
    must("configure", invoke(Operation::thread_configure, thread, 100, scheduling, 0, 0));
    disturbed = 0;
    start(thread, disturb, state, reinterpret_cast<Word>(disturber_stack + sizeof disturber_stack));
    Vectors wanted, got;
    std::memset(&wanted, 0, sizeof wanted);
    for (int round = 0; round < 20; ++round) {
        Word before = disturbed;
        std::memset(wanted.low, 0x40 + round, sizeof wanted.low);
        if (state & state_avx)
            std::memset(wanted.middle, 0x60 + round, sizeof wanted.middle);
        if ((state & state_avx512) == state_avx512) {
            std::memset(wanted.high, 0x80 + round, sizeof wanted.high);
            std::memset(wanted.high_low, 0xa0 + round, sizeof wanted.high_low);
            wanted.mask = 0xc0 + static_cast<Word>(round);
        }
        load(wanted, state);
        while (disturbed == before)
            (void)invoke(Operation::yield, 0);
        std::memset(&got, 0, sizeof got);
        store(got, state);
        CHECK_EQ(std::memcmp(&got, &wanted, sizeof got), 0);
    }
    CHECK_ERROR(invoke(Operation::thread_destroy, thread), ok);
}

} // namespace laboratory
