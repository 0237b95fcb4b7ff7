// SPDX-License-Identifier: BSD-2-Clause
// mmap(2), for both ABIs: which flags each has, in what order it looks at them, and what it makes of
// addresses.
#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/kern/file.hpp"
#include "bsd-personality/kern/random.hpp"
#include "bsd-personality/kern/text.hpp"
#include "bsd-personality/sys/memory_arguments.hpp"
#include "bsd-personality/sys/procctl.hpp"

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
    dragonfly_inherit = 0x80,
    dragonfly_vpagetable = 0x2000,
    dragonfly_tryfixed = 0x1'0000,
    dragonfly_sizealign = 0x4'0000,
};
constexpr unsigned map_align_shift = 24, align_super = 1, super_page_shift = 21, address_bits = 47;
constexpr std::uint64_t super_page = std::uint64_t{1} << super_page_shift;
constexpr std::uint64_t end_of_2g = std::uint64_t{1} << 31;
constexpr std::uint32_t freebsd_flags = map_shared | map_private | map_fixed | map_hassemaphore | map_stack |
                                        map_nosync | map_anon | map_guard | map_excl | map_nocore |
                                        map_prefault_read | map_32bit | map_align_mask;
constexpr unsigned read_write = protection_read | protection_write;
// From which FreeBSD on programs may not map nothing, or files without saying how.
constexpr std::uint32_t osrel_no_empty_maps = 800'104, osrel_strict_files = 900'036;

struct MapCall {
    std::uint64_t address, length;
    std::uint32_t protection, flags;
    std::int32_t fd;
    std::uint64_t offset;
    std::uint64_t within() const { return offset & page_mask; } // moves the mapping's address likewise
};

/// Finds the object of a mapped file and the rights that its descriptor leaves. Errors: EBADF, EACCES,
/// EINVAL, ENODEV.
SysResult<void> use_file(Lwp& lwp, const MapCall& call, MapRequest& request) {
    File* file = TRY(lwp.proc.files->find(call.fd));
    const bool freebsd = lwp.proc.abi->kind == AbiKind::freebsd;
    std::uint8_t rights = protection_execute;
    if (file->readable())
        rights |= protection_read;
    if (!request.shared || file->writable())
        rights |= protection_write;
    if ((request.protection & ~rights) != 0)
        return Failure(Errno::eacces);
    Vnode* vnode = file->vnode();
    const bool device = vnode != nullptr && vnode->type == VnodeType::character;
    TRY(file->restrict_mapping(request));
    auto object = file->mapping(lwp);
    if (!object)
        return Failure(object.error() == Errno::enodev && (!freebsd || vnode != nullptr) ? Errno::einval
                                                                                         : object.error());
    request.object = object.value();
    if (request.object == nullptr)
        return {}; // memory of one's own
    if (device && !request.shared)
        return Failure(Errno::einval); // there are no private mappings of devices
    request.max_protection &= rights;
    request.offset = round_down(call.offset);
    return {};
}

SysResult<Return> finish(Lwp& lwp, const MapCall& call, const MapRequest& request) {
    VmSpace& space = *lwp.proc.vmspace;
    std::uint64_t address = TRY(space.map(request));
    if (space.wire_future && !request.guard)
        (void)space.bring_in(address, address + round_up(request.length)); // as far as there is memory
    return address + call.within();
}

/// What both make of the length and of a fixed address. Errors: EINVAL, and `too_long`.
SysResult<void> use_range(const MapCall& call, MapRequest& request, Errno too_long) {
    request.address = call.address;
    request.length = call.length + call.within();
    if (request.length < call.length || round_up(request.length) < request.length)
        return Failure(too_long);
    if (static_cast<std::int64_t>(call.offset) < 0)
        return Failure(Errno::einval);
    if (request.fixed) {
        request.address -= call.within();
        if ((request.address & page_mask) != 0 ||
            !VmSpace::valid_range(request.address, round_up(request.length)))
            return Failure(Errno::einval);
    }
    return {};
}

SysResult<void> check_freebsd_flags(const Proc& proc, const MapCall& call, const MapRequest& request) {
    const std::uint32_t flags = call.flags;
    if ((call.length == 0 && proc.osrel >= osrel_no_empty_maps) ||
        ((flags & map_anon) != 0 && (call.fd != -1 || call.offset != 0)))
        return Failure(Errno::einval);
    if ((flags & map_stack) != 0 && (call.fd != -1 || (request.protection & read_write) != read_write))
        return Failure(Errno::einval);
    if ((flags & ~freebsd_flags) != 0 || (flags & (map_excl | map_fixed)) == map_excl ||
        (flags & (map_shared | map_private)) == (map_shared | map_private))
        return Failure(Errno::einval);
    if ((flags & map_guard) != 0) {
        constexpr std::uint32_t allowed = map_guard | map_fixed | map_excl | map_32bit | map_align_mask;
        if (request.protection != protection_none || call.fd != -1 || call.offset != 0 ||
            (flags & ~allowed) != 0)
            return Failure(Errno::einval);
    }
    return {};
}

SysResult<Return> freebsd_map(Lwp& lwp, MapCall call) {
    Proc& proc = lwp.proc;
    MapRequest request;
    std::uint8_t maximum = 0;
    TRY(decode_protection(call.protection, request.protection, maximum));
    if (maximum == 0)
        maximum =
            implies_maximum(proc, request.protection) ? request.protection : std::uint8_t{protection_all};
    request.max_protection = maximum;
    call.flags &= ~std::uint32_t{map_ignored};
    TRY(check_freebsd_flags(proc, call, request));
    if ((call.flags & map_stack) != 0)
        call.offset = 0;
    request.shared = (call.flags & map_shared) != 0;
    request.fixed = (call.flags & map_fixed) != 0;
    request.exclusive = (call.flags & map_excl) != 0;
    request.guard = (call.flags & map_guard) != 0;
    request.guard_below = (call.flags & map_stack) != 0;
    request.no_core = (call.flags & map_nocore) != 0;
    request.below_2g = (call.flags & map_32bit) != 0;
    const std::uint32_t align = (call.flags & map_align_mask) >> map_align_shift;
    if (align > align_super && (align < page_shift || align >= 64))
        return Failure(Errno::einval);
    request.align_shift = static_cast<std::uint8_t>(align == align_super ? super_page_shift
                                                    : align != 0         ? align
                                                                         : page_shift);
    TRY(use_range(call, request, Errno::enomem));
    if (request.fixed && (request.address < user_address_begin ||
                          (request.below_2g && request.address + round_up(request.length) > end_of_2g)))
        return Failure(Errno::einval);
    if (call.length == 0)
        return Return(request.address + call.within());
    if ((call.flags & (map_anon | map_guard | map_stack)) == 0) {
        const bool told = (call.flags & (map_shared | map_private)) != 0;
        if (!told && proc.osrel >= osrel_strict_files)
            return Failure(TRY(proc.files->find(call.fd)) ? Errno::einval : Errno::ebadf);
        TRY(use_file(lwp, call, request));
    }
    if ((!request.fixed && request.align_shift >= address_bits) ||
        (request.guard_below && request.length <= page_size)) // its guard page alone fills it
        return Failure(Errno::enomem);
    return finish(lwp, call, request);
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

// Flags that are not known are passed over; with both MAP_SHARED and MAP_PRIVATE a mapping is shared.
SysResult<Return> sys_dragonfly_mmap(Lwp& lwp, const SystemCall& system_call) {
    MapCall call{system_call.word(0),    system_call.word(1),    system_call.natural(2),
                 system_call.natural(3), system_call.integer(4), system_call.word(6)};
    MapRequest request;
    request.protection = call.protection & protection_all;
    if ((call.flags & map_stack) != 0) {
        if (call.fd != -1 || (request.protection & read_write) != read_write)
            return Failure(Errno::einval);
        call.flags |= map_anon;
        call.offset = 0;
    }
    const bool anonymous = (call.flags & map_anon) != 0;
    if (call.length == 0 || (anonymous && (call.fd != -1 || call.offset != 0)))
        return Failure(Errno::einval);
    if ((call.flags & dragonfly_vpagetable) != 0)
        return Failure(Errno::eopnotsupp);
    request.shared = (call.flags & map_shared) != 0;
    request.inherit_shared = (call.flags & dragonfly_inherit) != 0;
    request.no_core = (call.flags & map_nocore) != 0;
    request.fixed = (call.flags & (map_fixed | dragonfly_tryfixed)) != 0;
    request.exclusive = (call.flags & dragonfly_tryfixed) != 0;
    TRY(use_range(call, request, Errno::einval));
    if (!anonymous)
        TRY(use_file(lwp, call, request));
    const std::uint64_t size = round_up(request.length);
    if ((call.flags & dragonfly_sizealign) != 0) {
        if ((size & (size - 1)) != 0)
            return Failure(Errno::einval);
        request.align_shift = static_cast<std::uint8_t>(__builtin_ctzll(size));
        if (request.align_shift >= address_bits)
            return Failure(Errno::enomem);
    } else if ((size & (super_page - 1)) == 0 || size > 16 * super_page) {
        request.align_shift = super_page_shift;
    }
    if (memory_settings.random_mmap && call.address == 0 && !request.fixed) {
        const VmSpace& space = *lwp.proc.vmspace;
        std::uint64_t number = 0, room = most(least(space.limits.data, std::uint64_t{32} << 30), page_size);
        random_source.fill(&number, sizeof number);
        request.address = round_up(space.layout().heap_end + number % room);
    }
    return finish(lwp, call, request);
}

} // namespace bsd
