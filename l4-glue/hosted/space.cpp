// SPDX-License-Identifier: BSD-2-Clause
// What is mapped in an address space, and how it changes.
#include "l4-glue/hosted/space.hpp"

#include <sys/mman.h>
#include <sys/syscall.h>

namespace glue::hosted {

namespace {
constexpr std::uint64_t task_size = 0x7fff'ffff'f000;
constexpr std::size_t populated_size = 256 << 10; // bytes
} // namespace

bool Space::start() {
    process_ = Process::create();
    return process_ != nullptr;
}

// --- what was put off
// ----------------------------------------------------------------------------------------------
// Page tables are a cache for the layers above: what cannot be had is dropped with the rest, and comes back
// by faults. False: the process is dead.
bool Space::catch_up_locked() {
    __atomic_store_n(&prepared_, true, __ATOMIC_RELEASE);
    if (put_off_.empty())
        return !process_->dead();
    bool failed = false;
    bool done = process_->perform(put_off_.data(), static_cast<unsigned>(put_off_.size()), failed);
    put_off_.clear();
    if (done && failed && !drop_all())
        process_->kill();
    return !process_->dead();
}

void Space::hold() {
    std::lock_guard<std::mutex> lock(mutex_);
    holding_ = true;
}

void Space::let_go() {
    std::lock_guard<std::mutex> lock(mutex_);
    (void)catch_up_locked();
    holding_ = false;
}

// --- what is mapped
// --------------------------------------------------------------------------------------------
void Space::forget_mapped(std::uint64_t start, std::uint64_t end) {
    auto at = mapped_.upper_bound(start);
    if (at != mapped_.begin())
        --at;
    while (at != mapped_.end() && at->first < end) {
        auto [low, high] = *at;
        if (high <= start) {
            ++at;
            continue;
        }
        at = mapped_.erase(at);
        if (low < start)
            mapped_[low] = start;
        if (high > end)
            mapped_[end] = high;
    }
}

// For when the host's limit of mappings is reached.
bool Space::drop_all() {
    const Request all[] = {{SYS_munmap, {0, stub_base, 0, 0, 0, 0}},
                           {SYS_munmap, {stub_end, task_size - stub_end, 0, 0, 0, 0}}};
    bool failed = false;
    mapped_.clear();
    put_off_.clear();
    return process_->perform(all, 2, failed) && !failed;
}

// True when nothing of RAM and image is mapped in it any more, for good.
bool Space::forsake() {
    std::lock_guard<std::mutex> lock(mutex_);
    return prepared_ && !mapped_.empty() ? drop_all() : !process_->dead();
}

bool Space::map(std::uint64_t address, Source source, std::uint64_t offset, std::size_t size,
                int protection) {
    std::lock_guard<std::mutex> lock(mutex_);
    const std::uint64_t descriptor = source == Source::ram ? RAM_DESCRIPTOR : IMAGE_DESCRIPTOR;
    // What is there at once costs no fault later; of more than that, the host's kernel makes what is touched.
    const std::uint64_t now = size <= populated_size ? MAP_POPULATE : 0;
    const Request request{SYS_mmap,
                          {address, size, static_cast<std::uint64_t>(protection),
                           MAP_SHARED | MAP_FIXED | now, descriptor, offset}};
    if (!prepared_ && put_off_.size() < REQUEST_MAX) {
        put_off_.push_back(request);
    } else {
        for (bool again : {true, false}) {
            bool failed = false;
            if (!catch_up_locked() || !process_->perform(&request, 1, failed))
                return false;
            if (!failed)
                break;
            if (!again || !drop_all())
                return false;
        }
    }
    std::uint64_t start = address, end = address + size;
    forget_mapped(start, end);
    auto next = mapped_.lower_bound(end);
    if (next != mapped_.end() && next->first == end) {
        end = next->second;
        next = mapped_.erase(next);
    }
    if (next != mapped_.begin()) {
        auto previous = std::prev(next);
        if (previous->second == start) {
            previous->second = end;
            return true;
        }
    }
    mapped_[start] = end;
    return true;
}

// The stub's place is passed over: nothing else is ever mapped there.
void Space::unmap(std::uint64_t address, std::size_t size) {
    std::lock_guard<std::mutex> lock(mutex_);
    std::uint64_t end = address + size;
    auto at = mapped_.upper_bound(address);
    bool any = (at != mapped_.end() && at->first < end) ||
               (at != mapped_.begin() && std::prev(at)->second > address);
    if (!any)
        return;
    forget_mapped(address, end);
    Request requests[2];
    unsigned count = 0;
    if (address < stub_base)
        requests[count++] = {SYS_munmap, {address, std::min(end, stub_base) - address, 0, 0, 0, 0}};
    if (end > stub_end) {
        std::uint64_t from = std::max(address, stub_end);
        requests[count++] = {SYS_munmap, {from, end - from, 0, 0, 0, 0}};
    }
    bool failed = false;
    if (catch_up_locked() && process_->perform(requests, count, failed) && failed && !drop_all())
        process_->kill(); // it would have split a mapping, there are no more, and not even all can be dropped
}

void Space::protect(std::uint64_t address, std::size_t size, int protection) {
    std::lock_guard<std::mutex> lock(mutex_);
    std::uint64_t end = address + size;
    Request requests[REQUEST_MAX];
    auto at = mapped_.upper_bound(address);
    if (at != mapped_.begin())
        --at;
    while (at != mapped_.end() && at->first < end) {
        unsigned count = 0;
        for (; at != mapped_.end() && at->first < end && count != REQUEST_MAX; ++at) {
            std::uint64_t low = std::max(at->first, address), high = std::min(at->second, end);
            if (low < high)
                requests[count++] = {SYS_mprotect,
                                     {low, high - low, static_cast<std::uint64_t>(protection), 0, 0, 0}};
        }
        if (put_off_.size() + count > REQUEST_MAX && !catch_up_locked())
            return;
        put_off_.insert(put_off_.end(), requests, requests + count);
        if (!holding_ && !catch_up_locked())
            return;
        if (mapped_.empty()) // all was dropped
            return;
    }
}

} // namespace glue::hosted
