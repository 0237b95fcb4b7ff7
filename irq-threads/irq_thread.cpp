// SPDX-License-Identifier: BSD-2-Clause
#include "irq-threads/irq_thread.hpp"

namespace irq {

namespace {
void add(std::uint64_t& counter, std::uint64_t amount = 1) {
    __atomic_store_n(&counter, __atomic_load_n(&counter, __ATOMIC_RELAXED) + amount, __ATOMIC_RELAXED);
}
} // namespace

// --- start
void IrqThread::set_up(const Parameters& p, Source source) {
    source_ = source;
    storm_limit_ = p.storm_limit;
    storm_window_ = p.storm_window;
    if (p.top_half)
        slots_[0] = {slot_used, 0, {p.top_half, p.argument, p.target, p.stamp}};
    serving_ = &first_;
}

// The notification is there already if it was given.
glue::Outcome<void> IrqThread::make(Place& place, const Parameters& p) {
    place.owner = this;
    place.core = p.core;
    place.kick = TRY(place.notification.badged(bit_kick));
    place.timer = TRY(glue::Timer::create(p.pool, place.notification, bit_timer));
    return {};
}

glue::Outcome<void> IrqThread::run(Place& place, const Parameters& p) {
    glue::Thread::Parameters thread;
    thread.pool = p.pool;
    thread.core = p.core;
    thread.priority = p.priority;
    thread.scheduling = p.scheduling;
    thread.buffer = p.buffer;
    place.thread = TRY(glue::Thread::create(thread));
    TRY(place.thread.start(main, &place, p.stack + p.stack_size));
    places_[place_count_++] = &place;
    cores_ |= std::uint64_t{1} << p.core;
    return {};
}

glue::Outcome<void> IrqThread::start(const Parameters& p, abi::Selector irqs, unsigned line) {
    set_up(p, Source::line);
    first_.notification = TRY(glue::Notification::create(p.pool, p.core));
    TRY(make(first_, p));
    irq_ = TRY(glue::Irq::create(irqs, p.pool, line, first_.notification, bit_interrupt, p.priority));
    return run(first_, p);
}

glue::Outcome<void> IrqThread::start_message(const Parameters& p, abi::Selector irqs,
                                             const MessageDevice& device) {
    set_up(p, Source::message);
    device_ = device;
    first_.notification = TRY(glue::Notification::create(p.pool, p.core));
    TRY(make(first_, p));
    glue::InterruptMessage message;
    irq_ =
        TRY(glue::Irq::create_message(irqs, p.pool, first_.notification, bit_interrupt, p.priority, message));
    device_.mask(device_.device, device_.vector, true);
    device_.program(device_.device, device_.vector, message);
    device_.mask(device_.device, device_.vector, false);
    return run(first_, p);
}

glue::Outcome<void> IrqThread::start_given(const Parameters& p, const glue::Notification& notification,
                                           const glue::Irq& irq, const MessageDevice* device) {
    set_up(p, device ? Source::message : Source::line);
    if (device)
        device_ = *device;
    first_.notification = notification;
    TRY(make(first_, p));
    irq_ = irq;
    return run(first_, p);
}

glue::Outcome<void> IrqThread::start_periodic(const Parameters& p, glue::Nanoseconds first,
                                              glue::Nanoseconds period) {
    if (period == glue::Nanoseconds{0})
        return Failure(glue::Error::bad_argument);
    set_up(p, Source::timer);
    first_.notification = TRY(glue::Notification::create(p.pool, p.core));
    TRY(make(first_, p));
    next_ = first;
    period_ = period;
    return run(first_, p);
}

glue::Outcome<void> IrqThread::prepare(Place& place, const Parameters& p) {
    if (place_count_ == sizeof places_ / sizeof *places_)
        return Failure(glue::Error::limit);
    place.notification = TRY(glue::Notification::create(p.pool, p.core));
    TRY(make(place, p));
    return run(place, p);
}

void IrqThread::stop() {
    __atomic_store_n(&stopping_, true, __ATOMIC_SEQ_CST);
    for (unsigned n = 0; n != place_count_; ++n)
        places_[n]->kick.signal();
}

bool IrqThread::move(std::uint32_t core) {
    if (source_ == Source::timer || (source_ == Source::message && !device_.program))
        return false;
    for (unsigned n = 0; n != place_count_; ++n)
        if (places_[n]->core == core) {
            __atomic_store_n(&wanted_, places_[n], __ATOMIC_SEQ_CST);
            __atomic_load_n(&serving_, __ATOMIC_SEQ_CST)->kick.signal();
            return true;
        }
    return false;
}

std::uint32_t IrqThread::core() const {
    return __atomic_load_n(&serving_, __ATOMIC_SEQ_CST)->core;
}

// --- drivers
glue::Outcome<unsigned> IrqThread::attach(const Driver& driver) {
    for (unsigned n = 0; n != max_drivers; ++n) {
        if (__atomic_load_n(&slots_[n].state, __ATOMIC_RELAXED) != slot_free)
            continue;
        slots_[n].driver = driver;
        __atomic_store_n(&slots_[n].state, slot_used, __ATOMIC_SEQ_CST);
        __atomic_load_n(&serving_, __ATOMIC_SEQ_CST)->kick.signal(); // the line may be masked for want of it
        return n;
    }
    return Failure(glue::Error::limit);
}

// A turn that begins after the state is set does not see the driver; one that goes on may.
void IrqThread::detach(unsigned driver) {
    Slot& slot = slots_[driver];
    __atomic_store_n(&slot.state, slot_going, __ATOMIC_SEQ_CST);
    slot.left_in = __atomic_load_n(&turn_, __ATOMIC_SEQ_CST);
}

bool IrqThread::forgotten(unsigned driver) {
    Slot& slot = slots_[driver];
    if (__atomic_load_n(&slot.state, __ATOMIC_RELAXED) == slot_going) {
        if (slot.left_in % 2 != 0 && __atomic_load_n(&turn_, __ATOMIC_SEQ_CST) == slot.left_in)
            return false;
        __atomic_store_n(&slot.state, slot_free, __ATOMIC_RELAXED);
    }
    return true;
}

// --- the threads
void IrqThread::main(void* argument) {
    auto& place = *static_cast<Place*>(argument);
    IrqThread& line = *place.owner;
    if (line.source_ == Source::timer)
        place.timer.set(glue::Clock::to_ticks(line.next_));
    if (line.source_ == Source::message && &place == &line.first_)
        line.serve_interrupt(place);
    while (line.serve(place, place.notification.wait()))
        ;
    place.timer.cancel();
    if (__atomic_add_fetch(&line.leaving_, 1, __ATOMIC_SEQ_CST) == line.place_count_ &&
        line.source_ != Source::timer) {
        line.hold();
        line.irq_.destroy();
    }
    glue::Thread self = place.thread;
    __atomic_fetch_add(&line.ended_, 1, __ATOMIC_SEQ_CST);
    self.stop();
}

// False when the thread shall end: stop() was called, or the notification is gone.
bool IrqThread::serve(Place& place, std::uint64_t bits) {
    if (bits == 0 || __atomic_load_n(&stopping_, __ATOMIC_SEQ_CST))
        return false;
    if (__atomic_load_n(&serving_, __ATOMIC_SEQ_CST) != &place)
        return true; // late for a place that has handed over, whose successor has looked since
    if (source_ == Source::timer) {
        if (bits & bit_timer) {
            glue::Nanoseconds now = glue::Clock::now();
            lateness_.record((glue::Clock::ticks() - glue::Clock::to_ticks(next_)).value);
            (void)turn();
            do // periods that were missed are skipped, in phase
                next_ = next_ + period_;
            while (next_ <= now);
            place.timer.set(glue::Clock::to_ticks(next_));
        }
        return true;
    }
    if ((bits & bit_timer) && held_back_) { // the window of a storm is over
        held_back_ = false;
        release();
    }
    if (bits & bit_interrupt)
        serve_interrupt(place);
    if (bits & bit_kick)
        settle_requests(place);
    return true;
}

void IrqThread::serve_interrupt(Place& place) {
    unserved_ = !turn();
    unserved_ ? hold() : acknowledge(place);
}

// A new driver for a line that is masked for want of one, or another place that shall serve.
void IrqThread::settle_requests(Place& place) {
    Place* wanted = __atomic_exchange_n(&wanted_, nullptr, __ATOMIC_SEQ_CST);
    if (wanted && wanted != &place && hand_over(*wanted)) {
        place.timer.cancel();
        add(counters_.moves);
        held_back_ = false;
        unserved_ = true; // a turn, whatever came meanwhile
        __atomic_store_n(&serving_, wanted, __ATOMIC_SEQ_CST);
        wanted->kick.signal();
    } else if (unserved_) {
        serve_interrupt(place);
    }
}

// The kernel delivers to the other place from now on, also what the device still sends as before; what came
// to this one and was not looked at is made good by the other's first turn.
bool IrqThread::hand_over(Place& to) {
    auto message = irq_.route(to.notification);
    if (!message.ok())
        return false;
    if (source_ == Source::message) {
        hold();
        device_.program(device_.device, device_.vector, message.value());
    }
    return true;
}

// Runs all top halves once. False when there is none.
bool IrqThread::turn() {
    glue::Ticks begin = glue::Clock::ticks();
    __atomic_store_n(&turn_, turn_ + 1, __ATOMIC_SEQ_CST);
    bool any = false, work = false;
    for (Slot& slot : slots_) {
        if (__atomic_load_n(&slot.state, __ATOMIC_SEQ_CST) != slot_used)
            continue;
        any = true;
        if (!slot.driver.top_half(slot.driver.argument))
            continue;
        work = true;
        add(counters_.signals);
        if (slot.driver.stamp)
            slot.driver.stamp->set(glue::Clock::ticks().value);
        slot.driver.target.signal();
    }
    __atomic_store_n(&turn_, turn_ + 1, __ATOMIC_SEQ_CST);
    if (!any)
        return false;
    add(counters_.interrupts);
    if (!work)
        add(counters_.unclaimed);
    std::uint64_t ticks = (glue::Clock::ticks() - begin).value;
    turns_.record(ticks);
    add(counters_.ticks, ticks);
    if (ticks > counters_.longest)
        __atomic_store_n(&counters_.longest, ticks, __ATOMIC_RELAXED);
    return true;
}

// Unmasks the line, or holds it back until the window ends if it has been too busy.
void IrqThread::acknowledge(Place& place) {
    glue::Ticks now = glue::Clock::ticks();
    if (now >= window_end_) {
        window_end_ = glue::Clock::to_ticks(glue::Clock::now() + storm_window_);
        in_window_ = 0;
    }
    if (++in_window_ <= storm_limit_)
        return release();
    if (held_back_)
        return; // a message that was on its way
    add(counters_.throttled);
    held_back_ = true;
    hold();
    place.timer.set(window_end_);
}

// A line is masked since its interrupt.
void IrqThread::hold() {
    if (source_ != Source::message || masked_)
        return;
    masked_ = true;
    device_.mask(device_.device, device_.vector, true);
}

// Lets the next interrupt come. A device may have swallowed messages meanwhile: its state tells.
void IrqThread::release() {
    if (source_ == Source::line)
        return irq_.acknowledge();
    if (!masked_)
        return;
    masked_ = false;
    device_.mask(device_.device, device_.vector, false);
    unserved_ = !turn();
    if (unserved_)
        hold();
}

Counters IrqThread::counters() const {
    auto read = [](const std::uint64_t& counter) { return __atomic_load_n(&counter, __ATOMIC_RELAXED); };
    return {read(counters_.interrupts), read(counters_.signals), read(counters_.unclaimed),
            read(counters_.throttled),  read(counters_.moves),   read(counters_.ticks),
            read(counters_.longest)};
}

} // namespace irq
