// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/abi/freebsd/core_notes.hpp"

#include "bsd-personality/abi/freebsd/lwp_info.hpp"
#include "bsd-personality/abi/freebsd/registers.hpp"
#include "bsd-personality/abi/versions.hpp"
#include "bsd-personality/kern/sysctl.hpp"
#include "bsd-personality/vm/object.hpp"
#include "glue/fpu.hpp"

#include <cstring>

namespace bsd::freebsd {

namespace {

constexpr const char* owner = "FreeBSD";
enum NoteType : std::uint32_t {
    note_status = 1,
    note_fpu = 2,
    note_process = 3,
    note_thread_name = 7,
    note_proc_records = 8,
    note_proc_map = 10,
    note_proc_groups = 11,
    note_proc_umask = 12,
    note_proc_limits = 13,
    note_proc_osrel = 14,
    note_proc_strings = 15,
    note_proc_auxv = 16,
    note_lwp_info = 17,
    note_segment_bases = 0x200,
    note_extended_state = 0x202,
};

struct Status { // prstatus_t
    std::int32_t version;
    std::uint64_t size, register_size, fpu_size;
    std::int32_t osreldate, signal, tid;
    RegisterSet registers;
};
static_assert(sizeof(Status) == 224 && offsetof(Status, registers) == 48);

struct ProcessInfo { // prpsinfo_t
    std::int32_t version;
    std::uint64_t size;
    char command[17], arguments[81];
    std::int32_t pid;
};
static_assert(sizeof(ProcessInfo) == 120 && offsetof(ProcessInfo, pid) == 116);

struct ThreadName { // thrmisc_t
    char name[20];
    std::uint32_t padding;
};

struct MapRecord { // struct kinfo_vmentry, without a path
    std::int32_t size, type;
    std::uint64_t start, end, offset, file;
    std::uint32_t old_file_system;
    std::int32_t flags, resident, private_resident, protection, references, shadows, vnode_type;
    std::uint64_t file_size;
    std::uint32_t old_device;
    std::uint16_t mode, status;
    std::uint64_t file_system, device;
    std::int32_t spare[8];
    char path[8]; // of 1024
};
static_assert(sizeof(MapRecord) == 144 && offsetof(MapRecord, path) == 136 &&
              offsetof(MapRecord, protection) == 56);
enum : std::int32_t { map_type_default = 1, map_type_vnode = 2 };
enum : std::int32_t { map_copy_on_write = 1, map_needs_copy = 2, map_no_core = 4, map_grows_down = 0x20 };

constexpr std::size_t legacy_state = 512;      // of XSAVE: what fpreg is
constexpr std::size_t state_mask_offset = 464; // where readers look for XCR0
constexpr std::uint32_t most_auxiliary = 64;   // entries of the vector that are looked at

void put_thread(CoreFile& file, Lwp& lwp, const SignalInfo& info, bool first) {
    Status status{};
    status.version = 1;
    status.size = sizeof status;
    status.register_size = sizeof status.registers;
    status.fpu_size = legacy_state;
    status.osreldate = static_cast<std::int32_t>(freebsd_osreldate);
    status.signal = info.signal;
    status.tid = lwp.tid;
    fill_registers(lwp, reinterpret_cast<std::byte*>(&status.registers));
    if (first)
        status.registers.trap_number = static_cast<std::uint32_t>(info.trap_number);
    file.note(owner, note_status, &status, sizeof status);
    file.note(owner, note_fpu, lwp.fpu, legacy_state);
    const std::uint64_t bases[2] = {lwp.frame->fs_base, lwp.frame->gs_base};
    file.note(owner, note_segment_bases, bases, sizeof bases);

    auto size = static_cast<std::uint32_t>(glue::Fpu::size());
    const std::uint64_t mask = glue::Fpu::mask();
    file.begin_note(owner, note_extended_state, size);
    file.put(lwp.fpu, state_mask_offset);
    file.put_value(mask);
    file.put(lwp.fpu + state_mask_offset + sizeof mask, size - state_mask_offset - sizeof mask);
    file.end_note();

    ThreadName name{};
    std::memcpy(name.name, lwp.name[0] ? lwp.name : lwp.proc.command, sizeof name.name - 1);
    file.note(owner, note_thread_name, &name, sizeof name);

    LwpInfoRecord record{};
    record.tid = lwp.tid;
    if (first) {
        record.event = event_signal;
        record.flags = flag_signal_info;
        record.signal = to_record(info);
    }
    std::memcpy(record.name, name.name, sizeof record.name);
    file.begin_note(owner, note_lwp_info, sizeof(std::int32_t) + sizeof record);
    file.put_value(static_cast<std::int32_t>(sizeof record));
    file.put_value(record);
    file.end_note();
}

void put_process(CoreFile& file, const Proc& proc) {
    ProcessInfo info{};
    info.version = 1;
    info.size = sizeof info;
    std::memcpy(info.command, proc.command, sizeof info.command - 1);
    std::uint64_t length = least<std::uint64_t>(proc.arguments_size, sizeof info.arguments - 1);
    for (std::uint64_t i = 0; i < length; i++)
        info.arguments[i] = proc.arguments[i] ? proc.arguments[i] : i + 1 < length ? ' ' : '\0';
    if (length == 0)
        std::memcpy(info.arguments, proc.command, sizeof info.command - 1);
    info.pid = proc.pid;
    file.note(owner, note_process, &info, sizeof info);
}

// One kinfo_proc a thread.
void put_records(CoreFile& file, const Proc& proc) {
    constexpr std::size_t tid_offset = 600, name_offset = 394, name_size = 16;
    file.begin_note(owner, note_proc_records,
                    static_cast<std::uint32_t>(sizeof(std::int32_t) + proc.lwp_count * freebsd_process_size));
    file.put_value(static_cast<std::int32_t>(freebsd_process_size));
    std::byte record[freebsd_process_size];
    fill_freebsd_process(proc, record);
    for (const Lwp* lwp = proc.lwps.first(); lwp; lwp = proc.lwps.next(lwp)) {
        std::memcpy(record + tid_offset, &lwp->tid, sizeof lwp->tid);
        std::memcpy(record + name_offset, lwp->name, name_size);
        file.put(record, sizeof record);
    }
    file.end_note();
}

void put_map(CoreFile& file, const VmSpace& space) {
    std::uint32_t count = 0;
    for (const vm::MapEntry* entry = space.first_entry(); entry; entry = entry->next)
        count++;
    file.begin_note(owner, note_proc_map,
                    static_cast<std::uint32_t>(sizeof(std::int32_t) + count * sizeof(MapRecord)));
    file.put_value(std::int32_t{1160}); // of a record with a whole path
    for (const vm::MapEntry* entry = space.first_entry(); entry; entry = entry->next) {
        MapRecord record{};
        record.size = sizeof record;
        record.type = entry->object && entry->object->is_file() ? map_type_vnode : map_type_default;
        record.start = entry->start;
        record.end = entry->end;
        record.offset = record.type == map_type_vnode ? entry->index << vm::page_shift : 0;
        record.flags = (entry->shared ? 0 : map_copy_on_write) | (entry->needs_copy ? map_needs_copy : 0) |
                       (entry->no_core ? map_no_core : 0) | (entry->stack ? map_grows_down : 0);
        record.protection = entry->protection;
        file.put_value(record);
    }
    file.end_note();
}

// Where the stack was built, behind the environment; what the program has made of it is what is told.
void put_auxiliary(CoreFile& file, const Proc& proc) {
    VmSpace& space = *proc.vmspace;
    auto environment = copyin<std::uint64_t>(space, UserAddress{proc.ps_strings + 16});
    auto count = copyin<std::uint32_t>(space, UserAddress{proc.ps_strings + 24});
    std::uint32_t entries = 0;
    std::uint64_t at = 0;
    if (environment.ok() && count.ok()) {
        at = environment.value() + (std::uint64_t{count.value()} + 1) * 8;
        while (entries < most_auxiliary) {
            auto type = copyin<std::uint64_t>(space, UserAddress{at + entries * 16});
            if (!type.ok()) {
                entries = 0;
                break;
            }
            entries++;
            if (type.value() == 0)
                break;
        }
    }
    file.begin_note(owner, note_proc_auxv, static_cast<std::uint32_t>(sizeof(std::int32_t) + entries * 16));
    file.put_value(std::int32_t{16});
    for (std::uint32_t i = 0; i < entries; i++) {
        std::uint64_t pair[2] = {};
        (void)copyin(space, UserAddress{at + i * 16}, pair, sizeof pair);
        file.put_value(pair);
    }
    file.end_note();
}

// A note of the procstat family: the size of a record, then records.
void put_procstat(CoreFile& file, std::uint32_t type, std::uint32_t record, const void* bytes,
                  std::uint32_t size) {
    file.begin_note(owner, type, static_cast<std::uint32_t>(sizeof(std::int32_t)) + size);
    file.put_value(static_cast<std::int32_t>(record));
    file.put(bytes, size);
    file.end_note();
}

} // namespace

void put_core_notes(CoreFile& file, Lwp& lwp, const SignalInfo& info) {
    Proc& proc = lwp.proc;
    put_process(file, proc);
    put_thread(file, lwp, info, true);
    for (Lwp* each = proc.lwps.first(); each; each = proc.lwps.next(each))
        if (each != &lwp)
            put_thread(file, *each, info, false);
    put_records(file, proc);
    put_map(file, *proc.vmspace);
    std::uint32_t groups[max_groups + 1] = {proc.cred->gid};
    std::memcpy(groups + 1, proc.cred->groups, sizeof proc.cred->groups);
    put_procstat(file, note_proc_groups, sizeof *groups, groups,
                 static_cast<std::uint32_t>((proc.cred->group_count + 1) * sizeof *groups));
    put_procstat(file, note_proc_umask, sizeof proc.umask, &proc.umask, sizeof proc.umask);
    put_procstat(file, note_proc_limits, sizeof proc.limits, proc.limits, sizeof proc.limits);
    put_procstat(file, note_proc_osrel, sizeof proc.osrel, &proc.osrel, sizeof proc.osrel);
    put_procstat(file, note_proc_strings, sizeof proc.ps_strings, &proc.ps_strings, sizeof proc.ps_strings);
    put_auxiliary(file, proc);
}

} // namespace bsd::freebsd
