// SPDX-License-Identifier: BSD-2-Clause
// What each kqueue filter watches and when it becomes active.
#include "bsd-personality/kern/kqueue.hpp"
#include "bsd-personality/kern/proc.hpp"
#include "bsd-personality/kern/time.hpp"
#include "lwkt/slab.hpp"

namespace bsd {

SysResult<void> Kqueue::attach(Lwp& lwp, Knote& knote) {
    EventSource* source = nullptr;
    switch (knote.event.filter) {
    case filter_read:
    case filter_write:
    case filter_empty:
    case filter_procdesc:
    case filter_vnode: {
        if (knote.event.ident > static_cast<std::uint64_t>(FileTable::limit))
            return Failure(Errno::ebadf);
        knote.file = TRY(lwp.proc.files->find(static_cast<int>(knote.event.ident)));
        if (knote.file == this ||
            (knote.file->type == FileType::process_descriptor) != (knote.event.filter == filter_procdesc))
            return Failure(Errno::einval);
        if (knote.event.filter == filter_procdesc)
            knote.event.flags |= event_clear;
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
    case filter_procdesc: { // the status is what there would be to read
        Readiness now = knote.file->readiness(Direction::read);
        if (!now.hangup || !(knote.wanted & note_exit))
            return false;
        knote.event.fflags |= note_exit;
        knote.event.data = now.amount;
        knote.event.flags |= event_eof | event_oneshot;
        return true;
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

// --- timers ----------------------------------------------------------------------------------------------
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
