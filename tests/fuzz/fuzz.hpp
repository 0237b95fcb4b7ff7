// SPDX-License-Identifier: BSD-2-Clause
// The random-operation fuzzer of the kernel. Its root task copies its own image into one task a worker, so
// that each worker has an address space, a capability table and a pool of its own:
//   a modelled worker (worker.cpp) does random operations on objects that only it holds, itself and through
//   puppets (threads of child tasks, on any core, that do what it tells them), and compares each result with
//   a model of tables, mappings and thread states;
//   a hostile worker (hostile.cpp) lets threads of child tasks do anything with any argument to objects that
//   they share, and destroys them meanwhile.
// A round begins with a pool made from the worker's and ends with destroying it: every page must come back.
#pragma once

#include "tests/kernel/laboratory.hpp"

namespace fuzz {

using abi::Operation;
using abi::Selector;
using abi::Word;
using glue::Error;
using glue::native::exchange;
using glue::native::invoke;
using glue::native::Message;
using glue::native::Reply;
using laboratory::page;
using laboratory::print;

inline constexpr unsigned max_workers = 16;

// The page that all tasks of a run share, at laboratory::child_data.
struct Control {
    volatile Word stop;               // the controller's: end after this round
    volatile Word failed;             // the first worker that fails sets it and prints,
    volatile Word explained;          // and this then
    volatile Word count[max_workers]; // invocations; each written by its worker
    volatile Word finished[max_workers];
    volatile Word hostile[max_workers]; // invocations of a hostile worker's children, approximately
};
static_assert(sizeof(Control) <= page);
inline Control& control() {
    return *reinterpret_cast<Control*>(laboratory::child_data);
}

// What the controller puts into a worker's table besides the selectors of abi::RootSelector; 3 is the
// worker's pool, 16 its RAM.
enum WorkerSelector : Selector {
    section_region = 17,      // the children's text, read and execute
    puppet_region = 18,       // a page of mailbox and stack a child thread
    shared_notification = 32, // one a core, shared by all workers
    shared_endpoint = 48,     // one a core
    first_free = 64,
};
inline constexpr Word ram_pages = 1024;          // of a worker, aligned to 2 MiB
inline constexpr Word ram_address = 0x4800'0000; // where the worker sees its RAM
inline constexpr unsigned puppet_pages = 16;
inline constexpr Word puppet_address = 0x4400'0000; // where it sees the puppets' pages; the puppets as well
inline constexpr Word puppet_buffer = 0x4420'0000;
inline constexpr unsigned child_slots = 64;

// xorshift64*; one a worker, so that a run repeats from its seed.
class Random {
public:
    void seed(Word value) { state_ = (value + 1) * 0x9e37'79b9'7f4a'7c15; }
    Word next() {
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return state_ * 0x2545'f491'4f6c'dd1d;
    }
    Word below(Word n) { return (next() >> 33) % n; }
    bool one_in(Word n) { return below(n) == 0; }

private:
    Word state_ = 1;
};

// The worker's own; written by the controller before the image is copied.
struct Configuration {
    unsigned index, core, cores;
    Word seed;
    Word section_pages;
    bool verbose;
};
extern Configuration configuration;
extern Random random;

void run_modelled(); // until control().stop
void run_hostile();

} // namespace fuzz
