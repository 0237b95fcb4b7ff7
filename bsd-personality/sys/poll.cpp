// SPDX-License-Identifier: BSD-2-Clause
// poll, ppoll, select, pselect. All wait on one flag, which the event sources of the files set.
#include "bsd-personality/kern/sleep.hpp"
#include "bsd-personality/kern/time.hpp"
#include "bsd-personality/sys/file_arguments.hpp"
#include "lwkt/slab.hpp"

namespace bsd {

namespace {

struct PollRecord {
    std::int32_t fd;
    std::int16_t events, revents;
};
static_assert(sizeof(PollRecord) == 8);
enum PollBit : std::int16_t {
    poll_in = 1,
    poll_priority = 2,
    poll_out = 4,
    poll_error = 8,
    poll_hangup = 0x10,
    poll_invalid = 0x20,
    poll_rdnorm = 0x40,
    poll_rdband = 0x80,
    poll_wrband = 0x100,
    poll_read_hangup = 0x4000, // FreeBSD
};
constexpr std::int16_t poll_reading = poll_in | poll_rdnorm;

// Sleeping needs a Poller for each direction of each descriptor, and the files kept.
struct Watch {
    FileRef file;
    Poller pollers[2];
    ~Watch() {
        EventSource::detach(pollers[0]);
        EventSource::detach(pollers[1]);
    }
};

// The records of one call and what is needed to sleep; in one slab block when they are many.
class PollSet {
public:
    static constexpr std::uint32_t few = 8, most_records = 600;
    ~PollSet() {
        clear();
        if (records_ != own_records_)
            lwkt::release(records_, count_ * sizeof(PollRecord));
        if (watches_)
            lwkt::release(watches_, count_ * sizeof(Watch));
    }
    SysResult<void> resize(std::uint32_t count) {
        if (count > most_records)
            return Failure(Errno::einval);
        if (count > few) {
            auto* memory = static_cast<PollRecord*>(lwkt::allocate(count * sizeof(PollRecord)));
            if (!memory)
                return Failure(Errno::enomem);
            records_ = memory;
        }
        count_ = count;
        return {};
    }
    PollRecord* records() { return records_; }
    std::uint32_t count() const { return count_; }

    // Fills revents; returns how many are not zero.
    std::uint32_t scan(Lwp& lwp) {
        std::uint32_t found = 0;
        for (std::uint32_t i = 0; i < count_; i++) {
            PollRecord& record = records_[i];
            record.revents = 0;
            if (record.fd < 0)
                continue;
            File* file = lwp.proc.files->get(record.fd);
            record.revents = file ? look(*file, record.events) : std::int16_t{poll_invalid};
            found += record.revents != 0;
        }
        return found;
    }
    // Hangs this call on everything that may change. ENOMEM.
    SysResult<void> watch(Lwp& lwp, bool& fired) {
        if (count_ == 0)
            return {};
        if (!watches_) {
            auto* memory = static_cast<Watch*>(lwkt::allocate(count_ * sizeof(Watch)));
            if (!memory)
                return Failure(Errno::enomem);
            watches_ = memory;
        }
        for (watched_ = 0; watched_ < count_; watched_++) {
            auto* watch = new (&watches_[watched_]) Watch;
            const PollRecord& record = records_[watched_];
            File* file = record.fd < 0 ? nullptr : lwp.proc.files->get(record.fd);
            if (!file)
                continue;
            watch->file = FileRef(file);
            // Hang-ups are reported even if nothing was asked for.
            EventSource* reading = file->events(Direction::read);
            EventSource* writing =
                (record.events & (poll_out | poll_wrband)) ? file->events(Direction::write) : nullptr;
            if (reading)
                reading->attach(watch->pollers[0], fired);
            if (writing && writing != reading)
                writing->attach(watch->pollers[1], fired);
        }
        return {};
    }
    void clear() {
        while (watched_ > 0)
            watches_[--watched_].~Watch();
    }

private:
    static std::int16_t look(File& file, std::int16_t events) {
        std::int16_t result = 0;
        Readiness in = file.readiness(Direction::read);
        if ((events & poll_reading) && in.ready)
            result = static_cast<std::int16_t>(result | (events & poll_reading));
        if (in.hangup)
            result |= poll_hangup;
        if (in.eof)
            result = static_cast<std::int16_t>(result | (events & poll_read_hangup));
        if (events & (poll_out | poll_wrband)) {
            Readiness out = file.readiness(Direction::write);
            if (out.hangup)
                result |= poll_hangup;
            else if (out.ready && !(result & poll_hangup))
                result = static_cast<std::int16_t>(result | (events & (poll_out | poll_wrband)));
        }
        return result;
    }
    PollRecord own_records_[few];
    PollRecord* records_ = own_records_;
    Watch* watches_ = nullptr;
    std::uint32_t count_ = 0, watched_ = 0;
};

// Sleeps until something is ready; the count, 0 when the time is over.
SysResult<std::uint32_t> wait_ready(Lwp& lwp, PollSet& set, bool has_timeout, std::uint64_t timeout) {
    std::uint64_t now = has_timeout ? glue::Clock::now().value : 0;
    glue::Nanoseconds deadline = lwkt::no_timeout;
    if (has_timeout && timeout < ~std::uint64_t{0} - now)
        deadline = glue::Nanoseconds{now + timeout};
    for (;;) {
        bool fired = false;
        std::uint32_t found = set.scan(lwp);
        if (found != 0 || (has_timeout && timeout == 0))
            return found;
        TRY(set.watch(lwp, fired));
        bool timed_out = false;
        while (!fired && !timed_out) {
            auto woken = interruptible_sleep(lwp, &fired, "select", deadline);
            if (!woken.ok()) {
                set.clear();
                return Failure(never_restart(woken.error()));
            }
            timed_out = !woken.take();
        }
        set.clear();
        if (timed_out)
            return set.scan(lwp);
    }
}

SysResult<Return> poll_call(Lwp& lwp, const SystemCall& call, bool has_timeout, std::uint64_t timeout) {
    PollSet set;
    std::uint32_t count = call.natural(1);
    TRY(set.resize(count));
    VmSpace& space = *lwp.proc.vmspace;
    TRY(copyin(space, call.address(0), set.records(), count * sizeof(PollRecord)));
    std::uint32_t found = TRY(wait_ready(lwp, set, has_timeout, timeout));
    TRY(copyout(space, set.records(), call.address(0), count * sizeof(PollRecord)));
    return Return(found);
}

// A signal mask in force while the call sleeps; the old one comes back when the thread returns to user mode.
SysResult<void> swap_mask(Lwp& lwp, UserAddress from) {
    if (from.value == 0)
        return {};
    SignalSet mask = TRY(copyin<SignalSet>(*lwp.proc.vmspace, from));
    lwp.saved_mask = lwp.mask;
    set_signal_mask(lwp, mask);
    set_ast(lwp, ast_restore_mask);
    return {};
}

// --- select ----------------------------------------------------------------------------------------------
constexpr int select_limit = 1024;
struct BitSet {
    std::uint64_t word[select_limit / 64];
};

SysResult<Return> select_call(Lwp& lwp, const SystemCall& call, bool has_timeout, std::uint64_t timeout) {
    std::int32_t count = call.integer(0);
    if (count < 0)
        return Failure(Errno::einval);
    count = least(count, least(select_limit, most(lwp.proc.files->end(), 1)));
    std::uint64_t bytes = static_cast<std::uint64_t>(count + 63) / 64 * 8;
    BitSet wanted[3] = {}, ready[3] = {};
    VmSpace& space = *lwp.proc.vmspace;
    for (unsigned i = 0; i < 3; i++)
        if (call.word(1 + i) != 0)
            TRY(copyin(space, call.address(1 + i), wanted[i].word, bytes));
    auto has = [](const BitSet& set, int fd) { return (set.word[fd >> 6] >> (fd & 63) & 1) != 0; };
    std::uint32_t records = 0;
    for (int fd = 0; fd < count; fd++)
        records += has(wanted[0], fd) || has(wanted[1], fd) || has(wanted[2], fd);
    PollSet set;
    TRY(set.resize(records));
    std::uint32_t at = 0;
    for (int fd = 0; fd < count; fd++) {
        std::int16_t events = 0;
        if (has(wanted[0], fd))
            events |= poll_in;
        if (has(wanted[1], fd))
            events |= poll_out;
        if (events == 0 && !has(wanted[2], fd))
            continue;
        if (!lwp.proc.files->get(fd))
            return Failure(Errno::ebadf);
        set.records()[at++] = {fd, events, 0};
    }
    (void)TRY(wait_ready(lwp, set, has_timeout, timeout));
    std::uint64_t total = 0;
    for (std::uint32_t i = 0; i < records; i++) {
        const PollRecord& record = set.records()[i];
        std::uint64_t bit = std::uint64_t{1} << (record.fd & 63);
        if (record.revents & poll_invalid)
            return Failure(Errno::ebadf);
        if ((record.events & poll_in) && (record.revents & (poll_in | poll_hangup))) {
            ready[0].word[record.fd >> 6] |= bit;
            total++;
        }
        if ((record.events & poll_out) && (record.revents & (poll_out | poll_hangup))) {
            ready[1].word[record.fd >> 6] |= bit;
            total++;
        }
    }
    for (unsigned i = 0; i < 3; i++)
        if (call.word(1 + i) != 0)
            TRY(copyout(space, ready[i].word, call.address(1 + i), bytes));
    return Return(total);
}

} // namespace

SysResult<Return> sys_poll(Lwp& lwp, const SystemCall& call) {
    std::int32_t milliseconds = call.integer(2);
    if (milliseconds < -1)
        return Failure(Errno::einval);
    return poll_call(lwp, call, milliseconds >= 0, static_cast<std::uint64_t>(milliseconds) * 1'000'000);
}
SysResult<Return> sys_ppoll(Lwp& lwp, const SystemCall& call) {
    std::uint64_t timeout = 0;
    if (call.word(2) != 0)
        timeout = TRY(to_nanoseconds(TRY(copyin<TimeSpec>(*lwp.proc.vmspace, call.address(2)))));
    TRY(swap_mask(lwp, call.address(3)));
    return poll_call(lwp, call, call.word(2) != 0, timeout);
}
SysResult<Return> sys_select(Lwp& lwp, const SystemCall& call) {
    std::uint64_t timeout = 0;
    if (call.word(4) != 0)
        timeout = TRY(to_nanoseconds(TRY(copyin<TimeVal>(*lwp.proc.vmspace, call.address(4)))));
    return select_call(lwp, call, call.word(4) != 0, timeout);
}
SysResult<Return> sys_pselect(Lwp& lwp, const SystemCall& call) {
    std::uint64_t timeout = 0;
    if (call.word(4) != 0)
        timeout = TRY(to_nanoseconds(TRY(copyin<TimeSpec>(*lwp.proc.vmspace, call.address(4)))));
    TRY(swap_mask(lwp, call.address(5)));
    return select_call(lwp, call, call.word(4) != 0, timeout);
}

} // namespace bsd
