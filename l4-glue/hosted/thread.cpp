// SPDX-License-Identifier: BSD-2-Clause
#include "glue/thread.hpp"

#include <map>
#include <vector>

namespace glue {

namespace hosted {
namespace {
constexpr abi::Selector vcpu_notifications = 1000; // selectors of the vCPUs' notifications begin here
constexpr unsigned first_vector = 0x1'0000;        // messages are lines with numbers from here on
std::mutex lines_mutex;
std::map<unsigned, IrqState> lines;
std::vector<std::thread> threads;

void post(NotificationState& state, std::uint64_t bits) {
    if (state.vcpu)
        return state.vcpu->signal(bits);
    std::lock_guard<std::mutex> lock(state.mutex);
    state.bits |= bits;
    state.changed.notify_all();
}

void deliver(IrqState& line) { // lines_mutex is held
    if (line.masked || !line.raised)
        return;
    line.masked = true;
    line.raised = false;
    post(*line.target, line.bits);
}

InterruptMessage message_of(unsigned line) { // lines_mutex is held
    if (line < first_vector)
        return {};
    return {0xfee0'0000u | std::uint64_t{lines[line].target->core} << 12, line};
}
} // namespace

void send_message(const InterruptMessage& message) {
    HostCall host;
    std::lock_guard<std::mutex> lock(lines_mutex);
    auto found = lines.find(message.data);
    if (found != lines.end())
        post(*found->second.target, found->second.bits);
}

void raise_line(unsigned line) {
    HostCall host;
    std::lock_guard<std::mutex> lock(lines_mutex);
    auto found = lines.find(line);
    if (found == lines.end())
        return;
    found->second.raised = true;
    deliver(found->second);
}

void join_threads() {
    for (std::thread& thread : threads)
        thread.join();
    threads.clear();
    std::lock_guard<std::mutex> lock(lines_mutex);
    lines.clear();
}
} // namespace hosted

abi::Selector Vcpu::notification() const {
    for (unsigned cpu = 0; cpu < count(); ++cpu)
        if (&of(CpuId{cpu}) == this)
            return hosted::vcpu_notifications + cpu;
    return 0;
}

Notification::Notification(abi::Selector selector) : state_(std::make_shared<hosted::NotificationState>()) {
    state_->vcpu = &Vcpu::of(CpuId{selector - hosted::vcpu_notifications});
}

Outcome<Notification> Notification::create(abi::Selector, std::uint32_t core) {
    Notification made;
    made.state_ = std::make_shared<hosted::NotificationState>();
    made.state_->core = core;
    return made;
}

Outcome<Notification> Notification::badged(std::uint64_t bits) const {
    Notification made = *this;
    made.badge_ = bits;
    return made;
}

void Notification::signal() const {
    hosted::HostCall host;
    if (state_)
        hosted::post(*state_, badge_);
}

std::uint64_t Notification::wait() const {
    std::unique_lock<std::mutex> lock(state_->mutex);
    for (;;) {
        if (state_->timer <= Clock::ticks()) {
            state_->timer = no_deadline;
            state_->bits |= state_->timer_bits;
        }
        if (state_->bits != 0)
            return std::exchange(state_->bits, 0);
        if (state_->timer == no_deadline)
            state_->changed.wait(lock);
        else
            state_->changed.wait_until(lock, hosted::host_time(state_->timer));
    }
}

std::uint64_t Notification::poll() const {
    hosted::HostCall host;
    std::lock_guard<std::mutex> lock(state_->mutex);
    return std::exchange(state_->bits, 0);
}

Outcome<Timer> Timer::create(abi::Selector, const Notification& notification, std::uint64_t bits) {
    Timer made;
    made.state_ = notification.state_;
    made.state_->timer_bits = bits;
    return made;
}

void Timer::set(Ticks deadline) const {
    hosted::HostCall host;
    std::lock_guard<std::mutex> lock(state_->mutex);
    state_->timer = deadline;
    state_->changed.notify_all();
}

Outcome<Irq> Irq::create(abi::Selector, abi::Selector, unsigned line, const Notification& notification,
                         std::uint64_t bits, unsigned) {
    hosted::HostCall host;
    std::lock_guard<std::mutex> lock(hosted::lines_mutex);
    if (hosted::lines.count(line))
        return Failure(Error::occupied);
    hosted::lines[line] = {notification.state_, bits, false, false};
    Irq made;
    made.line_ = line;
    return made;
}

Outcome<Irq> Irq::create_message(abi::Selector, abi::Selector, const Notification& notification,
                                 std::uint64_t bits, unsigned, InterruptMessage& message) {
    hosted::HostCall host;
    std::lock_guard<std::mutex> lock(hosted::lines_mutex);
    Irq made;
    made.line_ = hosted::first_vector;
    while (hosted::lines.count(made.line_))
        ++made.line_;
    hosted::lines[made.line_] = {notification.state_, bits, false, false};
    message = hosted::message_of(made.line_);
    return made;
}

void Irq::destroy() {
    hosted::HostCall host;
    std::lock_guard<std::mutex> lock(hosted::lines_mutex);
    hosted::lines.erase(line_);
}

void Irq::acknowledge() const {
    hosted::HostCall host;
    std::lock_guard<std::mutex> lock(hosted::lines_mutex);
    hosted::lines[line_].masked = false;
    hosted::deliver(hosted::lines[line_]);
}

Outcome<InterruptMessage> Irq::route(const Notification& notification) const {
    hosted::HostCall host;
    std::lock_guard<std::mutex> lock(hosted::lines_mutex);
    hosted::lines[line_].target = notification.state_;
    return hosted::message_of(line_);
}

Outcome<void> Thread::start(void (*function)(void*), void* argument, void*) const {
    hosted::threads.emplace_back(function, argument);
    return {};
}

} // namespace glue
