// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/core.hpp"

#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/kern/core_file.hpp"
#include "bsd-personality/kern/core_name.hpp"
#include "bsd-personality/kern/cpu.hpp"
#include "bsd-personality/kern/hold.hpp"
#include "bsd-personality/vm/object.hpp"
#include "bsd-personality/vm/vmspace.hpp"
#include "lwkt/slab.hpp"

namespace bsd {

namespace {

using vm::MapEntry;

struct ElfHeader { // Elf64_Ehdr
    std::uint8_t ident[16];
    std::uint16_t type, machine;
    std::uint32_t version;
    std::uint64_t entry, program_headers, section_headers;
    std::uint32_t flags;
    std::uint16_t size, program_header_size, program_header_count, section_header_size, section_header_count,
        section_names;
};
static_assert(sizeof(ElfHeader) == 64);
struct ProgramHeader { // Elf64_Phdr
    std::uint32_t type, flags;
    std::uint64_t offset, address, physical, file_size, memory_size, align;
};
static_assert(sizeof(ProgramHeader) == 56);
enum : std::uint32_t { type_load = 1, type_note = 4 };
constexpr std::uint64_t most_segments = 0xfffe; // more would need a section header to say how many

bool is_dumped(const MapEntry& entry) {
    return entry.protection != 0 && entry.object != nullptr && !entry.guard && !entry.no_core;
}

template <class Step>
void each_segment(const VmSpace& space, Step step) {
    for (const MapEntry* entry = space.first_entry(); entry; entry = entry->next)
        if (is_dumped(*entry))
            step(*entry);
}

std::uint32_t segment_flags(unsigned protection) { // the same bits in the opposite order
    return ((protection & vm::protection_read) ? 4u : 0u) | ((protection & vm::protection_write) ? 2u : 0u) |
           ((protection & vm::protection_execute) ? 1u : 0u);
}

// How the parts of the file lie; what changes in between (by a process that shares the memory) cannot break
// it.
struct Layout {
    std::uint64_t segments = 0, memory = 0, notes = 0;
    std::uint64_t notes_at() const { return sizeof(ElfHeader) + (segments + 1) * sizeof(ProgramHeader); }
    std::uint64_t memory_at() const { return vm::round_up(notes_at() + notes); }
    std::uint64_t end() const { return memory_at() + memory; }
};

struct Dump {
    CoreFile file;
    Lwp& lwp;
    const SignalInfo& info;
    Layout layout;

    Dump(Lwp& thread, const SignalInfo& signal, Vnode* vnode)
        : file(thread, vnode), lwp(thread), info(signal) {}

    void put_headers() {
        const Abi& abi = *lwp.proc.abi;
        ElfHeader header{};
        constexpr std::uint8_t ident[] = {0x7f, 'E', 'L', 'F', 2, 1, 1};
        __builtin_memcpy(header.ident, ident, sizeof ident);
        header.ident[7] = abi.core_osabi;
        header.type = 4; // ET_CORE
        header.machine = 62;
        header.version = 1;
        header.program_headers = header.size = sizeof(ElfHeader);
        header.program_header_size = sizeof(ProgramHeader);
        header.program_header_count = static_cast<std::uint16_t>(layout.segments + 1);
        header.section_header_size = 64;
        file.put_value(header);
        file.put_value(ProgramHeader{type_note, abi.core_note_flags, layout.notes_at(), 0, 0, layout.notes, 0,
                                     abi.core_note_align});
        std::uint64_t offset = layout.memory_at(), left = layout.segments;
        each_segment(*lwp.proc.vmspace, [&](const MapEntry& entry) {
            if (left == 0)
                return;
            left--;
            std::uint64_t size = entry.end - entry.start;
            file.put_value(ProgramHeader{type_load, segment_flags(entry.protection), offset, entry.start, 0,
                                         size, size, vm::page_size});
            offset += size;
        });
    }

    void put_memory() {
        VmSpace& space = *lwp.proc.vmspace;
        std::uint64_t offset = layout.memory_at(), from = 0;
        for (std::uint64_t left = layout.segments; left != 0; left--) {
            const MapEntry* entry = first_dumped(space, from);
            if (!entry || entry->end - entry->start > layout.end() - offset)
                break;
            std::uint64_t start = entry->start, end = entry->end; // the entry does not outlive a sleep
            put_segment(space, start, end, offset);
            offset += end - start;
            from = end;
        }
    }

private:
    static const MapEntry* first_dumped(const VmSpace& space, std::uint64_t from) {
        const MapEntry* entry = space.first_entry();
        while (entry && (entry->end <= from || !is_dumped(*entry)))
            entry = entry->next;
        return entry;
    }

    // Only what is there is written: the rest of a segment is a hole in the file.
    void put_segment(VmSpace& space, std::uint64_t start, std::uint64_t end, std::uint64_t offset) {
        for (std::uint64_t at = start; at < end && !file.failed();) {
            const MapEntry* entry = space.entry_at(at);
            if (!entry || !entry->object || !next_present(*entry, least(end, entry->end), at))
                return;
            std::uint64_t run = at;
            while (run < least(end, entry->end) && run - at < most_at_once && is_present(*entry, run))
                run += vm::page_size;
            file.skip_to(offset + (at - start));
            file.put_memory(at, run - at);
            at = run;
        }
    }
    static constexpr std::uint64_t most_at_once = 64 * vm::page_size;

    static bool is_present(const MapEntry& entry, std::uint64_t address) {
        return entry.object->find(entry.index_at(address)).place >= vm::Frame::Place::own;
    }
    // Moves on to the first page below `end` that is there. Pages of an image begin with its first, so that
    // behind a page that is not there only objects' own pages are.
    static bool next_present(const MapEntry& entry, std::uint64_t end, std::uint64_t& address) {
        if (is_present(entry, address))
            return true;
        std::uint64_t index = entry.index_at(address), best = ~std::uint64_t{0}, found;
        for (const vm::Object* object = entry.object; object; object = object->backing())
            if (object->next_own(index, found))
                best = least(best, found);
        if (best >= entry.index_at(end))
            return false;
        address += (best - index) << vm::page_shift;
        return true;
    }
};

// A regular file with one name that belongs to the process's user, opened as the process could open it.
SysResult<VnodeRef> open_file(Lwp& lwp, Text path, bool exclusive) {
    constexpr std::uint32_t flags =
        open_write_only | open_create | open_no_follow | open_nonblock | open_no_ctty;
    FileRef file = TRY(open_path(lwp, at_fdcwd, path, flags | (exclusive ? open_exclusive : 0u), 0600));
    Vnode* vnode = file->vnode();
    Attributes attributes;
    if (!vnode || vnode->type != VnodeType::regular || !vnode->attributes(attributes).ok() ||
        attributes.links != 1 || attributes.uid != lwp.proc.cred->uid)
        return Failure(Errno::efault);
    return VnodeRef(vnode);
}

// With %I in the name: the first that is not there, else the oldest.
SysResult<VnodeRef> open_core(Lwp& lwp, CoreName& name) {
    if (name.index_digits == 0)
        return open_file(lwp, name.path.view(), false);
    FileTime oldest;
    int best = -1;
    for (int index = 0; index < core_settings.indices; index++) {
        name.set_index(static_cast<unsigned>(index));
        auto opened = open_file(lwp, name.path.view(), true);
        if (opened.ok() || opened.error() != Errno::eexist)
            return opened;
        auto found = find_vnode(lwp, name.path.view());
        Attributes attributes;
        if (!found.ok() || !found.value()->attributes(attributes).ok())
            continue;
        const FileTime& time = attributes.modify;
        if (best < 0 || time.seconds < oldest.seconds ||
            (time.seconds == oldest.seconds && time.nanoseconds < oldest.nanoseconds)) {
            best = index;
            oldest = time;
        }
    }
    if (best < 0)
        return Failure(Errno::eexist);
    name.set_index(static_cast<unsigned>(best));
    return open_file(lwp, name.path.view(), false);
}

SysResult<Layout> measure(Lwp& lwp, const SignalInfo& info) {
    Layout layout;
    each_segment(*lwp.proc.vmspace, [&](const MapEntry& entry) {
        layout.segments++;
        layout.memory += entry.end - entry.start;
    });
    if (layout.segments > most_segments)
        return Failure(Errno::e2big);
    auto* dry = lwkt::construct<CoreFile>(lwp);
    if (!dry)
        return Failure(Errno::enomem);
    lwp.proc.abi->put_core_notes(*dry, lwp, info);
    layout.notes = dry->size();
    lwkt::destroy(dry);
    return layout;
}

SysResult<void> write_core(Lwp& lwp, const SignalInfo& info, Vnode& vnode) {
    Layout layout = TRY(measure(lwp, info));
    std::uint64_t limit = least(lwp.proc.limits[limit_core].current, lwp.proc.limits[limit_fsize].current);
    TRY(vnode.truncate(0));
    if (layout.end() >= limit)
        return Failure(Errno::efbig);
    auto* dump = lwkt::construct<Dump>(lwp, info, &vnode);
    if (!dump)
        return Failure(Errno::enomem);
    dump->layout = layout;
    dump->put_headers();
    lwp.proc.abi->put_core_notes(dump->file, lwp, info);
    dump->file.flush();
    Errno error = dump->file.size() == layout.notes_at() + layout.notes ? dump->file.error() : Errno::eio;
    if (error == Errno{}) {
        dump->put_memory();
        error = dump->file.error();
    }
    lwkt::destroy(dump);
    if (error != Errno{})
        return Failure(error);
    return vnode.size() < static_cast<std::int64_t>(layout.end())
               ? vnode.truncate(static_cast<std::int64_t>(layout.end()))
               : SysResult<void>{};
}

SysResult<void> try_dump(Lwp& lwp, const SignalInfo& info) {
    const Proc& proc = lwp.proc;
    if (!core_settings.enabled || (!core_settings.set_id && (proc.flags & proc_set_id)) || !proc.cwd)
        return Failure(Errno::efault);
    if (proc.limits[limit_core].current == 0)
        return Failure(Errno::efbig);
    auto* name = lwkt::construct<CoreName>();
    if (!name)
        return Failure(Errno::enomem);
    auto opened = [&]() -> SysResult<VnodeRef> {
        TRY(expand_core_name(proc, info.signal, *name));
        return open_core(lwp, *name);
    }();
    lwkt::destroy(name);
    VnodeRef vnode = TRY(opened);
    return write_core(lwp, info, *vnode);
}

} // namespace

bool dump_core(Lwp& lwp, const SignalInfo& info) {
    if (!hold_threads(lwp))
        return false;
    put_away_registers(lwp);
    bool written = try_dump(lwp, info).ok();
    release_threads(lwp);
    return written;
}

} // namespace bsd
