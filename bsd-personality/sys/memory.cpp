// SPDX-License-Identifier: BSD-2-Clause
// mmap and its kin, for both ABIs.
#include "bsd-personality/kern/file.hpp"
#include "bsd-personality/kern/proc.hpp"
#include "bsd-personality/kern/random.hpp"
#include "bsd-personality/kern/text.hpp"
#include "bsd-personality/sys/procctl.hpp"
#include "bsd-personality/vm/usermem.hpp"

namespace bsd {

using namespace vm;

namespace {

enum MapFlag : std::uint32_t {
    map_shared = 1,
    map_private = 2,
    map_fixed = 0x10,
    map_ignored = 0x60, // MAP_RENAME and MAP_NORESERVE of old
    map_hassemaphore = 0x200,
    map_stack = 0x400,
    map_nosync = 0x800,
    map_anon = 0x1000,
    map_guard = 0x2000, // from here on FreeBSD
    map_excl = 0x4000,
    map_nocore = 0x2'0000,
    map_prefault_read = 0x4'0000,
    map_32bit = 0x8'0000,
    map_align_mask = 0xff00'0000,
    dragonfly_tryfixed = 0x1'0000,
    dragonfly_sizealign = 0x4'0000,
};
constexpr unsigned map_align_shift = 24, align_super = 1, super_page_shift = 21;
constexpr std::uint32_t freebsd_flags =
    map_shared | map_private | map_fixed | map_ignored | map_hassemaphore | map_stack | map_nosync |
    map_anon | map_guard | map_excl | map_nocore | map_prefault_read | map_32bit | map_align_mask;
constexpr unsigned prot_max_shift = 16;

struct MapCall {
    std::uint64_t address, length;
    std::uint32_t protection, flags;
    std::int32_t fd;
    std::uint64_t offset;
};

/// [start, end) of whole pages around a range of bytes; false if it leaves user space.
bool page_range(std::uint64_t address, std::uint64_t length, std::uint64_t& start, std::uint64_t& end) {
    start = round_down(address);
    if (!VmSpace::valid_range(address, length))
        return false;
    end = round_up(address + length);
    return true;
}

/// PROT_ bits and, above them, PROT_MAX bits. Errors: EINVAL, ENOTSUP.
SysResult<void> decode_protection(std::uint32_t bits, std::uint8_t& protection, std::uint8_t& maximum) {
    protection = bits & protection_all;
    maximum = (bits >> prot_max_shift) & protection_all;
    if ((bits & ~(protection_all | protection_all << prot_max_shift)) != 0)
        return Failure(Errno::einval);
    if (maximum != 0 && (protection & ~maximum) != 0)
        return Failure(Errno::eopnotsupp);
    return {};
}

/// Finds the object of a mapped file and the rights that its descriptor leaves. Errors: EBADF, EACCES,
/// ENODEV.
SysResult<void> use_file(Lwp& lwp, const MapCall& call, MapRequest& request) {
    File* file = TRY(lwp.proc.files->find(call.fd));
    if (!file->readable() ||
        (request.shared && (request.protection & protection_write) != 0 && !file->writable()))
        return Failure(Errno::eacces);
    if (request.shared && !file->writable())
        request.max_protection &= static_cast<std::uint8_t>(~protection_write);
    TRY(file->restrict_mapping(request));
    request.object = TRY(file->mapping(lwp));
    request.offset = round_down(call.offset);
    return {};
}

SysResult<Return> map_memory(Lwp& lwp, const MapCall& call, MapRequest& request) {
    std::uint8_t maximum = 0;
    TRY(decode_protection(call.protection, request.protection, maximum));
    if (maximum != 0)
        request.max_protection = maximum;
    else if (implies_maximum(lwp.proc, request.protection))
        request.max_protection = request.protection;
    std::uint32_t flags = call.flags;
    if ((flags & (map_shared | map_private)) == (map_shared | map_private) || call.length == 0)
        return Failure(Errno::einval);
    if ((flags & map_stack) != 0) {
        constexpr unsigned read_write = protection_read | protection_write;
        if (call.fd != -1 || (request.protection & read_write) != read_write)
            return Failure(Errno::einval);
        flags |= map_anon;
    }
    // A file offset inside a page moves the mapping's address likewise.
    bool file = (flags & (map_anon | map_guard)) == 0;
    std::uint64_t within = file ? call.offset & page_mask : 0;
    request.length = call.length + within;
    if (request.length < call.length || (file && static_cast<std::int64_t>(call.offset) < 0))
        return Failure(Errno::einval);
    request.address = call.address;
    request.shared = (flags & map_shared) != 0;
    request.no_core = (flags & map_nocore) != 0;
    request.fixed = request.fixed || (flags & map_fixed) != 0;
    if (request.fixed) {
        request.address -= within;
        if ((request.address & page_mask) != 0)
            return Failure(Errno::einval);
    }
    if (file)
        TRY(use_file(lwp, call, request));
    std::uint64_t address = TRY(lwp.proc.vmspace->map(request));
    return address + within;
}

SysResult<Return> freebsd_map(Lwp& lwp, const MapCall& call) {
    std::uint32_t flags = call.flags, align = (flags & map_align_mask) >> map_align_shift;
    if ((flags & ~freebsd_flags) != 0 || (flags & (map_excl | map_fixed)) == map_excl)
        return Failure(Errno::einval);
    if ((flags & map_guard) != 0) {
        constexpr std::uint32_t allowed = map_guard | map_fixed | map_excl | map_32bit | map_align_mask;
        if (call.protection != 0 || call.fd != -1 || call.offset != 0 || (flags & ~allowed) != 0)
            return Failure(Errno::einval);
    }
    if ((flags & map_anon) != 0 && (flags & map_stack) == 0 && (call.fd != -1 || call.offset != 0))
        return Failure(Errno::einval);
    MapRequest request;
    request.exclusive = (flags & map_excl) != 0;
    request.guard = (flags & map_guard) != 0;
    request.below_2g = (flags & map_32bit) != 0;
    if (align == align_super)
        request.align_shift = super_page_shift;
    else if (align != 0 && (align < page_shift || align >= 47))
        return Failure(Errno::einval);
    else if (align != 0)
        request.align_shift = static_cast<std::uint8_t>(align);
    return map_memory(lwp, call, request);
}

} // namespace

SysResult<Return> sys_mmap(Lwp& lwp, const SystemCall& call) {
    return freebsd_map(
        lwp, {call.word(0), call.word(1), call.natural(2), call.natural(3), call.integer(4), call.word(5)});
}

// The offset follows an unused word.
SysResult<Return> sys_freebsd6_mmap(Lwp& lwp, const SystemCall& call) {
    return freebsd_map(
        lwp, {call.word(0), call.word(1), call.natural(2), call.natural(3), call.integer(4), call.word(6)});
}

SysResult<Return> sys_dragonfly_mmap(Lwp& lwp, const SystemCall& call) {
    MapCall decoded{call.word(0),    call.word(1),    call.natural(2),
                    call.natural(3), call.integer(4), call.word(6)};
    MapRequest request;
    if (memory_settings.random_mmap && decoded.address == 0) {
        const VmSpace& space = *lwp.proc.vmspace;
        std::uint64_t number = 0, room = most(least(space.limits.data, std::uint64_t{32} << 30), page_size);
        random_source.fill(&number, sizeof number);
        decoded.address = round_up(space.layout().heap_end + number % room);
    }
    if ((decoded.flags & dragonfly_tryfixed) != 0 && (decoded.flags & map_fixed) == 0)
        request.fixed = request.exclusive = true;
    if ((decoded.flags & dragonfly_sizealign) != 0 && decoded.length != 0) {
        unsigned shift = 64u - static_cast<unsigned>(__builtin_clzll(most(decoded.length, page_size) - 1));
        request.align_shift = static_cast<std::uint8_t>(most(shift, page_shift));
        if (shift >= 47)
            return Failure(Errno::enomem);
    }
    if ((decoded.flags & map_anon) != 0)
        decoded.offset = 0;
    return map_memory(lwp, decoded, request);
}

SysResult<Return> sys_munmap(Lwp& lwp, const SystemCall& call) {
    std::uint64_t start, end;
    if (call.word(1) == 0 || !page_range(call.word(0), call.word(1), start, end))
        return Failure(Errno::einval);
    TRY(lwp.proc.vmspace->unmap(start, end));
    return Return{};
}

SysResult<Return> sys_mprotect(Lwp& lwp, const SystemCall& call) {
    std::uint8_t protection, maximum;
    std::uint64_t start, end;
    TRY(decode_protection(call.natural(2), protection, maximum));
    if (!page_range(call.word(0), call.word(1), start, end))
        return Failure(Errno::einval);
    VmSpace& space = *lwp.proc.vmspace;
    TRY(space.protect(start, end, protection));
    if (maximum != 0)
        TRY(space.protect_maximum(start, end, maximum));
    return Return{};
}

// MADV_FREE gives memory back. The other advice changes nothing a program could see: MADV_DONTNEED keeps
// contents on these systems.
SysResult<Return> sys_madvise(Lwp& lwp, const SystemCall& call) {
    constexpr int advice_free = 5, advice_no_core = 8, advice_core = 9, advice_last = 10;
    std::uint64_t start, end;
    int advice = call.integer(2);
    if (advice < 0 || advice > advice_last || !page_range(call.word(0), call.word(1), start, end))
        return Failure(Errno::einval);
    if (advice == advice_free)
        (void)lwp.proc.vmspace->discard(start, end); // holes are passed over
    if (advice == advice_no_core || advice == advice_core)
        TRY(lwp.proc.vmspace->set_no_core(start, end, advice == advice_no_core));
    return Return{};
}

SysResult<Return> sys_minherit(Lwp& lwp, const SystemCall& call) {
    std::uint64_t start, end;
    int inherit = call.integer(2);
    if (inherit < 0 || inherit > static_cast<int>(Inherit::zero) ||
        !page_range(call.word(0), call.word(1), start, end))
        return Failure(Errno::einval);
    TRY(lwp.proc.vmspace->set_inherit(start, end, static_cast<Inherit>(inherit)));
    return Return{};
}

SysResult<Return> sys_mincore(Lwp& lwp, const SystemCall& call) {
    VmSpace& space = *lwp.proc.vmspace;
    std::uint64_t start, end, vector = call.word(2);
    if (!page_range(call.word(0), call.word(1), start, end) || (start < end && !space.covered(start, end)))
        return Failure(Errno::enomem);
    std::uint8_t states[256];
    while (start < end) {
        std::uint64_t count = least((end - start) >> page_shift, std::uint64_t{sizeof states});
        for (std::uint64_t i = 0; i < count; i++)
            states[i] = static_cast<std::uint8_t>(space.core_state(start + (i << page_shift)));
        TRY(copyout(space, states, UserAddress{vector}, count));
        vector += count;
        start += count << page_shift;
    }
    return Return{};
}

// Nothing is ever written back: files live in memory.
SysResult<Return> sys_msync(Lwp& lwp, const SystemCall& call) {
    constexpr unsigned both = 3; // MS_ASYNC 1, MS_INVALIDATE 2
    std::uint64_t start, end;
    if ((call.natural(2) & both) == both || !page_range(call.word(0), call.word(1), start, end))
        return Failure(Errno::einval);
    if (start < end && !lwp.proc.vmspace->covered(start, end))
        return Failure(Errno::enomem);
    return Return{};
}

// Pages never leave memory once they are there: locking brings them in, and counts.
SysResult<Return> sys_mlock(Lwp& lwp, const SystemCall& call) {
    VmSpace& space = *lwp.proc.vmspace;
    std::uint64_t start, end;
    if (!page_range(call.word(0), call.word(1), start, end))
        return Failure(Errno::einval);
    if (start == end)
        return Return{};
    // What is locked already counts once more, as on the real systems.
    if (end - start > space.limits.locked || space.wired_bytes() > space.limits.locked - (end - start) ||
        !space.covered(start, end))
        return Failure(Errno::enomem);
    for (std::uint64_t page = start; page < end; page += page_size)
        if (space.translate(page, false) == nullptr)
            return Failure(Errno::enomem);
    TRY(space.set_wired(start, end, true));
    return Return{};
}

SysResult<Return> sys_munlock(Lwp& lwp, const SystemCall& call) {
    VmSpace& space = *lwp.proc.vmspace;
    std::uint64_t start, end;
    if (!page_range(call.word(0), call.word(1), start, end))
        return Failure(Errno::einval);
    if (start < end && !space.covered(start, end))
        return Failure(Errno::enomem);
    TRY(space.set_wired(start, end, false));
    return Return{};
}

SysResult<Return> sys_mlockall(Lwp& lwp, const SystemCall& call) {
    constexpr unsigned current = 1, future = 2;
    unsigned how = call.natural(0);
    if (how == 0 || (how & ~(current | future)) != 0)
        return Failure(Errno::einval);
    VmSpace& space = *lwp.proc.vmspace;
    if ((how & current) != 0) {
        if (space.counters().virtual_bytes > space.limits.locked)
            return Failure(Errno::enomem);
        TRY(space.set_wired(user_address_begin, user_address_end, true));
    }
    space.wire_future = (how & future) != 0;
    return Return{};
}

SysResult<Return> sys_munlockall(Lwp& lwp, const SystemCall&) {
    lwp.proc.vmspace->wire_future = false;
    TRY(lwp.proc.vmspace->set_wired(user_address_begin, user_address_end, false));
    return Return{};
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
    return Return{};
}

SysResult<Return> sys_dragonfly_sbrk(Lwp& lwp, const SystemCall& call) {
    VmSpace& space = *lwp.proc.vmspace;
    std::uint64_t old = space.break_address();
    TRY(space.set_break(old + call.word(0))); // wraps for a negative increment
    return Return(old);
}

} // namespace bsd
