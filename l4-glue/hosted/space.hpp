// SPDX-License-Identifier: BSD-2-Clause
// A BSD address space of the hosted platform: windows of the RAM file and the image in a process of its own
// (process.hpp), which has the stub (stub/layout.hpp), too.
#pragma once

#include "glue/address_space.hpp"
#include "l4-glue/hosted/process.hpp"

#include <map>
#include <mutex>
#include <vector>

namespace glue::hosted {

class Space {
public:
    // Null when the host refuses a process. Some are kept in readiness (l4-glue/hosted/nursery.cpp).
    static Space* create();
    // Takes a space away from its user: when this returns, none of its threads can reach any of the jail's
    // memory.
    static void retire(Space* space);
    Space(const Space&) = delete;
    Space& operator=(const Space&) = delete;

    // These return when the process's memory is as asked, or when the process has been killed because that
    // could not be had; map() then returns false. Ranges do not touch the stub, or they are refused. What is
    // mapped before anything has run there is put off until something will, and what is protected between
    // hold() and let_go() until then: each call in a process costs context switches.
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

    Process& process() { return *process_; }

private:
    friend class Nursery;
    Space() = default;
    bool start();
    bool forsake();
    bool catch_up_locked();
    void forget_mapped(std::uint64_t start, std::uint64_t end);
    bool drop_all();

    std::mutex mutex_;                              // guards what follows
    std::map<std::uint64_t, std::uint64_t> mapped_; // ranges that may hold mappings, start to end
    std::vector<Request> put_off_;                  // requests that are still to be made
    bool holding_ = false;                          // between hold() and let_go()
    bool prepared_ = false;                         // atomic: something may have been mapped

    std::unique_ptr<Process> process_; // immutable once it has been made
};

} // namespace glue::hosted
