// SPDX-License-Identifier: BSD-2-Clause
// kern.proc: processes as ps(1) and the run-time libraries see them.
#include <string.h>

#include "bsd-personality/kern/sysctl.hpp"
#include "bsd-personality/kern/time.hpp"
#include "bsd-personality/kern/tty.hpp"
#include "bsd-personality/kern/upmap.hpp"
#include "bsd-personality/vfs/namei.hpp"

namespace bsd {

namespace {

enum ProcessQuery : std::int32_t {
    query_all = 0,
    query_pid = 1,
    query_group = 2,
    query_session = 3,
    query_terminal = 4,
    query_uid = 5,
    query_ruid = 6,
    query_arguments = 7,
    query_processes = 8,   // FreeBSD: all, without threads; DragonFly: working directory
    query_system_name = 9, // FreeBSD; DragonFly: path name
    freebsd_query_path = 12,
    freebsd_query_ps_strings = 38,
    freebsd_query_osrel = 40,
    freebsd_query_umask = 39,
    freebsd_query_trampoline = 41,
    freebsd_query_descriptor_count = 43,
    dragonfly_query_cwd = 8,
    dragonfly_query_path = 9,
    dragonfly_query_trampoline = 10,
};

// Writes a field of a kinfo_proc at its offset (abi facts: kinfo_proc of each system).
template <class T>
void put(std::byte* record, std::size_t offset, T value) {
    memcpy(record + offset, &value, sizeof value);
}

constexpr std::size_t freebsd_record = freebsd_process_size, dragonfly_record = 992;

// What both records say of the controlling terminal.
struct TerminalFields {
    std::uint64_t device = ~std::uint64_t{0};
    pid_t foreground = -1, session = 0;
    std::int32_t flags = 0; // KI_CTTY 1, KI_SLEADER 2
};
TerminalFields terminal_of(const Proc& proc) {
    TerminalFields fields;
    const Session* session = proc.pgrp ? proc.pgrp->session : nullptr;
    if (session && session->terminal && (proc.flags & proc_control_terminal)) {
        const Tty& terminal = *session->terminal;
        fields = {terminal.device_number(), terminal.foreground() ? terminal.foreground()->id : -1,
                  terminal.session()->id, 0};
    }
    if (session)
        fields.flags = (session->terminal ? 1 : 0) | (session->id == proc.pid ? 2 : 0);
    return fields;
}

// How a process is scheduled: of its first thread, but what it uses is of all.
struct Scheduling {
    bool runs = false;                       // one of its threads has a processor, or waits for one
    std::uint32_t estimate = 0, percent = 0; // percent: of one processor, in 2048ths
    UserPriority priority = normal_base;
    SchedulingClass kind;
    unsigned cpu = 0;
    bool on_cpu = false;

    explicit Scheduling(const Proc& proc) {
        glue::Ticks now = glue::Clock::ticks();
        for (const Lwp* lwp = proc.lwps.first(); lwp != nullptr; lwp = proc.lwps.next(lwp)) {
            std::uint64_t consumed = tick_nanoseconds(lwp->cpu_time.total(now));
            std::uint32_t used = lwp->estimate.at(consumed, glue::Clock::to_nanoseconds(now).value);
            percent += used * 2048 / CpuEstimate::maximum;
            bool active = lwp == current_lwp() || lwp->cpu_time.started != 0;
            runs = runs || active || lwp->queued();
            if (lwp != proc.lwps.first())
                continue;
            estimate = used;
            kind = lwp->scheduling_class();
            priority = user_priority(kind, proc.nice, used);
            cpu = __atomic_load_n(&lwp->thread->cpu, __ATOMIC_RELAXED);
            on_cpu = active;
        }
    }
};

// FreeBSD counts realtime threads from 48, time-sharing ones from 120 to 223, idle ones from 224.
std::uint8_t freebsd_priority(const Scheduling& scheduling) {
    unsigned within = scheduling.priority % priorities_a_class;
    switch (scheduling.kind.kind) {
    case SchedulingKind::realtime:
    case SchedulingKind::fifo:
        return static_cast<std::uint8_t>(48 + within / priorities_a_queue);
    case SchedulingKind::idle:
        return static_cast<std::uint8_t>(224 + within / priorities_a_queue);
    case SchedulingKind::normal:
        break;
    }
    return static_cast<std::uint8_t>(120 + within * 104 / priorities_a_class);
}

} // namespace

void fill_freebsd_process(const Proc& proc, std::byte* record) {
    memset(record, 0, freebsd_record);
    put(record, 0, static_cast<std::int32_t>(freebsd_record));
    put(record, 72, proc.pid);
    put(record, 76, proc.parent ? proc.parent->pid : 0);
    put(record, 80, proc.pgrp ? proc.pgrp->id : 0);
    TerminalFields terminal = terminal_of(proc);
    put(record, 84, terminal.foreground);
    put(record, 88, proc.pgrp ? proc.pgrp->session->id : 0);
    put(record, 92, terminal.session);
    put(record, 100, static_cast<std::uint32_t>(terminal.device));
    put(record, 168, proc.cred->uid);
    put(record, 172, proc.cred->ruid);
    put(record, 176, proc.cred->svuid);
    put(record, 180, proc.cred->rgid);
    put(record, 184, proc.cred->svgid);
    put(record, 188, static_cast<std::int16_t>(least<std::uint32_t>(proc.cred->group_count, 16)));
    memcpy(record + 192, proc.cred->groups, sizeof proc.cred->groups);
    put(record, 304, static_cast<std::uint16_t>(proc.wait_status));
    Scheduling scheduling(proc);
    put(record, 308, scheduling.percent);
    put(record, 312, scheduling.estimate);
    Usage usage = usage_of(proc);
    put(record, 328, (usage.user + usage.system) / 1000);
    put(record, 336, to_timeval(wall_clock() - glue::Clock::now().value + proc.start_nanoseconds));
    put(record, 388,
        static_cast<std::uint8_t>(proc.state == ProcState::zombie ? 5
                                  : (proc.flags & proc_stopped)   ? 4
                                  : scheduling.runs               ? 2
                                                                  : 3));
    put(record, 389, proc.nice);
    put(record, 392, static_cast<std::uint8_t>(scheduling.on_cpu ? scheduling.cpu : 255));
    put(record, 393, static_cast<std::uint8_t>(scheduling.cpu));
    memcpy(record + 447, proc.command, least(sizeof proc.command, std::size_t{19}));
    memcpy(record + 467, "FreeBSD ELF64", 13);
    put(record, 376, std::int64_t{terminal.flags});
    put(record, 560, terminal.device);
    put(record, 596, static_cast<std::int32_t>(proc.lwp_count));
    put(record, 600, proc.lwps.first() ? proc.lwps.first()->tid : 0);
    put(record, 568, scheduling.on_cpu ? static_cast<std::int32_t>(scheduling.cpu) : -1);
    put(record, 572, static_cast<std::int32_t>(scheduling.cpu));
    constexpr std::uint8_t classes[] = {2, 10, 3, 4}; // by SchedulingKind
    std::uint8_t priority = freebsd_priority(scheduling);
    put(record, 604, classes[static_cast<unsigned>(scheduling.kind.kind)]);
    for (std::size_t field = 605; field != 608; field++) // level, native, user
        put(record, field, priority);
    put(record, 608, to_record(usage));
    put(record, 752, to_record(proc.child_usage));
}

namespace {

void fill_dragonfly(const Proc& proc, std::byte* record) {
    memset(record, 0, dragonfly_record);
    put(record, 12, std::int32_t{proc.state == ProcState::zombie ? 4 : (proc.flags & proc_stopped) ? 3 : 2});
    put(record, 96, to_timeval(wall_clock() - glue::Clock::now().value + proc.start_nanoseconds));
    memcpy(record + 112, proc.command, least(sizeof proc.command, std::size_t{16}));
    put(record, 132, proc.cred->uid);
    put(record, 136, static_cast<std::int16_t>(proc.cred->group_count));
    memcpy(record + 140, proc.cred->groups, sizeof proc.cred->groups);
    put(record, 204, proc.cred->ruid);
    put(record, 208, proc.cred->svuid);
    put(record, 212, proc.cred->rgid);
    put(record, 216, proc.cred->svgid);
    put(record, 220, proc.pid);
    put(record, 224, proc.parent ? proc.parent->pid : 0);
    put(record, 228, proc.pgrp ? proc.pgrp->id : 0);
    put(record, 236, proc.pgrp ? proc.pgrp->session->id : 0);
    TerminalFields terminal = terminal_of(proc);
    put(record, 280, static_cast<std::uint32_t>(terminal.device));
    put(record, 284, terminal.foreground);
    put(record, 288, terminal.session);
    put(record, 656, terminal.flags);
    put(record, 292, static_cast<std::uint16_t>(proc.wait_status));
    put(record, 296, static_cast<std::int32_t>(proc.lwp_count));
    put(record, 300, std::int32_t{proc.nice});
    Usage usage = usage_of(proc);
    put(record, 368, to_record(usage));
    put(record, 512, to_record(proc.child_usage));
    put(record, 664, proc.pid);
    put(record, 668, proc.lwps.first() ? proc.lwps.first()->tid : 0);
    Scheduling scheduling(proc);
    put(record, 676, std::int32_t{(proc.flags & proc_stopped) ? 2 : scheduling.runs ? 1 : 3});
    put(record, 692, std::int32_t{scheduling.priority});
    constexpr std::uint16_t classes[] = {0, 4, 1, 2}; // by SchedulingKind
    put(record, 700, classes[static_cast<unsigned>(scheduling.kind.kind)]);
    put(record, 702, std::uint16_t{scheduling.kind.level});
    put(record, 704, usage.user / 1000);
    put(record, 712, usage.system / 1000);
    put(record, 736, scheduling.percent);
    put(record, 748, static_cast<std::int32_t>(scheduling.estimate));
    put(record, 752, static_cast<std::int32_t>(scheduling.cpu));
    put(record, 760, to_record(usage));
}

bool wanted(const Proc& proc, std::int32_t query, std::int32_t argument) {
    switch (query) {
    case query_pid:
        return proc.pid == argument;
    case query_group:
        return proc.pgrp && proc.pgrp->id == argument;
    case query_session:
        return proc.pgrp && proc.pgrp->session->id == argument;
    case query_terminal:
        return terminal_of(proc).device == static_cast<std::uint32_t>(argument);
    case query_uid:
        return proc.cred && proc.cred->uid == static_cast<std::uint32_t>(argument);
    case query_ruid:
        return proc.cred && proc.cred->ruid == static_cast<std::uint32_t>(argument);
    default:
        return true;
    }
}

SysResult<void> list(SysctlRequest& request, std::int32_t query, std::int32_t argument) {
    bool dragonfly = request.lwp.proc.abi->kind == AbiKind::dragonfly;
    std::byte record[freebsd_record];
    bool any = false;
    for (const Proc* proc = all_processes.first(); proc; proc = all_processes.next(proc)) {
        if (proc->state == ProcState::embryo || !proc->cred || !wanted(*proc, query, argument))
            continue;
        any = true;
        if (dragonfly)
            fill_dragonfly(*proc, record);
        else
            fill_freebsd_process(*proc, record);
        TRY(request.put(record, dragonfly ? dragonfly_record : freebsd_record));
    }
    if (!any && query == query_pid)
        return Failure(Errno::esrch);
    return {};
}

SysResult<Proc*> process_argument(SysctlRequest& request) {
    if (request.rest_count < 2)
        return Failure(Errno::einval);
    std::int32_t pid = request.rest[1];
    if (pid == -1 || pid == 0)
        return &request.lwp.proc;
    Proc* proc = find_process(pid);
    if (!proc || proc->state != ProcState::alive)
        return Failure(Errno::esrch);
    return proc;
}

SysResult<void> put_path(SysctlRequest& request, const Proc& proc) {
    return proc.path.empty() ? SysResult<void>(Failure(Errno::enoent)) : request.put_text(proc.path.text());
}

SysResult<void> freebsd_only(SysctlRequest& request, const Proc& proc) {
    switch (request.rest[0]) {
    case freebsd_query_path:
        return put_path(request, proc);
    case query_system_name:
        return request.put_text(Text("FreeBSD ELF64"));
    case freebsd_query_ps_strings:
        return request.put_value(proc.ps_strings);
    case freebsd_query_osrel:
        return request.has_new() ? SysResult<void>{} : request.put_value(proc.osrel);
    case freebsd_query_umask:
        return request.put_value(proc.umask);
    case freebsd_query_trampoline: {
        const std::uint64_t range[6] = {proc.sigcode, proc.sigcode + proc.abi->trampoline_size, 0, 0, 0, 0};
        return request.put(range, sizeof range);
    }
    case freebsd_query_descriptor_count:
        return request.put_value(proc.files ? proc.files->open_count() : 0);
    default:
        return Failure(Errno::enoent);
    }
}

SysResult<void> dragonfly_only(SysctlRequest& request, const Proc& proc) {
    switch (request.rest[0]) {
    case dragonfly_query_cwd: {
        PathBuffer path;
        path.length = TRY(directory_path(*proc.root, *proc.cwd, path.bytes, path_max));
        return request.put_text(path.view());
    }
    case dragonfly_query_path:
        return put_path(request, proc);
    case dragonfly_query_trampoline: {
        const std::uint64_t range[2] = {proc.sigcode, proc.sigcode + proc.abi->trampoline_size};
        return request.put(range, sizeof range);
    }
    default:
        return Failure(Errno::enoent);
    }
}

} // namespace

SysResult<void> sysctl_process(SysctlRequest& request) {
    if (request.rest_count < 1)
        return Failure(Errno::einval);
    bool dragonfly = request.lwp.proc.abi->kind == AbiKind::dragonfly;
    constexpr std::int32_t with_threads_freebsd = 0x10, with_threads_dragonfly = 0x1000;
    std::int32_t query = request.rest[0] & ~(dragonfly ? with_threads_dragonfly : with_threads_freebsd);
    if (query <= query_ruid || (query == query_processes && !dragonfly))
        return list(request, query, request.rest_count > 1 ? request.rest[1] : 0);
    Proc* proc = TRY(process_argument(request));
    if (query == query_arguments) {
        if (request.has_new()) // setproctitle: accepted, not shown
            return proc == &request.lwp.proc ? SysResult<void>{} : SysResult<void>(Failure(Errno::eperm));
        if (Text title = process_title(*proc); title.size != 0)
            return request.put_text(title);
        return request.put(proc->arguments, proc->arguments_size);
    }
    return dragonfly ? dragonfly_only(request, *proc) : freebsd_only(request, *proc);
}

} // namespace bsd
