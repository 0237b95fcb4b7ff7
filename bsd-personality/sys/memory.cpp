// SPDX-License-Identifier: BSD-2-Clause
// What becomes of memory that is mapped, for both ABIs: munmap, mprotect, madvise, minherit, mincore, msync,
// mlock and their kin; and the break. The two systems differ in what is an error: FreeBSD mostly passes over
// holes.
#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/kern/text.hpp"
#include "bsd-personality/sys/memory_arguments.hpp"
#include "bsd-personality/vm/usermem.hpp"

namespace bsd {

using namespace vm;

namespace {

constexpr unsigned prot_max_shift = 16;

bool freebsd(const Lwp& lwp) {
    return lwp.proc.abi->kind == AbiKind::freebsd;
}

/// Errors: EINVAL (the range wraps).
SysResult<PageRange> whole_pages(std::uint64_t address, std::uint64_t length) {
    PageRange range{round_down(address), round_up(address + length)};
    if (address + length < address || range.end < address + length)
        return Failure(Errno::einval);
    return range;
}

/// The part of it that a process can have at all.
PageRange clipped(const PageRange& range) {
    return {most(range.start, user_address_begin), least(range.end, user_address_end)};
}

} // namespace

SysResult<void> decode_protection(std::uint32_t bits, std::uint8_t& protection, std::uint8_t& maximum) {
    protection = bits & protection_all;
    maximum = (bits >> prot_max_shift) & protection_all;
    if ((bits & ~(protection_all | protection_all << prot_max_shift)) != 0)
        return Failure(Errno::einval);
    if (maximum != 0 && (protection & ~maximum) != 0)
        return Failure(Errno::eopnotsupp);
    return {};
}

// DragonFly unmaps nothing without an error, and what is not all mapped with one.
SysResult<Return> sys_munmap(Lwp& lwp, const SystemCall& call) {
    VmSpace& space = *lwp.proc.vmspace;
    PageRange range = TRY(whole_pages(call.word(0), call.word(1)));
    if (call.word(1) == 0) {
        if (freebsd(lwp))
            return Failure(Errno::einval);
        if (range.empty())
            return Return();
    }
    if (range.end > user_address_end ||
        (freebsd(lwp) ? range.start < user_address_begin : !space.covered(range.start, range.end)))
        return Failure(Errno::einval);
    TRY(space.unmap(range.start, range.end));
    return Return();
}

SysResult<Return> sys_mprotect(Lwp& lwp, const SystemCall& call) {
    std::uint8_t protection = call.natural(2) & protection_all, maximum = 0;
    if (freebsd(lwp))
        TRY(decode_protection(call.natural(2), protection, maximum));
    PageRange range = clipped(TRY(whole_pages(call.word(0), call.word(1))));
    TRY(lwp.proc.vmspace->protect(range.start, range.end, protection, maximum));
    return Return();
}

// MADV_FREE gives memory back. The other advice changes nothing a program could see: MADV_DONTNEED keeps
// contents on these systems.
SysResult<Return> sys_madvise(Lwp& lwp, const SystemCall& call) {
    constexpr int advice_free = 5, advice_no_core = 8, advice_core = 9, advice_protect = 10,
                  dragonfly_last = 10;
    int advice = call.integer(2);
    if (freebsd(lwp) && advice == advice_protect) { // from being killed for memory: nobody is but who faults
        if (!lwp.proc.cred->is_superuser())
            return Failure(Errno::eperm);
        return Return();
    }
    PageRange range = TRY(whole_pages(call.word(0), call.word(1)));
    if (advice < 0 || advice > (freebsd(lwp) ? advice_core : dragonfly_last) ||
        (freebsd(lwp) && call.word(0) < user_address_begin) || call.word(0) + call.word(1) > user_address_end)
        return Failure(Errno::einval);
    if (advice == advice_free)
        lwp.proc.vmspace->discard(range.start, range.end);
    if (advice == advice_no_core || advice == advice_core)
        TRY(lwp.proc.vmspace->set_no_core(range.start, range.end, advice == advice_no_core));
    return Return();
}

SysResult<Return> sys_minherit(Lwp& lwp, const SystemCall& call) {
    int inherit = call.integer(2);
    PageRange range = clipped(TRY(whole_pages(call.word(0), call.word(1))));
    if (inherit < 0 || inherit > static_cast<int>(freebsd(lwp) ? Inherit::zero : Inherit::none))
        return Failure(Errno::einval);
    TRY(lwp.proc.vmspace->set_inherit(range.start, range.end, static_cast<Inherit>(inherit)));
    return Return();
}

// Where the length begins is the first page, not the address. DragonFly finds no fault with holes.
SysResult<Return> sys_mincore(Lwp& lwp, const SystemCall& call) {
    VmSpace& space = *lwp.proc.vmspace;
    std::uint64_t start = round_down(call.word(0)), length = round_up(call.word(1)), vector = call.word(2);
    const Errno bad_range = freebsd(lwp) ? Errno::enomem : Errno::einval;
    if (length < call.word(1) || !VmSpace::valid_range(start, length))
        return Failure(bad_range);
    const std::uint64_t end = start + length;
    if (freebsd(lwp) && !space.covered(start, most(end, start + page_size)))
        return Failure(bad_range);
    std::uint8_t states[256];
    while (start < end) {
        std::uint64_t count = least((end - start) >> page_shift, std::uint64_t{sizeof states});
        for (std::uint64_t i = 0; i < count; i++)
            states[i] = static_cast<std::uint8_t>(space.core_state(start + (i << page_shift)));
        TRY(copyout(space, states, UserAddress{vector}, count));
        vector += count;
        start += count << page_shift;
    }
    return Return();
}

// Nothing is ever written back: files live in memory. A length of 0 means all of the mapping.
SysResult<Return> sys_msync(Lwp& lwp, const SystemCall& call) {
    constexpr unsigned invalidate = 2, both = 3; // MS_ASYNC 1, MS_INVALIDATE 2
    VmSpace& space = *lwp.proc.vmspace;
    PageRange range = TRY(whole_pages(call.word(0), call.word(1)));
    if ((call.natural(2) & both) == both)
        return Failure(Errno::einval);
    range.end = most(range.end, range.start + page_size);
    if (range.end > user_address_end || !space.covered(range.start, range.end))
        return Failure(freebsd(lwp) ? Errno::enomem : Errno::einval);
    if (freebsd(lwp) && (call.natural(2) & invalidate) != 0 && space.wired_within(range.start, range.end))
        return Failure(Errno::ebusy);
    return Return();
}

// Pages never leave memory once they are there: locking brings them in, and counts. DragonFly, which does not
// count, asks for the superuser.
SysResult<Return> sys_mlock(Lwp& lwp, const SystemCall& call) {
    VmSpace& space = *lwp.proc.vmspace;
    PageRange range = TRY(whole_pages(call.word(0), call.word(1)));
    if (range.empty())
        return Return();
    const std::uint64_t bytes = range.end - range.start;
    if (range.pages() > most_wired_pages())
        return Failure(freebsd(lwp) ? Errno::enomem : Errno::eagain);
    if (!freebsd(lwp) && !lwp.proc.cred->is_superuser())
        return Failure(Errno::eperm);
    // What is locked already counts once more, as on the real system.
    if (freebsd(lwp) && (bytes > space.limits.locked || space.wired_bytes() > space.limits.locked - bytes))
        return Failure(Errno::enomem);
    if (range.end > user_address_end || !space.covered(range.start, range.end) ||
        space.closed_within(range.start, range.end))
        return Failure(Errno::enomem);
    TRY(space.bring_in(range.start, range.end));
    TRY(space.set_wired(range.start, range.end, true));
    return Return();
}

SysResult<Return> sys_munlock(Lwp& lwp, const SystemCall& call) {
    VmSpace& space = *lwp.proc.vmspace;
    PageRange range = TRY(whole_pages(call.word(0), call.word(1)));
    if (range.empty())
        return Return();
    if (!freebsd(lwp) && !lwp.proc.cred->is_superuser())
        return Failure(Errno::eperm);
    if (range.end > user_address_end || !space.covered(range.start, range.end))
        return Failure(Errno::enomem);
    TRY(space.set_wired(range.start, range.end, false));
    return Return();
}

SysResult<Return> sys_mlockall(Lwp& lwp, const SystemCall& call) {
    constexpr unsigned current = 1, future = 2;
    unsigned how = call.natural(0);
    VmSpace& space = *lwp.proc.vmspace;
    if ((how & (current | future)) == 0 || (freebsd(lwp) && (how & ~(current | future)) != 0))
        return Failure(Errno::einval);
    if (!freebsd(lwp)) {
        if (!lwp.proc.cred->is_superuser())
            return Failure(Errno::eperm);
        if ((how & current) != 0)
            return Failure(Errno::enosys); // so says DragonFly
        space.wire_future = true;
        return Return();
    }
    if ((how & current) != 0 && space.counters().virtual_bytes > space.limits.locked)
        return Failure(Errno::enomem);
    space.wire_future = space.wire_future || (how & future) != 0;
    if ((how & current) != 0) {
        if (!space.bring_in(user_address_begin, user_address_end))
            return Failure(Errno::eagain);
        TRY(space.set_wired(user_address_begin, user_address_end, true));
    }
    return Return();
}

SysResult<Return> sys_munlockall(Lwp& lwp, const SystemCall&) {
    lwp.proc.vmspace->wire_future = false;
    TRY(lwp.proc.vmspace->set_wired(user_address_begin, user_address_end, false));
    return Return();
}

// An address below the heap's start asks where the break is.
SysResult<Return> sys_break(Lwp& lwp, const SystemCall& call) {
    VmSpace& space = *lwp.proc.vmspace;
    if (call.word(0) >= space.layout().heap)
        TRY(space.set_break(call.word(0)));
    return Return(space.break_address());
}

SysResult<Return> sys_dragonfly_obreak(Lwp& lwp, const SystemCall& call) {
    TRY(lwp.proc.vmspace->set_break(call.word(0)));
    return Return();
}

// Gives room at the break, or at the next page if it does not end in this one; it does not take any back.
SysResult<Return> sys_dragonfly_sbrk(Lwp& lwp, const SystemCall& call) {
    VmSpace& space = *lwp.proc.vmspace;
    const std::uint64_t old = space.break_address(), increment = call.word(0);
    if (increment == 0)
        return Return(old);
    if (old + increment < old)
        return Failure(Errno::enomem);
    std::uint64_t from = old;
    if ((old & page_mask) != 0 && round_down(old) != round_down(old + increment - 1))
        from = round_up(old);
    if (from + increment < from)
        return Failure(Errno::enomem);
    TRY(space.set_break(from + increment));
    return Return(from);
}

} // namespace bsd
