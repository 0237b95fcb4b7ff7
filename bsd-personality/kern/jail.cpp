// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/jail.hpp"

#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/kern/counters.hpp"
#include "bsd-personality/kern/exec.hpp"
#include "bsd-personality/vfs/namei.hpp"
#include "bsd-personality/vfs/root.hpp"
#include "bsd-personality/vm/vmspace.hpp"

#include <cstring>

namespace bsd {

Jail jail;

namespace {

void append(const char* string) {
    char* message = jail.status->message;
    unsigned length = 0;
    while (length < sizeof jail.status->message - 1 && message[length] != '\0')
        length++;
    while (*string && length < sizeof jail.status->message - 1)
        message[length++] = *string++;
    message[length] = '\0';
}

// Last, after all that the box reads with it.
void set_state(proto::JailState state) {
    __atomic_store_n(reinterpret_cast<std::uint32_t*>(&jail.status->state), static_cast<std::uint32_t>(state),
                     __ATOMIC_SEQ_CST);
}

// Strings of the box: bounded by the field whatever it holds.
Text bounded(const char* field, std::size_t size) {
    std::size_t length = 0;
    while (length < size && field[length] != '\0')
        length++;
    return {field, length};
}

SysResult<void> add_strings(ExecStrings& strings) {
    const proto::JailParameters& p = jail.parameters;
    std::size_t at = 0;
    for (std::uint32_t i = 0; i < p.argument_count + p.environment_count; i++) {
        if (at >= sizeof p.strings)
            return Failure(Errno::e2big);
        Text string = bounded(p.strings + at, sizeof p.strings - at);
        TRY(strings.add(string));
        at += string.size + 1;
        (i < p.argument_count ? strings.argument_count : strings.environment_count)++;
    }
    return {};
}

void set_limits(Proc& proc) {
    for (Limit& limit : proc.limits)
        limit = {limit_infinity, limit_infinity};
    proc.limits[limit_data] = {std::uint64_t{32} << 30, std::uint64_t{32} << 30};
    proc.limits[limit_stack] = {default_abi->default_stack_limit, 512 << 20};
    proc.limits[limit_core] = {0, limit_infinity};
    proc.limits[limit_nofile] = {FileTable::limit, FileTable::limit};
    proc.limits[limit_nproc] = {max_processes, max_processes};
}

SysResult<Proc*> make_init() {
    Proc* proc = TRY(create_process(1));
    auto* cred = lwkt::construct<Ucred>();
    if (!cred)
        return Failure(Errno::enomem);
    proc->cred = UcredRef::adopt(cred);
    proc->abi = default_abi;
    proc->state = ProcState::alive;
    std::memcpy(proc->command, "init", 5);
    proc->actions[sigchld].flags = sa_nocldwait;
    set_limits(*proc);
    auto* session = lwkt::construct<Session>();
    auto* group = lwkt::construct<Pgrp>();
    if (!session || !group)
        return Failure(Errno::enomem);
    session->id = group->id = 1;
    session->groups = 1;
    std::memcpy(session->login, "root", 5);
    group->session = session;
    all_process_groups.push_back(group);
    group->members.push_back(proc);
    proc->pgrp = group;
    return proc;
}

// The first process is gone: so is the jail. Whoever is left is killed; the box takes the memory back in any
// case.
void first_ended(std::uint32_t wait_status) {
    for (Proc* proc = all_processes.first(); proc; proc = all_processes.next(proc))
        if (proc != init_process)
            post_kernel_signal(*proc, sigkill);
    jail.status->wait_status = wait_status;
    set_state(proto::JailState::exited);
    jail.ring_box();
}

} // namespace

void note(const char* a, const char* b, const char* c, const char* d) {
    if (!jail.status)
        return;
    for (const char* part : {a, b, c, d, "\n"})
        append(part);
}

void jail_failed(const char* a, const char* b, const char* c) {
    note(a, b, c);
    console_print("%s%s%s\n", a, b, c);
    set_state(proto::JailState::failed);
    jail.ring_box();
}

SysResult<void> start_first_process() {
    proto::JailParameters& p = jail.parameters;
    p.command[sizeof p.command - 1] = p.directory[sizeof p.directory - 1] =
        p.hostname[sizeof p.hostname - 1] = '\0';
    init_process = TRY(make_init());
    first_process_ended = first_ended;

    Proc& proc = *TRY(create_process());
    first_process = &proc;
    set_parent(proc, *init_process);
    proc.abi = default_abi;
    proc.cred = init_process->cred;
    set_limits(proc);
    proc.pgrp = init_process->pgrp;
    proc.pgrp->members.push_back(&proc);
    TRY(enter_process_group(proc, proc.pid, true));
    std::memcpy(proc.pgrp->session->login, "root", 5);
    proc.files = FileTable::create();
    if (!proc.files)
        return Failure(Errno::enomem);
    const char* why = nullptr;
    proto::Bytes image{reinterpret_cast<const std::uint8_t*>(glue::Ram::image().data()),
                       glue::Ram::image().size()};
    auto root = make_root(image, why);
    if (!root) {
        jail_failed("file tree: ", why ? why : describe(root.error()));
        return Failure(root.error());
    }
    proc.root = proc.cwd = root.value();
    Lwp& lwp = *TRY(create_lwp(proc));
    TRY(open_standard_files(lwp));
    proc.state = ProcState::alive;
    if (p.directory[0] && !(p.directory[0] == '/' && p.directory[1] == '\0')) {
        auto directory = find_vnode(lwp, text(p.directory));
        if (!directory || directory.value()->type != VnodeType::directory) {
            jail_failed(p.directory, ": ", describe(directory ? Errno::enotdir : directory.error()));
            return Failure(Errno::enoent);
        }
        proc.cwd = directory.value();
    }
    ExecStrings strings;
    ExecFailure failure;
    TRY(add_strings(strings));
    if (auto started = exec_program(lwp, text(p.command), strings, &failure); !started) {
        jail_failed(p.command, ": ",
                    failure.elf != ElfError::none ? describe(failure.elf) : describe(started.error()));
        return Failure(started.error());
    }
    proc.flags &= ~std::uint32_t{proc_executed};
    set_state(proto::JailState::running);
    jail.ring_box();
    start_lwp(lwp);
    return {};
}

const char* describe(Errno error) {
    switch (error) {
    case Errno::enoent:
        return "no such file or directory";
    case Errno::eacces:
        return "permission denied or not an executable file";
    case Errno::enoexec:
        return "not an executable format";
    case Errno::enomem:
        return "the jail's memory is too small";
    case Errno::e2big:
        return "argument list too long";
    case Errno::enotdir:
        return "not a directory";
    case Errno::einval:
        return "invalid";
    case Errno::eloop:
        return "too many levels of symbolic links";
    default:
        return "cannot be started";
    }
}

} // namespace bsd
