// SPDX-License-Identifier: BSD-2-Clause
// What a modelled worker believes about its objects. Plain data and the rules of the kernel's contract;
// nothing here invokes the kernel.
#pragma once

#include "tests/fuzz/fuzz.hpp"

namespace fuzz {

enum class Kind : std::uint8_t {
    none,
    pool,
    region,
    task,
    thread,
    endpoint,
    notification,
    scheduling,
    vcpu,
    timer,
    binding
};
inline constexpr unsigned max_objects = 160, max_tasks = 6, max_puppets = 8, own_slots = 128;
inline constexpr int nobody = -1;

struct Slot {
    int object = nobody;
    std::uint32_t rights = 0;
    Word badge = 0;
    Word id = 0, parent = 0; // of the capability, and of what it was derived from
};

// A page of a modelled window.
struct Page {
    std::int32_t ram = nobody; // page of the worker's RAM; nobody: not mapped
    std::uint8_t flags = 0;    // MapFlags that it has
    std::uint8_t may = 0;      // MapFlags that its binding allows
    bool kernel_owned = false;
    bool dirty = false; // was written through this mapping since the bit was last taken
    bool large = false; // part of a 2 MiB mapping, with one dirty bit for all, as far as the model knows
    bool maybe = false; // dirty if its 2 MiB are one mapping, or were when something in them was written
    int binding = nobody;
};
inline constexpr unsigned window_count = 2, window_pages = 1024;
inline constexpr Word windows[window_count] = {0x5000'0000, 0x40'0000'0000};

struct Space {
    Page pages[window_count][window_pages];
    bool table[window_count][2]; // the 2 MiB has a table of 4 KiB pages
    // The page at an address, or nullptr outside the windows.
    Page* at(Word address) {
        for (unsigned w = 0; w < window_count; ++w)
            if (address >= windows[w] && address < windows[w] + window_pages * page)
                return &pages[w][(address - windows[w]) / page];
        return nullptr;
    }
    bool& table_at(Word address) {
        unsigned w = address >= windows[1];
        return table[w][(address - windows[w]) / abi::large_page_size & 1];
    }
};

// A modelled task: table and space. Index 0 is the worker's own.
struct Task {
    int object = nobody;
    Selector first = 0, slots = 0; // slots that the fuzzer uses
    Selector limit = 0;            // size of the kernel's table
    bool has_text = false;         // puppets' text is mapped
    Slot slot[own_slots];
    Space space;
};

enum class Wait : std::uint8_t {
    none, // a puppet: waits for its next command
    inactive,
    sending,
    receiving,
    reply, // for the reply of `callee`
    notification,
    faulted,
    running, // not a puppet, and free to run
};

// What a completed command of a puppet must have brought.
struct Outcome {
    bool exchange = false, check_value = false;
    Error error = Error::ok;
    bool or_would_block = false; // instead of the error
    Word value = 0;
    bool badge_known = false;
    Word badge = 0, tag = 0, seed = 0; // message words are made from the seed
    bool fault = false;                // a fault message instead
    Word fault_address = 0, fault_code = 0, fault_vector = 0;
};

struct Object {
    Kind kind = Kind::none;
    bool alive = false;
    std::uint8_t core = 0;
    int pool = nobody;                  // nobody: the worker's own pool
    Word origin = 0, origin_parent = 0; // its first capability, and what that was derived from
    int task = nobody;                  // of threads, bindings
    int puppet = nobody;                // of threads
    // pools: pages; regions and bindings: first page of the worker's RAM, pages, rights
    Word base = 0, size = 0;
    std::uint32_t rights = 0;
    // threads
    Wait wait = Wait::inactive;
    int at = nobody; // endpoint or notification it waits at
    Word order = 0;  // since when, among those that wait there
    int caller = nobody, callee = nobody;
    bool fault_pending = false, started = false;
    int context = nobody, fault_endpoint = nobody, bound = nobody, vcpu = nobody;
    Word badge = 0, fault_badge = 0;
    Word tag = 0, seed = 0; // of the message it sends
    bool one_way = false;
    bool post_is_next = false; // endpoints: calls and one-way messages take turns
    unsigned priority = 0;
    // A puppet that serves without time of its own has what the worker took from it here, until it works for
    // nobody any more.
    int lost_context = nobody;
    bool was_orphan = false;       // its client went away meanwhile: whoever calls its endpoint helps it
    std::uint32_t sent_rights = 0; // of the capability that it sends with
    Selector receive_slot = 0, item_source = 0;
    std::uint32_t item_rights = 0;
    Word item_badge = 0;
    Word buffer = 0; // address
    Word fault_address = 0, fault_code = 0;
    // notifications: bits; contexts: limit, budget in `base`, period in `size`; `owner` of contexts,
    // notifications (bound thread) and vCPUs
    Word bits = 0;
    unsigned limit = 0;
    int owner = nobody;
};

struct Puppet {
    int thread = nobody;
    Word sequence = 0;    // of the last command
    bool changed = false; // its state is to be compared
    bool ended = false;   // and the outcome of its command
    Outcome outcome = {};
};

struct Model {
    Object objects[max_objects];
    Task tasks[max_tasks];
    Puppet puppets[max_puppets];
    Word clock = 0;           // orders waiters
    bool about_ipc = false;   // this round is mostly about messages between puppets
    bool helping = false;     // somebody was an orphan in this round: who waits to call may be helping
    Word ram_word[ram_pages]; // second word of each page of the worker's RAM

    Object& operator[](int i) { return objects[i]; }
    int make(Kind kind, int pool); // nobody when the model is full
    int task_index(int object) const;
    // Whether what is in pool `inner` goes with pool `outer`.
    bool inside(int inner, int outer) const;
    bool outlives(int object, int pool) const;
    void kill(int object); // and all that goes with it
    void kill_pool(int pool);
    void revoke(Word id); // what was derived from a capability
    void empty(Slot& slot);
    // The waiter that came first, or nobody.
    int first_waiter(Wait wait, int at) const;
    int first_sender(int endpoint, bool one_way) const;
    int next_sender(int endpoint, bool passive); // whose turn it is, and then the other kind's

    // Threads
    void complete(int thread, Outcome outcome); // a blocked command ends
    void finish(int thread, Error error);
    void stop(int thread);
    void leave(int thread); // partners are set free; it waits nowhere
    void block(int thread, Wait wait, int at);
    void drop_callee(int thread);                              // who works for it does so for nobody
    void send(int caller, int endpoint, bool one_way = false); // else a call or fault message
    void receive(int thread, int endpoint);
    bool has_time(int thread) const;                    // its own, or somebody's for whom it works
    bool would_receive(int thread, int endpoint) const; // at once
    // The capability item of a message, if it has one; true if it comes.
    bool pass_capability(int from, int to, Word tag, std::uint32_t through);
    void fault(int thread);
    void signal(int notification, Word bits);
    bool deliver_bound(int thread);
};
extern Model model;

// Message words and buffer words from a seed.
constexpr Word message_word(Word seed, unsigned i) {
    Word x = (seed ^ (i + 1) * 0x9e37'79b9'7f4a'7c15) * 0xd6e8'feb8'6659'fd93;
    return x ^ x >> 32;
}

// The errors that an operation may answer with: at least one if any condition holds, else ok.
struct Expect {
    std::uint32_t allowed = 0;
    int memory = nobody - 1;  // pool that may be exhausted; nobody: the worker's own
    int memory2 = nobody - 1; // and a second one
    Expect& on(bool condition, Error error) {
        allowed |= condition ? 1u << static_cast<unsigned>(error) : 0;
        return *this;
    }
    bool fine() const { return allowed == 0; }
};

} // namespace fuzz
