// SPDX-License-Identifier: BSD-2-Clause
// The conversation with the agent is: it makes its "next" call, whose answer is how many requests lie in its
// page; it makes them one by one, each held up by the kernel until perform() has compared it with what was
// asked; then it makes the next "next" call, by which perform() knows that they are done.
#include "l4-glue/hosted/agent.hpp"

#include "l4-glue/hosted/processors.hpp"
#include "l4-glue/hosted/zygote.hpp"

#include <cerrno>
#include <cstring>

#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace glue::hosted {

struct AgentProcess::Notification : seccomp_notif {};

namespace {

constexpr int agent_patience = 10'000; // ms that an agent may take for one call on a host that is loaded
constexpr unsigned long set_flags_request = SECCOMP_IOW(4, std::uint64_t), wake_on_this_processor = 1;

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

std::unique_ptr<Process> AgentProcess::create() {
    std::unique_ptr<AgentProcess> process(new AgentProcess);
    return process->start() ? std::move(process) : nullptr;
}

AgentProcess::~AgentProcess() {
    kill();
    if (listener_ >= 0)
        close(listener_);
}

bool AgentProcess::start() {
    int file = make_memory();
    if (file < 0)
        return false;
    CreatedMessage created;
    int received[2];
    bool made = zygote.create({glue::start().vcpus, 0}, {&file, 1}, created, received);
    close(file);
    if (!made)
        return false;
    pidfd_ = received[0];
    listener_ = received[1];
    (void)ioctl(listener_, set_flags_request, wake_on_this_processor); // only faster; old kernels refuse
    const Request no_set_up{SYS_munmap, {stub_setup, stub_setup_end - stub_setup, 0, 0, 0, 0}};
    bool failed = false;
    return shake_hands() && perform(&no_set_up, 1, failed) && !failed;
}

// Only set-up code runs in it yet.
bool AgentProcess::shake_hands() {
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

// --- calls
// -----------------------------------------------------------------------------------------------------
bool AgentProcess::receive(Notification& notification, bool wait) {
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
void AgentProcess::refuse(const Notification& notification) {
    for (unsigned cpu = 0; cpu != glue::start().vcpus; ++cpu)
        if (thread_[cpu] == static_cast<pid_t>(notification.pid)) {
            __atomic_store_n(&offences_[cpu], true, __ATOMIC_SEQ_CST);
            interrupt(cpu);
        }
    answer(listener_, notification.id, 0, -EPERM);
}

void AgentProcess::look() {
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

bool AgentProcess::perform_locked(const Request* requests, unsigned count, bool& failed) {
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

bool AgentProcess::perform(const Request* requests, unsigned count, bool& failed) {
    std::lock_guard<std::mutex> lock(mutex_);
    return perform_locked(requests, count, failed);
}

} // namespace glue::hosted
