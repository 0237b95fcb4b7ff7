// SPDX-License-Identifier: BSD-2-Clause
#include "irq-threads/irq_thread.hpp"

namespace irq {

namespace {
void add(std::uint64_t& counter) {
    __atomic_store_n(&counter, __atomic_load_n(&counter, __ATOMIC_RELAXED) + 1, __ATOMIC_RELAXED);
}
} // namespace

glue::Outcome<void> IrqThread::create(const Parameters& p) {
    top_half_ = p.top_half;
    argument_ = p.argument;
    target_ = p.target;
    storm_limit_ = p.storm_limit;
    storm_window_ = p.storm_window;
    notification_ = TRY(glue::Notification::create(p.pool, p.core));
    stop_ = TRY(notification_.badged(bit_stop));
    timer_ = TRY(glue::Timer::create(p.pool, notification_, bit_timer));
    return {};
}

glue::Outcome<void> IrqThread::run(const Parameters& p) {
    glue::Thread::Parameters thread;
    thread.pool = p.pool;
    thread.core = p.core;
    thread.priority = p.priority;
    thread.scheduling = p.scheduling;
    thread.buffer = p.buffer;
    thread_ = TRY(glue::Thread::create(thread));
    return thread_.start(main, this, p.stack + p.stack_size);
}

glue::Outcome<void> IrqThread::start(const Parameters& p, abi::Selector irqs, unsigned line) {
    TRY(create(p));
    irq_ = TRY(glue::Irq::create(irqs, p.pool, line, notification_, bit_interrupt, p.priority));
    has_line_ = true;
    return run(p);
}

glue::Outcome<void> IrqThread::start_periodic(const Parameters& p, glue::Nanoseconds first,
                                              glue::Nanoseconds period) {
    if (period == glue::Nanoseconds{0})
        return Failure(glue::Error::bad_argument);
    TRY(create(p));
    next_ = first;
    period_ = period;
    return run(p);
}

void IrqThread::stop() {
    stop_.signal();
}

void IrqThread::main(void* self) {
    auto& thread = *static_cast<IrqThread*>(self);
    if (!thread.has_line_)
        thread.timer_.set(glue::Clock::to_ticks(thread.next_));
    while (thread.serve(thread.notification_.wait()))
        ;
    thread.thread_.stop();
}

// False when the thread shall end: stop() was called, or the notification is gone.
bool IrqThread::serve(std::uint64_t bits) {
    if (bits == 0 || (bits & bit_stop)) {
        timer_.cancel();
        return false;
    }
    if (has_line_) {
        if (bits & bit_interrupt)
            run_top_half();
        if ((bits & bit_timer) && held_back_) { // the window of a storm is over
            held_back_ = false;
            irq_.acknowledge();
        } else if (bits & bit_interrupt) {
            acknowledge();
        }
        return true;
    }
    run_top_half();
    glue::Nanoseconds now = glue::Clock::now();
    do // periods that were missed are skipped, in phase
        next_ = next_ + period_;
    while (next_ <= now);
    timer_.set(glue::Clock::to_ticks(next_));
    return true;
}

void IrqThread::run_top_half() {
    glue::Ticks begin = glue::Clock::ticks();
    add(counters_.interrupts);
    if (top_half_(argument_)) {
        add(counters_.signals);
        target_.signal();
    }
    std::uint64_t ticks = (glue::Clock::ticks() - begin).value;
    if (ticks > counters_.longest)
        __atomic_store_n(&counters_.longest, ticks, __ATOMIC_RELAXED);
}

// Unmasks the line, or holds it back until the window ends if it has been too busy.
void IrqThread::acknowledge() {
    glue::Ticks now = glue::Clock::ticks();
    if (now >= window_end_) {
        window_end_ = glue::Clock::to_ticks(glue::Clock::now() + storm_window_);
        in_window_ = 0;
    }
    if (++in_window_ <= storm_limit_)
        return irq_.acknowledge();
    add(counters_.throttled);
    held_back_ = true;
    timer_.set(window_end_);
}

Counters IrqThread::counters() const {
    return {__atomic_load_n(&counters_.interrupts, __ATOMIC_RELAXED),
            __atomic_load_n(&counters_.signals, __ATOMIC_RELAXED),
            __atomic_load_n(&counters_.throttled, __ATOMIC_RELAXED),
            __atomic_load_n(&counters_.longest, __ATOMIC_RELAXED)};
}

} // namespace irq
