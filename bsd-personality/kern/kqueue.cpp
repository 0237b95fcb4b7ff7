// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/kqueue.hpp"

#include "bsd-personality/kern/proc.hpp"
#include "bsd-personality/kern/sleep.hpp"
#include "bsd-personality/kern/time.hpp"
#include "glue/clock.hpp"
#include "lwkt/slab.hpp"
#include "lwkt/sleepqueue.hpp"

namespace bsd {

SysResult<FileRef> Kqueue::create(FileTable& table) {
    auto* queue = lwkt::construct<Kqueue>(table);
    if (!queue)
        return Failure(Errno::enomem);
    queue->next_in_table = table.kqueues;
    table.kqueues = queue;
    return FileRef::adopt(queue);
}

void Kqueue::destroy() {
    if (table_) {
        for (Kqueue** link = &table_->kqueues; *link; link = &(*link)->next_in_table)
            if (*link == this) {
                *link = next_in_table;
                break;
            }
    }
    for (Knote*& head : bucket_)
        while (Knote* knote = head)
            remove(*knote);
    if (!retired_.empty())
        free_retired(true);
    lwkt::destroy(this);
}

Knote** Kqueue::bucket(std::uint64_t ident, std::int16_t filter) {
    std::uint64_t mixed = (ident ^ ident >> 12) + static_cast<std::uint64_t>(-filter) * 13;
    return &bucket_[mixed % buckets];
}

Knote* Kqueue::find(std::uint64_t ident, std::int16_t filter) {
    for (Knote* knote = *bucket(ident, filter); knote; knote = knote->next_in_bucket)
        if (knote->event.ident == ident && knote->event.filter == filter)
            return knote;
    return nullptr;
}

void Kqueue::remove(Knote& knote) {
    for (Knote** link = bucket(knote.event.ident, knote.event.filter); *link; link = &(*link)->next_in_bucket)
        if (*link == &knote) {
            *link = knote.next_in_bucket;
            break;
        }
    EventSource::detach(knote);
    active_.remove(&knote);
    // A timer's function may already wait for the giant token; the memory stays until it has been and gone.
    knote.queue = nullptr;
    if (knote.event.filter == filter_timer) {
        (void)knote.timer.stop();
        retired_.push_back(&knote);
        free_retired(false);
        return;
    }
    lwkt::destroy(&knote);
}

// Callout::drain() blocks, so that the giant token is lost: only done at the end of the queue, where nobody
// else can see it any more. Before that, timers are kept until there are many.
void Kqueue::free_retired(bool all) {
    unsigned count = 0;
    for (Knote* knote = retired_.first(); knote; knote = retired_.next(knote))
        count++;
    if (!all && count < 64)
        return;
    List<Knote, &Knote::in_active> going;
    while (Knote* knote = retired_.pop_front())
        going.push_back(knote);
    while (Knote* knote = going.pop_front()) {
        knote->timer.drain();
        lwkt::destroy(knote);
    }
}

SysResult<void> Kqueue::change(Lwp& lwp, const KernelEvent& change) {
    Knote* knote = find(change.ident, change.filter);
    if (change.flags & event_add) {
        bool known = knote != nullptr;
        if (known) {
            knote->event.udata = change.udata;
            for (unsigned i = 2; i < 4; i++)
                knote->event.ext[i] = change.ext[i];
            knote->event.flags = change.flags & (event_oneshot | event_clear | event_dispatch);
            if (change.filter != filter_user) {
                knote->wanted = change.fflags;
                knote->threshold = change.data;
            }
            if (change.filter == filter_timer)
                TRY(start_timer(*knote));
        } else {
            knote = TRY(add(lwp, change));
        }
    } else if (!knote) {
        return Failure(Errno::enoent);
    }
    if (change.flags & event_delete) {
        remove(*knote);
        return {};
    }
    if (change.filter == filter_user)
        touch_user(*knote, change);
    if (change.flags & event_disable)
        knote->disabled = true;
    if (change.flags & event_enable)
        knote->disabled = false;
    if (evaluate(*knote))
        activate(*knote);
    if (knote->disabled)
        active_.remove(knote);
    else if (knote->active && !active_.contains(knote))
        activate(*knote);
    return {};
}

SysResult<Knote*> Kqueue::add(Lwp& lwp, const KernelEvent& change) {
    auto* knote = lwkt::construct<Knote>();
    if (!knote)
        return Failure(Errno::enomem);
    knote->event = change;
    knote->event.flags &= event_oneshot | event_clear | event_dispatch;
    knote->event.fflags = 0;
    knote->event.data = 0;
    knote->queue = this;
    knote->wanted = change.fflags;
    knote->threshold = change.data;
    auto attached = attach(lwp, *knote);
    if (!attached.ok()) {
        lwkt::destroy(knote);
        return Failure(attached.error());
    }
    Knote** head = bucket(change.ident, change.filter);
    knote->next_in_bucket = *head;
    *head = knote;
    return knote;
}

SysResult<void> Kqueue::attach(Lwp& lwp, Knote& knote) {
    EventSource* source = nullptr;
    switch (knote.event.filter) {
    case filter_read:
    case filter_write:
    case filter_empty:
    case filter_vnode: {
        if (knote.event.ident > static_cast<std::uint64_t>(FileTable::limit))
            return Failure(Errno::ebadf);
        knote.file = TRY(lwp.proc.files->find(static_cast<int>(knote.event.ident)));
        if (knote.file == this)
            return Failure(Errno::einval);
        if (knote.event.filter == filter_vnode) {
            Vnode* vnode = knote.file->vnode();
            if (!vnode)
                return Failure(Errno::einval);
            if (!vnode->vnode_events && !(vnode->vnode_events = lwkt::construct<EventSource>()))
                return Failure(Errno::enomem);
            source = vnode->vnode_events;
        } else {
            source =
                knote.file->events(knote.event.filter == filter_read ? Direction::read : Direction::write);
        }
        break;
    }
    case filter_proc: {
        Proc* proc = find_process(static_cast<pid_t>(knote.event.ident));
        if (!proc || knote.event.ident > static_cast<std::uint64_t>(max_pid))
            return Failure(Errno::esrch);
        if (proc->state == ProcState::zombie) {
            if (knote.wanted & note_exit) { // it has ended already: says so at once
                knote.event.fflags |= note_exit;
                knote.event.data = proc->wait_status;
                knote.event.flags |= event_eof | event_oneshot;
                knote.active = true;
            }
            break;
        }
        knote.event.flags |= event_clear;
        source = &proc->events;
        break;
    }
    case filter_signal:
        if (knote.event.ident == 0 || knote.event.ident > 128)
            return Failure(Errno::einval);
        knote.event.flags |= event_clear;
        source = &lwp.proc.events;
        break;
    case filter_timer:
        return start_timer(knote);
    case filter_user:
        break;
    default:
        return Failure(Errno::einval);
    }
    if (source)
        source->attach(knote);
    return {};
}

void Kqueue::touch_user(Knote& knote, const KernelEvent& change) {
    std::uint32_t bits = change.fflags & 0x00ff'ffff;
    switch (change.fflags & note_ff_mask) {
    case note_ff_and:
        knote.event.fflags &= bits;
        break;
    case note_ff_or:
        knote.event.fflags |= bits;
        break;
    case note_ff_copy:
        knote.event.fflags = bits;
        break;
    default:
        break;
    }
    knote.event.data = change.data;
    if (change.flags & event_clear)
        knote.event.flags |= event_clear;
    if (change.fflags & note_trigger)
        activate(knote);
}

// Does the condition hold now? For filters that have a state to look at; also brings data up to date.
bool Kqueue::evaluate(Knote& knote) {
    switch (knote.event.filter) {
    case filter_read:
    case filter_write: {
        bool reading = knote.event.filter == filter_read;
        Readiness now = knote.file->readiness(reading ? Direction::read : Direction::write);
        if (Vnode* vnode = knote.file->vnode(); reading && vnode && vnode->type == VnodeType::regular) {
            now.amount = vnode->size() - knote.file->offset;
            now.ready = now.amount != 0;
        }
        knote.event.data = now.amount;
        knote.event.fflags = now.fflags;
        if (now.eof)
            knote.event.flags |= event_eof;
        else
            knote.event.flags &= static_cast<std::uint16_t>(~event_eof);
        if (now.ready && !now.eof && (knote.wanted & note_lowat) && now.amount < knote.threshold)
            return false;
        return now.ready;
    }
    case filter_empty: {
        Readiness now = knote.file->readiness(Direction::read);
        return now.amount == 0;
    }
    default:
        return false; // edges only: activated where they happen
    }
}

void Kqueue::source_changed(Knote& knote, std::uint32_t hint, std::int64_t data) {
    Kqueue* queue = knote.queue;
    if (!queue)
        return;
    switch (knote.event.filter) {
    case filter_proc: {
        if (hint & note_signal)
            return;
        std::uint32_t what = hint & (note_exit | note_fork | note_exec);
        if (what == note_exit) {
            EventSource::detach(knote); // the process goes
            knote.event.flags |= event_eof | event_oneshot;
            if (!(knote.wanted & note_exit))
                return;
            knote.event.data = data;
        }
        if (!(knote.wanted & what))
            return;
        knote.event.fflags |= what;
        queue->activate(knote);
        return;
    }
    case filter_signal:
        if ((hint & note_signal) && (hint & 0xff) == knote.event.ident &&
            !(hint & (note_exit | note_fork | note_exec))) {
            knote.event.data++;
            queue->activate(knote);
        }
        return;
    case filter_vnode:
        if (hint & knote.wanted) {
            knote.event.fflags |= hint & knote.wanted;
            queue->activate(knote);
        }
        return;
    default:
        if (hint == 0 && queue->evaluate(knote))
            queue->activate(knote);
    }
}

void Kqueue::activate(Knote& knote) {
    knote.active = true;
    if (knote.disabled || active_.contains(&knote))
        return;
    active_.push_back(&knote);
    if (sleepers_ != 0)
        lwkt::wakeup(&active_);
    readers_.notify();
}

unsigned Kqueue::collect(KernelEvent* out, unsigned capacity) {
    unsigned count = 0;
    // Level-triggered knotes go back to the end of the queue; one round looks at each knote once.
    Knote* stop = active_.last();
    while (count < capacity) {
        Knote* knote = active_.first();
        if (!knote)
            break;
        bool final = knote == stop;
        active_.remove(knote);
        bool level = knote->event.filter == filter_read || knote->event.filter == filter_write ||
                     knote->event.filter == filter_empty;
        if (level && !evaluate(*knote)) {
            knote->active = false; // no longer so
        } else {
            out[count++] = knote->event;
            if (knote->event.flags & event_oneshot) {
                remove(*knote);
            } else if (knote->event.flags & (event_clear | event_dispatch)) {
                if (knote->event.flags & event_clear) {
                    knote->event.data = 0;
                    if (knote->event.filter != filter_read && knote->event.filter != filter_write)
                        knote->event.fflags = 0;
                }
                if (knote->event.flags & event_dispatch)
                    knote->disabled = true;
                knote->active = false;
            } else if (knote->event.filter == filter_timer) {
                knote->event.data = 0;
                knote->active = false;
            } else {
                active_.push_back(knote);
            }
        }
        if (final)
            break;
    }
    return count;
}

unsigned Kqueue::active_count() const {
    unsigned count = 0;
    for (const Knote* knote = active_.first(); knote; knote = active_.next(knote))
        count++;
    return count;
}

SysResult<void> Kqueue::wait(Lwp& lwp, glue::Nanoseconds deadline) {
    while (active_.empty()) {
        sleepers_++;
        auto woken = interruptible_sleep(lwp, &active_, "kqread", deadline);
        sleepers_--;
        if (!active_.empty())
            break;
        if (!woken.ok())
            return Failure(never_restart(woken.error()));
        if (!woken.take())
            return Failure(Errno::etimedout);
    }
    return {};
}

void Kqueue::forget_descriptor(int fd, File* file) {
    auto ident = static_cast<std::uint64_t>(fd);
    for (std::int16_t filter : {filter_read, filter_write, filter_vnode, filter_empty})
        if (Knote* knote = find(ident, filter); knote && knote->file == file)
            remove(*knote);
}

void Kqueue::forget_table() {
    // Descriptors' files go with the table.
    for (Knote*& head : bucket_)
        for (Knote *knote = head, *next; knote; knote = next) {
            next = knote->next_in_bucket;
            if (knote->file)
                remove(*knote);
        }
    table_ = nullptr;
}

Readiness Kqueue::readiness(Direction direction) {
    return {direction == Direction::read && !active_.empty(), false, active_.empty() ? 0 : 1, 0};
}

SysResult<void> Kqueue::attributes(Lwp&, Attributes& out) {
    out = {};
    out.type = VnodeType::fifo;
    out.links = 0;
    return {};
}

// --- timers
// --------------------------------------------------------------------------------------------------------------
SysResult<void> Kqueue::start_timer(Knote& knote) {
    std::uint64_t unit = 1'000'000;
    switch (knote.wanted & (note_seconds | note_milliseconds | note_microseconds | note_nanoseconds)) {
    case note_seconds:
        unit = 1'000'000'000;
        break;
    case 0:
    case note_milliseconds:
        break;
    case note_microseconds:
        unit = 1000;
        break;
    case note_nanoseconds:
        unit = 1;
        break;
    default:
        return Failure(Errno::einval);
    }
    std::uint64_t interval = 0;
    if (knote.threshold < 0)
        return Failure(Errno::einval);
    if (__builtin_mul_overflow(static_cast<std::uint64_t>(knote.threshold), unit, &interval))
        interval = ~std::uint64_t{0} / 4;
    std::uint64_t now = glue::Clock::now().value;
    bool absolute = (knote.wanted & note_absolute) != 0;
    knote.period = absolute || (knote.event.flags & event_oneshot) ? 0 : most<std::uint64_t>(interval, 1000);
    if (absolute) // wall clock
        interval = most(from_wall_clock(interval).value, now) - now;
    knote.deadline = now + least<std::uint64_t>(interval, ~std::uint64_t{0} / 4);
    knote.event.flags |= event_clear;
    knote.event.data = 0;
    knote.active = false;
    active_.remove(&knote);
    knote.timer.reset(glue::Nanoseconds{knote.deadline}, timer_expired, &knote);
    return {};
}

void Kqueue::timer_expired(void* argument) {
    lwkt::TokenGuard guard(giant);
    auto& knote = *static_cast<Knote*>(argument);
    std::uint64_t now = glue::Clock::now().value;
    if (!knote.queue || now < knote.deadline)
        return; // removed or set anew meanwhile
    if (knote.period == 0) {
        knote.event.data++;
        knote.deadline = ~std::uint64_t{0};
    } else {
        std::uint64_t times = (now - knote.deadline) / knote.period + 1;
        knote.event.data += static_cast<std::int64_t>(times);
        knote.deadline += times * knote.period;
        knote.timer.reset(glue::Nanoseconds{knote.deadline}, timer_expired, &knote);
    }
    knote.queue->activate(knote);
}

} // namespace bsd
