// SPDX-License-Identifier: BSD-2-Clause
// How an address space is made and changed. The agent's conversation is: it makes its "next" call, whose
// answer is how many requests lie in its page; it makes them one by one, each held up by the kernel until
// perform() has compared it with what was asked; then it makes the next "next" call, by which perform() knows
// that they are done.
#include "l4-glue/hosted/space.hpp"

#include "l4-glue/hosted/zygote.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>

#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace glue::hosted {

struct Notification : seccomp_notif {};

namespace {

constexpr std::uint64_t task_size = 0x7fff'ffff'f000;
constexpr int agent_patience = 10'000; // ms that an agent may take for one call on a host that is loaded
constexpr std::size_t populated_size = 256 << 10; // bytes
constexpr unsigned long set_flags_request = SECCOMP_IOW(4, std::uint64_t), wake_on_this_processor = 1;

int ram_file = -1, image_file = -1; // immutable after set_files()

// A signal that interrupts it has done nothing yet.
int request_of(int listener, unsigned long request, void* argument) {
    int result;
    do
        result = ioctl(listener, request, argument);
    while (result < 0 && errno == EINTR);
    return result;
}

void answer(int listener, std::uint64_t id, std::int64_t value, int error, std::uint32_t flags = 0) {
    seccomp_notif_resp response{id, value, error, flags};
    (void)request_of(listener, SECCOMP_IOCTL_NOTIF_SEND, &response); // fails if the caller is gone
}

bool give_file(int listener, std::uint64_t id, int file, unsigned as) {
    seccomp_notif_addfd add{};
    add.id = id;
    add.flags = SECCOMP_ADDFD_FLAG_SETFD;
    add.srcfd = static_cast<std::uint32_t>(file);
    add.newfd = as;
    return request_of(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add) >= 0;
}

bool same(const seccomp_data& call, const Request& request) {
    if (static_cast<std::uint64_t>(call.nr) != request.number)
        return false;
    for (unsigned i = 0; i != 6; ++i)
        if (call.args[i] != request.arguments[i])
            return false;
    return true;
}

bool is_next(const seccomp_data& call, std::uint64_t role) {
    return call.nr == CALL_NEXT && call.args[0] == role;
}

} // namespace

void set_files(int ram, int image) {
    ram_file = ram;
    image_file = image;
}

bool Space::start() {
    unsigned vcpus = glue::start().vcpus;
    std::size_t size = (stub_slots - stub_control) + vcpus * stub_slot_size;
    int file = memfd_create("libelle-control", MFD_CLOEXEC);
    if (file < 0)
        return false;
    bool made = ftruncate(file, static_cast<off_t>(size)) == 0;
    if (made) {
        void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        if (memory != MAP_FAILED)
            memory_ = static_cast<std::byte*>(memory);
        made = memory_ != nullptr && zygote.create(vcpus, file, pidfd_, listener_);
    }
    close(file);
    if (!made)
        return false;
    (void)ioctl(listener_, set_flags_request, wake_on_this_processor); // only faster; old kernels refuse
    const Request no_set_up{SYS_munmap, {stub_setup, stub_setup_end - stub_setup, 0, 0, 0, 0}};
    std::lock_guard<std::mutex> lock(mutex_);
    bool failed = false;
    return shake_hands() && perform_locked(&no_set_up, 1, failed) && !failed;
}

// Only set-up code runs in it yet.
bool Space::shake_hands() {
    for (unsigned n = 0; n != glue::start().vcpus + 1; ++n) {
        Notification each;
        if (!receive(each, true) || each.data.nr != CALL_NEXT)
            return false;
        auto thread = static_cast<pid_t>(each.pid);
        if (std::uint64_t role = each.data.args[0]; role == ROLE_AGENT) {
            pid_ = thread;
            idle_ = each.id;
        } else if (role < glue::start().vcpus) {
            thread_[role] = thread;
            settle(thread, static_cast<unsigned>(role));
            answer(listener_, each.id, 0, 0);
        }
    }
    return idle_ != 0;
}

Space::~Space() {
    kill();
    if (memory_)
        munmap(memory_, (stub_slots - stub_control) + glue::start().vcpus * stub_slot_size);
    for (int each : {pidfd_, listener_})
        if (each >= 0)
            close(each);
}

void Space::kill() {
    std::lock_guard<std::mutex> lock(mutex_);
    kill_locked();
}

void Space::kill_locked() {
    if (dead())
        return;
    __atomic_store_n(&dead_, true, __ATOMIC_SEQ_CST);
    if (pidfd_ < 0)
        return;
    (void)syscall(SYS_pidfd_send_signal, pidfd_, SIGKILL, nullptr, 0);
    pollfd gone{pidfd_, POLLIN, 0};
    while (poll(&gone, 1, -1) < 0 && errno == EINTR) {
    }
}

// --- calls
// -----------------------------------------------------------------------------------------------------
bool Space::receive(Notification& notification, bool wait) {
    for (;;) {
        pollfd ready{listener_, POLLIN, 0};
        int count = poll(&ready, 1, wait ? agent_patience : 0);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0 || (ready.revents & POLLIN) == 0)
            return false;
        std::memset(&notification, 0, sizeof notification);
        if (ioctl(listener_, SECCOMP_IOCTL_NOTIF_RECV, &notification) == 0)
            return true;
        if (errno != EINTR && errno != ENOENT) // ENOENT: the caller was interrupted meanwhile
            return false;
    }
}

// A call of a thread of BSD code, which jumped into the trampoline.
void Space::refuse(const Notification& notification) {
    for (unsigned cpu = 0; cpu != glue::start().vcpus; ++cpu)
        if (thread_[cpu] == static_cast<pid_t>(notification.pid)) {
            __atomic_store_n(&offences_[cpu], true, __ATOMIC_SEQ_CST);
            interrupt(cpu);
        }
    answer(listener_, notification.id, 0, -EPERM);
}

void Space::look() {
    std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
    if (!lock || dead())
        return;
    pollfd gone{pidfd_, POLLIN, 0};
    if (poll(&gone, 1, 0) > 0)
        return kill_locked();
    Notification notification;
    while (receive(notification, false))
        refuse(notification);
}

void Space::interrupt(unsigned cpu) {
    if (thread_[cpu] > 0 && !dead())
        (void)syscall(SYS_tgkill, pid_, thread_[cpu], SIGUSR1);
}

bool Space::perform_locked(const Request* requests, unsigned count, bool& failed) {
    if (dead())
        return false;
    bool done = [&] {
        bool wants[2] = {false, false};
        for (unsigned i = 0; i != count; ++i)
            if (requests[i].number == SYS_mmap)
                wants[requests[i].arguments[4] == RAM_DESCRIPTOR ? 0 : 1] = true;
        std::memcpy(memory_, requests, count * sizeof *requests);
        if ((wants[0] && !give_file(listener_, idle_, ram_file, RAM_DESCRIPTOR)) ||
            (wants[1] && !give_file(listener_, idle_, image_file, IMAGE_DESCRIPTOR)))
            return false;
        answer(listener_, idle_, count, 0);
        Notification call;
        for (unsigned i = 0; i <= count;) {
            if (!receive(call, true))
                return false;
            if (static_cast<pid_t>(call.pid) != pid_) {
                refuse(call);
                continue;
            }
            if (i == count) {
                if (!is_next(call.data, ROLE_AGENT))
                    return false;
            } else if (same(call.data, requests[i])) {
                answer(listener_, call.id, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
            } else {
                return false;
            }
            ++i;
        }
        idle_ = call.id;
        failed = call.data.args[1] != 0;
        return true;
    }();
    if (!done)
        kill_locked();
    return done;
}

// --- what was put off
// ----------------------------------------------------------------------------------------------
// Page tables are a cache for the layers above: what cannot be had is dropped with the rest, and comes back
// by faults. False: the process is dead.
bool Space::catch_up_locked() {
    __atomic_store_n(&prepared_, true, __ATOMIC_RELEASE);
    if (put_off_.empty())
        return !dead();
    bool failed = false;
    bool done = perform_locked(put_off_.data(), static_cast<unsigned>(put_off_.size()), failed);
    put_off_.clear();
    if (done && failed && !drop_all())
        kill_locked();
    return !dead();
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
    return perform_locked(all, 2, failed) && !failed;
}

// True when nothing of RAM and image is mapped in it any more, for good.
bool Space::forsake() {
    std::lock_guard<std::mutex> lock(mutex_);
    return prepared_ && !mapped_.empty() ? drop_all() : !dead();
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
            if (!catch_up_locked() || !perform_locked(&request, 1, failed))
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
    if (catch_up_locked() && perform_locked(requests, count, failed) && failed && !drop_all())
        kill_locked(); // it would have split a mapping, there are no more, and not even all can be dropped
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
