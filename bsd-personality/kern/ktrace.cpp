// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/ktrace.hpp"

#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/kern/debug_access.hpp"
#include "bsd-personality/kern/time.hpp"
#include "bsd-personality/vm/usermem.hpp"
#include "lwkt/slab.hpp"

#include <cstring>

namespace bsd {

namespace {

struct FreebsdHeader { // struct ktr_header, version 1
    std::int32_t length;
    std::uint16_t type, version;
    std::int32_t pid;
    char command[20];
    TimeSpec time;
    std::int64_t tid;
    std::int32_t cpu, padding;
};
static_assert(sizeof(FreebsdHeader) == 64 && offsetof(FreebsdHeader, time) == 32 &&
              offsetof(FreebsdHeader, cpu) == 56);
constexpr std::uint16_t versioned = 0x4000;

struct DragonflyHeader { // struct ktr_header
    std::int32_t length;
    std::uint16_t type, flags;
    std::int32_t pid, tid;
    char command[17];
    TimeVal time;
    std::uint64_t buffer;
};
static_assert(sizeof(DragonflyHeader) == 64 && offsetof(DragonflyHeader, command) == 16 &&
              offsetof(DragonflyHeader, time) == 40);
constexpr std::uint16_t threaded = 1;

struct CallHead {
    std::int16_t number, count;
    std::int32_t padding;
};
struct CallReturn {
    std::int16_t number, padding;
    std::int32_t error;
    std::uint64_t value;
};
struct IoHead {
    std::int32_t fd, writing;
};
struct SignalRecord {
    std::int32_t signal, padding;
    std::uint64_t action;
    std::int32_t code;
    std::uint32_t mask[4], end;
};
static_assert(sizeof(SignalRecord) == 40);
struct SwitchRecord {
    std::int32_t out, user;
    char message[8]; // FreeBSD
};
struct FaultRecord {
    std::uint64_t address;
    std::int32_t type, padding;
};
constexpr std::uint64_t most_io = 4096; // kern.ktrace.genio_size

bool is_dragonfly(const Lwp& lwp) {
    return lwp.proc.abi->kind == AbiKind::dragonfly;
}

// A file that can take no more: nobody is traced to it any longer.
void give_up(KtraceFile& file) {
    for (Proc* proc = all_processes.first(); proc; proc = all_processes.next(proc))
        if (proc->ktrace == &file)
            ktrace_clear(*proc, ktrace_points_mask);
}

unsigned make_header(const Lwp& lwp, Ktr kind, std::uint64_t size, std::byte (&out)[64]) {
    const Proc& proc = lwp.proc;
    std::uint64_t now = wall_clock();
    std::uint32_t cpu = lwkt::current_cpu().value;
    if (is_dragonfly(lwp)) {
        DragonflyHeader header{};
        header.length = static_cast<std::int32_t>(size);
        header.type = static_cast<std::uint16_t>(kind);
        header.flags = static_cast<std::uint16_t>((cpu & 0xff) << 8 | (proc.lwp_count > 1 ? threaded : 0));
        header.pid = proc.pid;
        header.tid = lwp.tid;
        std::memcpy(header.command, proc.command, sizeof header.command - 1);
        header.time = to_timeval(now);
        std::memcpy(out, &header, sizeof header);
        return sizeof header;
    }
    FreebsdHeader header{};
    header.length = static_cast<std::int32_t>(size);
    header.type = static_cast<std::uint16_t>(kind) | versioned;
    header.version = 1;
    header.pid = proc.pid;
    std::memcpy(header.command, proc.command, sizeof header.command - 1);
    header.time = to_timespec(now);
    header.tid = lwp.tid;
    header.cpu = static_cast<std::int32_t>(cpu);
    std::memcpy(out, &header, sizeof header);
    return sizeof header;
}

void write_record(Lwp& lwp, Ktr kind, KtracePart first, KtracePart second) {
    KtraceFile* file = lwp.proc.ktrace;
    if (!file)
        return;
    std::byte header[64];
    unsigned length = make_header(lwp, kind, first.size + second.size, header);
    const IoVector vectors[3] = {{reinterpret_cast<std::uint64_t>(header), length},
                                 {reinterpret_cast<std::uint64_t>(first.bytes), first.size},
                                 {reinterpret_cast<std::uint64_t>(second.bytes), second.size}};
    std::uint64_t total = length + first.size + second.size;
    std::int64_t end = file->vnode->size();
    file->ref();
    bool written = static_cast<std::uint64_t>(end) + total <= file->limit;
    for (unsigned i = 0; i < 3 && written; i++) {
        if (vectors[i].length == 0)
            continue;
        Uio uio(reinterpret_cast<void*>(vectors[i].base), vectors[i].length);
        written = file->vnode->write(lwp, uio, end, 0).ok() && uio.residual() == 0;
        end += static_cast<std::int64_t>(vectors[i].length);
    }
    if (!written)
        give_up(*file);
    file->unref();
}

// What a reader needs to know first of a process: FreeBSD's own, of 64 bits.
void write_start(Proc& proc) {
    constexpr std::uint32_t system_flags = 0x109; // SV_LP64 | SV_ABI_FREEBSD
    Lwp* first = proc.lwps.first();
    if (first && !is_dragonfly(*first))
        write_record(*first, Ktr::process_start, {&system_flags, sizeof system_flags}, {nullptr, 0});
}

} // namespace

void KtraceFile::unref() {
    if (--references_ == 0)
        lwkt::destroy(this);
}

void ktrace_set(Proc& proc, KtraceFile& file, std::uint32_t points, bool by_root) {
    if (proc.ktrace != &file) {
        file.ref();
        if (proc.ktrace)
            proc.ktrace->unref();
        proc.ktrace = &file;
        proc.ktrace_points |= points;
        write_start(proc);
        if (!proc.ktrace) // the file takes nothing
            return;
    }
    proc.ktrace_points |= points | (by_root ? ktrace_root : 0);
    for (Lwp* each = proc.lwps.first(); each; each = proc.lwps.next(each))
        __atomic_fetch_or(&each->observers, observe_ktrace, __ATOMIC_RELAXED);
}

void ktrace_clear(Proc& proc, std::uint32_t points) {
    proc.ktrace_points &= ~points;
    if ((proc.ktrace_points & ktrace_points_mask) != 0 || !proc.ktrace)
        return;
    proc.ktrace_points = 0;
    for (Lwp* each = proc.lwps.first(); each; each = proc.lwps.next(each))
        __atomic_fetch_and(&each->observers, static_cast<std::uint8_t>(~observe_ktrace), __ATOMIC_RELAXED);
    proc.ktrace->unref();
    proc.ktrace = nullptr;
}

void ktrace_exit(Lwp& lwp) {
    if (!lwp.proc.ktrace)
        return;
    if (!is_dragonfly(lwp))
        write_record(lwp, Ktr::process_end, {nullptr, 0}, {nullptr, 0});
    ktrace_clear(lwp.proc, ktrace_points_mask);
}

bool may_ktrace(const Proc& caller, const Proc& target) {
    if ((target.ktrace_points & ktrace_root) && !caller.cred->is_superuser())
        return false;
    return may_debug(caller, target).ok();
}

void ktrace_fork(Proc& parent, Proc& child) {
    constexpr std::uint32_t fork_call = 2; // whichever it was
    if (!(parent.ktrace_points & ktrace_inherit))
        return;
    ktrace_set(child, *parent.ktrace, parent.ktrace_points, (parent.ktrace_points & ktrace_root) != 0);
    if (child.ktrace && child.lwps.first())
        ktrace_return(*child.lwps.first(), fork_call, Return(0));
}

void ktrace_write(Lwp& lwp, Ktr kind, KtracePart first, KtracePart second) {
    if (ktrace_wants(lwp, kind))
        write_record(lwp, kind, first, second);
}

void ktrace_call(Lwp& lwp, std::uint32_t number, const std::uint64_t* arguments, unsigned count) {
    const CallHead head{static_cast<std::int16_t>(number), static_cast<std::int16_t>(count), 0};
    ktrace_write(lwp, Ktr::call, {&head, sizeof head}, {arguments, count * sizeof *arguments});
}

void ktrace_return(Lwp& lwp, std::uint32_t number, const SysResult<Return>& result) {
    CallReturn record{static_cast<std::int16_t>(number), 0, 0, 0};
    if (result.ok())
        record.value = const_cast<SysResult<Return>&>(result).value().rax;
    else if (result.error() == Errno::erestart || result.error() == Errno::ejustreturn)
        record.error = static_cast<std::int32_t>(result.error()); // the kernels' numbers are the same
    else
        record.error = lwp.proc.abi->errno_number(result.error());
    ktrace_write(lwp, Ktr::call_return, {&record, sizeof record});
}

void ktrace_io(Lwp& lwp, int fd, bool writing, const IoVector* vectors, unsigned count, std::uint64_t moved) {
    if (!ktrace_wants(lwp, Ktr::generic_io) || moved == 0)
        return;
    moved = least(moved, most_io);
    auto* bytes = static_cast<std::byte*>(lwkt::allocate(moved));
    if (!bytes)
        return;
    std::uint64_t have = 0;
    for (unsigned i = 0; i < count && have < moved; i++) {
        std::uint64_t part = least(vectors[i].length, moved - have);
        if (!copyin(*lwp.proc.vmspace, UserAddress{vectors[i].base}, bytes + have, part).ok())
            break;
        have += part;
    }
    const IoHead head{fd, writing};
    ktrace_write(lwp, Ktr::generic_io, {&head, sizeof head}, {bytes, have});
    lwkt::release(bytes, moved);
}

void ktrace_signal(Lwp& lwp, const SignalInfo& info, std::uint64_t handler, SignalSet mask) {
    SignalRecord record{info.signal, 0, handler, info.code, {}, 0};
    std::memcpy(record.mask, &mask, sizeof record.mask);
    ktrace_write(lwp, Ktr::signal, {&record, sizeof record});
}

void ktrace_switch(Lwp& lwp, bool out, const char* wmesg) {
    SwitchRecord record{out, 0, {}};
    Text name = text(wmesg);
    std::memcpy(record.message, name.data, least(name.size, sizeof record.message - 1));
    ktrace_write(lwp, Ktr::context_switch,
                 {&record, is_dragonfly(lwp) ? offsetof(SwitchRecord, message) : sizeof record});
}

void ktrace_structure(Lwp& lwp, const char* name, const void* bytes, std::uint64_t size) {
    if (ktrace_wants(lwp, Ktr::structure) && !is_dragonfly(lwp))
        ktrace_write(lwp, Ktr::structure, {name, text(name).size + 1}, {bytes, size});
}

void ktrace_fault(Lwp& lwp, std::uint64_t address, unsigned protection) {
    const FaultRecord record{address, static_cast<std::int32_t>(protection), 0};
    ktrace_write(lwp, Ktr::fault, {&record, sizeof record});
}

void ktrace_fault_end(Lwp& lwp, int result) {
    const std::int32_t record = result;
    ktrace_write(lwp, Ktr::fault_end, {&record, sizeof record});
}

} // namespace bsd
