// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/kqueue.hpp"

#include "bsd-personality/kern/proc.hpp"
#include "bsd-personality/kern/sleep.hpp"
#include "bsd-personality/kern/time.hpp"
#include "bsd-personality/kern/uidinfo.hpp"
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

SysResult<void> Kqueue::charge(std::uint32_t uid, std::uint64_t limit) {
    if (!charge_user(uid, UserResource::kqueues, 1, limit))
        return Failure(Errno::enomem);
    charged_uid_ = uid;
    charged_ = true;
    return {};
}

void Kqueue::destroy() {
    if (charged_)
        release_user(charged_uid_, UserResource::kqueues, 1);
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
    for (std::int16_t filter : {filter_read, filter_write, filter_vnode, filter_procdesc, filter_empty})
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

} // namespace bsd
