// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/event.hpp"

#include "bsd-personality/kern/kqueue.hpp"
#include "lwkt/sleepqueue.hpp"

namespace bsd {

EventSource::~EventSource() {
    while (knotes_.first)
        detach(*knotes_.first);
    while (Poller* poller = pollers_.first()) {
        *poller->fired = true;
        lwkt::wakeup(poller->fired);
        detach(*poller);
    }
}

void EventSource::attach(Poller& poller, bool& fired) {
    poller.source = this;
    poller.fired = &fired;
    pollers_.push_back(&poller);
}

void EventSource::detach(Poller& poller) {
    if (poller.source)
        poller.source->pollers_.remove(&poller);
    poller.source = nullptr;
}

void EventSource::attach(Knote& knote) {
    knote.source = this;
    knote.previous_in_source = nullptr;
    knote.next_in_source = knotes_.first;
    if (knotes_.first)
        knotes_.first->previous_in_source = &knote;
    knotes_.first = &knote;
}

void EventSource::detach(Knote& knote) {
    if (!knote.source)
        return;
    (knote.previous_in_source ? knote.previous_in_source->next_in_source : knote.source->knotes_.first) =
        knote.next_in_source;
    if (knote.next_in_source)
        knote.next_in_source->previous_in_source = knote.previous_in_source;
    knote.source = nullptr;
    knote.next_in_source = knote.previous_in_source = nullptr;
}

void EventSource::notify_slow(std::uint32_t hint, std::int64_t data) {
    for (Knote *knote = knotes_.first, *next; knote; knote = next) {
        next = knote->next_in_source; // the filter may take the knote off this source
        Kqueue::source_changed(*knote, hint, data);
    }
    if (hint != 0)
        return; // poll and select ask for readiness only
    for (Poller* poller = pollers_.first(); poller; poller = pollers_.next(poller)) {
        if (*poller->fired)
            continue;
        *poller->fired = true;
        lwkt::wakeup(poller->fired);
    }
}

} // namespace bsd
