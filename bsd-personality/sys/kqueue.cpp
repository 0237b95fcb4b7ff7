// SPDX-License-Identifier: BSD-2-Clause
// kqueue and kevent.
#include "bsd-personality/kern/kqueue.hpp"

#include <string.h>

#include "bsd-personality/abi/kevent.hpp"
#include "bsd-personality/kern/sleep.hpp"
#include "bsd-personality/kern/time.hpp"
#include "bsd-personality/sys/file_arguments.hpp"

namespace bsd {

namespace {

SysResult<Return> make_kqueue(Lwp& lwp, bool close_on_exec) {
    FileRef queue = TRY(Kqueue::create(*lwp.proc.files));
    if (!is_dragonfly(lwp))
        TRY(static_cast<Kqueue&>(*queue).charge(lwp.proc.cred->ruid, lwp.proc.limits[limit_kqueues].current));
    return Return(static_cast<std::uint64_t>(
        TRY(lwp.proc.files->install(static_cast<FileRef&&>(queue), close_on_exec))));
}

struct EventList {
    UserAddress at;
    std::uint32_t capacity, count = 0;
};

SysResult<void> put_event(Lwp& lwp, EventList& list, const KernelEvent& event, KeventLayout layout) {
    KeventRecord record = pack_kevent(event, layout);
    std::uint64_t size = kevent_size(layout);
    TRY(copyout(*lwp.proc.vmspace, &record, UserAddress{list.at.value + list.count * size}, size));
    list.count++;
    return {};
}

// Applies the changes. A failing one becomes an event with EV_ERROR while there is room, else it fails the
// call.
SysResult<void> apply_changes(Lwp& lwp, Kqueue& queue, UserAddress changes, std::uint32_t count,
                              EventList& events, KeventLayout layout) {
    std::uint64_t size = kevent_size(layout);
    for (std::uint32_t i = 0; i < count; i++) {
        KeventRecord record{};
        TRY(copyin(*lwp.proc.vmspace, UserAddress{changes.value + i * size}, &record, size));
        KernelEvent change = unpack_kevent(record, layout);
        auto changed = queue.change(lwp, change);
        if (changed.ok() && !(change.flags & event_receipt))
            continue;
        if (events.count == events.capacity) {
            if (!changed.ok())
                return Failure(changed.error());
            continue;
        }
        change.flags = event_error;
        change.data = changed.ok() ? 0 : lwp.proc.abi->errno_number(changed.error());
        TRY(put_event(lwp, events, change, layout));
    }
    return {};
}

SysResult<Return> kevent_call(Lwp& lwp, const SystemCall& call, KeventLayout layout) {
    FileRef file = TRY(file_argument(lwp, call.integer(0)));
    if (file->type != FileType::kqueue)
        return Failure(Errno::ebadf);
    auto& queue = static_cast<Kqueue&>(*file);
    std::int32_t change_count = call.integer(2), capacity = call.integer(4);
    if (change_count < 0 || capacity < 0)
        return Failure(Errno::einval);
    glue::Nanoseconds deadline = lwkt::no_timeout;
    bool poll = false;
    if (call.word(5) != 0) {
        std::uint64_t timeout =
            TRY(to_nanoseconds(TRY(copyin<TimeSpec>(*lwp.proc.vmspace, call.address(5)))));
        poll = timeout == 0;
        std::uint64_t now = glue::Clock::now().value;
        if (!poll && timeout < ~std::uint64_t{0} - now)
            deadline = glue::Nanoseconds{now + timeout};
    }
    EventList events{call.address(3), static_cast<std::uint32_t>(capacity)};
    TRY(apply_changes(lwp, queue, call.address(1), static_cast<std::uint32_t>(change_count), events, layout));
    if (events.count != 0 || capacity == 0)
        return Return(events.count);
    for (;;) {
        // Level-triggered events stay in the queue: one round takes as many as there are now.
        std::uint32_t left = least(events.capacity, queue.active_count());
        while (left != 0) {
            constexpr std::uint32_t batch = 8;
            KernelEvent ready[batch];
            std::uint32_t found = queue.collect(ready, least(batch, left));
            for (std::uint32_t i = 0; i < found; i++)
                TRY(put_event(lwp, events, ready[i], layout));
            left = found == 0 ? 0 : left - found;
        }
        if (events.count != 0 || poll)
            return Return(events.count);
        auto waited = queue.wait(lwp, deadline);
        if (!waited.ok()) {
            if (waited.error() == Errno::etimedout)
                return Return(0);
            return Failure(waited.error());
        }
    }
}

} // namespace

SysResult<Return> sys_kqueue(Lwp& lwp, const SystemCall&) {
    return make_kqueue(lwp, false);
}
SysResult<Return> sys_kqueuex(Lwp& lwp, const SystemCall& call) {
    if (call.natural(0) & ~1u)
        return Failure(Errno::einval);
    return make_kqueue(lwp, (call.natural(0) & 1) != 0);
}
SysResult<Return> sys_kevent(Lwp& lwp, const SystemCall& call) {
    return kevent_call(lwp, call, is_dragonfly(lwp) ? KeventLayout::dragonfly : KeventLayout::freebsd);
}
SysResult<Return> sys_freebsd11_kevent(Lwp& lwp, const SystemCall& call) {
    return kevent_call(lwp, call, KeventLayout::freebsd11);
}

} // namespace bsd
