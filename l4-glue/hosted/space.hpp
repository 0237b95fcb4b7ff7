// SPDX-License-Identifier: BSD-2-Clause
// A BSD address space of the hosted platform: a Linux process of its own that holds windows of the RAM file,
// the image, and the stub (stub/layout.hpp). Its agent makes the calls that change it, each of which this
// side lets pass by seccomp user notification; its other threads run BSD code, one a vCPU. docs/hosted.md has
// the security argument.
//
// Nothing that a BSD process can write is believed: what is known about it comes from its listener and its
// pidfd.
#pragma once

#include "glue/address_space.hpp"
#include "l4-glue/hosted/stub/layout.hpp"

#include <map>
#include <mutex>
#include <vector>

#include <sys/types.h>

namespace glue::hosted {

// The files whose windows spaces map; before the first space is made.
void set_files(int ram, int image);

class Space {
public:
    // Null when the host refuses a process. Some are kept in readiness (l4-glue/hosted/nursery.cpp).
    static Space* create();
    // Takes a space away from its user: when this returns, none of its threads can reach any of the jail's
    // memory.
    static void retire(Space* space);
    ~Space();
    Space(const Space&) = delete;
    Space& operator=(const Space&) = delete;

    // These return when the process's memory is as asked, or when the process has been killed because that
    // could not be had; map() then returns false. Ranges do not touch the stub, or they are refused. What is
    // mapped before anything has run there is put off until something will, and what is protected between
    // hold() and let_go() until then: each conversation with the agent costs context switches.
    bool map(std::uint64_t address, Source source, std::uint64_t offset, std::size_t size, int protection);
    void unmap(std::uint64_t address, std::size_t size);
    void protect(std::uint64_t address, std::size_t size, int protection);
    void hold();
    void let_go();
    // Before a BSD thread runs in it.
    void prepare() {
        if (!__atomic_load_n(&prepared_, __ATOMIC_ACQUIRE)) [[unlikely]]
            let_go();
    }

    Slot& slot(unsigned cpu) { return *reinterpret_cast<Slot*>(slot_bytes(cpu)); }
    std::byte* slot_bytes(unsigned cpu) {
        return memory_ + (stub_slots - stub_control) + cpu * stub_slot_size;
    }
    // Interrupts a vCPU's thread wherever it is.
    void interrupt(unsigned cpu);
    // For who waits for a vCPU's thread: refuses calls that it should not have made, sees that the process is
    // gone.
    void look();
    // It made a call that only the agent may make, since this was asked last.
    bool take_offence(unsigned cpu) { return __atomic_exchange_n(&offences_[cpu], false, __ATOMIC_SEQ_CST); }
    bool dead() const { return __atomic_load_n(&dead_, __ATOMIC_SEQ_CST); }
    // Ends the process; when this returns nothing of it runs any more.
    void kill();
    pid_t pid() const { return pid_; }

private:
    friend class Nursery;
    Space() = default;
    bool start();
    bool forsake();
    bool shake_hands();
    bool perform_locked(const Request* requests, unsigned count, bool& failed);
    bool catch_up_locked();
    bool receive(struct Notification& notification, bool wait);
    void refuse(const struct Notification& notification);
    void kill_locked();
    void forget_mapped(std::uint64_t start, std::uint64_t end);
    bool drop_all();

    std::mutex mutex_; // guards the conversation with the agent, and what follows
    std::map<std::uint64_t, std::uint64_t> mapped_; // ranges that may hold mappings, start to end
    std::vector<Request> put_off_;                  // requests that are still to be made
    bool holding_ = false;                          // between hold() and let_go()
    bool prepared_ = false;                         // atomic: something may have been mapped
    std::uint64_t idle_ = 0;                        // the agent's call that waits for work
    bool dead_ = false;                             // atomic: set once

    int pidfd_ = -1, listener_ = -1; // immutable after create()
    std::byte* memory_ = nullptr;    // likewise: the agent's page, then the slots
    pid_t pid_ = 0, thread_[abi::max_cores] = {};
    bool offences_[abi::max_cores] = {}; // atomic
};

} // namespace glue::hosted
