// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/abi/kevent.hpp"

#include "bsd-personality/kern/kqueue.hpp"

namespace bsd {

namespace {
constexpr std::int16_t dragonfly_user = -9, dragonfly_except = -8;
}

KernelEvent unpack_kevent(const KeventRecord& record, KeventLayout layout) {
    KernelEvent event;
    event.ident = record.ident;
    event.filter = record.filter;
    event.flags = record.flags;
    event.fflags = record.fflags;
    event.data = record.data;
    event.udata = record.udata;
    if (layout == KeventLayout::freebsd)
        for (unsigned i = 0; i < 4; i++)
            event.ext[i] = record.ext[i];
    if (layout == KeventLayout::dragonfly) {
        if (record.filter == dragonfly_user)
            event.filter = filter_user;
        else if (record.filter <= dragonfly_except)
            event.filter = 0;
    }
    return event;
}

KeventRecord pack_kevent(const KernelEvent& event, KeventLayout layout) {
    KeventRecord record{};
    record.ident = event.ident;
    record.filter =
        layout == KeventLayout::dragonfly && event.filter == filter_user ? dragonfly_user : event.filter;
    record.flags = event.flags;
    record.fflags = event.fflags;
    record.data = event.data;
    record.udata = event.udata;
    for (unsigned i = 0; i < 4; i++)
        record.ext[i] = event.ext[i];
    return record;
}

} // namespace bsd
