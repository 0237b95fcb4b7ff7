// SPDX-License-Identifier: BSD-2-Clause
// FreeBSD's threads: thr_*, contexts, sysarch.
#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/abi/freebsd/signal.hpp"
#include "bsd-personality/kern/cpu.hpp"
#include "bsd-personality/kern/sleep.hpp"
#include "bsd-personality/kern/stack_image.hpp"
#include "bsd-personality/kern/umtx.hpp"
#include "bsd-personality/vm/usermem.hpp"
#include "glue/fpu.hpp"
#include "lwkt/slab.hpp"

#include <cstring>

namespace bsd {

namespace {

struct ThreadParameters { // struct thr_param
    std::uint64_t start, argument, stack_base, stack_size, tls_base, tls_size, child_tid, parent_tid;
    std::int32_t flags, padding;
    std::uint64_t rtprio, spare[3];
};
static_assert(sizeof(ThreadParameters) == 104);
constexpr int thread_suspended = 1;

SysResult<void> put_tid(Lwp& lwp, std::uint64_t address, lwpid_t tid) {
    return address ? copyout(*lwp.proc.vmspace, UserAddress{address}, static_cast<std::int64_t>(tid))
                   : SysResult<void>();
}

SysResult<void> prepare(Lwp& parent, Lwp& thread, const ThreadParameters& p) {
    UserContext& c = thread.saved;
    c.cs = parent.frame->cs;
    c.ss = parent.frame->ss;
    set_entry_registers(c, p.start, 0);
    c.rdi = p.argument;
    c.rsp = ((p.stack_base + p.stack_size) & ~std::uint64_t{15}) - 8;
    c.fs_base = p.tls_base;
    thread.mask = parent.mask;
    TRY(copyout(*parent.proc.vmspace, UserAddress{c.rsp}, std::uint64_t{0}));
    TRY(put_tid(parent, p.child_tid, thread.tid));
    return put_tid(parent, p.parent_tid, thread.tid);
}

} // namespace

SysResult<Return> sys_thr_self(Lwp& lwp, const SystemCall& call) {
    TRY(copyout(*lwp.proc.vmspace, call.address(0), static_cast<std::int64_t>(lwp.tid)));
    return Return(0);
}

SysResult<Return> sys_thr_new(Lwp& lwp, const SystemCall& call) {
    std::int32_t size = call.integer(1);
    if (size < 0 || size > static_cast<std::int32_t>(sizeof(ThreadParameters)))
        return Failure(Errno::einval);
    ThreadParameters p{};
    TRY(copyin(*lwp.proc.vmspace, call.address(0), &p, static_cast<std::uint64_t>(size)));
    if (p.start >= user_address_end || p.tls_base >= user_address_end)
        return Failure(Errno::einval);
    Lwp* thread = TRY(create_lwp(lwp.proc));
    inherit_schedule(lwp, *thread);
    if (auto ready = prepare(lwp, *thread, p); !ready) {
        destroy_unstarted_lwp(*thread);
        return Failure(ready.error());
    }
    if (p.flags & thread_suspended)
        set_ast(*thread, ast_suspend);
    start_lwp(*thread);
    return Return(0);
}

// thr_exit(long* state): the last thread stays and is told so by a return.
SysResult<Return> sys_thr_exit(Lwp& lwp, const SystemCall& call) {
    if (lwp.proc.lwp_count == 1)
        return Return(0);
    if (call.word(0)) {
        VmSpace& space = *lwp.proc.vmspace;
        if (user_store64(space, call.address(0), 1)) {
            auto key = umtx_key(space, call.address(0), false);
            if (key)
                umtx_wake(key.value(), ~0u);
            UmtxKey own{&space, call.word(0)};
            umtx_wake(own, ~0u);
        }
    }
    exit_thread(lwp);
    return Failure(Errno::ejustreturn);
}

namespace {

SysResult<Return> signal_thread(Lwp& lwp, Proc& proc, std::int64_t id, int signal) {
    if (signal != 0 && !SignalSet::valid(signal))
        return Failure(Errno::einval);
    if (!may_signal(lwp.proc, proc, signal))
        return Failure(Errno::eperm);
    SignalInfo info;
    info.signal = signal;
    info.code = si_lwp;
    info.pid = lwp.proc.pid;
    info.uid = lwp.proc.cred->ruid;
    if (id == -1) {
        bool any = false;
        for (Lwp *each = proc.lwps.first(), *next; each; each = next) {
            next = proc.lwps.next(each);
            if (each == &lwp)
                continue;
            any = true;
            if (signal)
                post_signal(*each, info);
        }
        if (!any)
            return Failure(Errno::esrch);
        return Return(0);
    }
    Lwp* target = id > 0 && id <= 0x7fff'ffff ? find_lwp(static_cast<lwpid_t>(id)) : nullptr;
    if (!target || &target->proc != &proc)
        return Failure(Errno::esrch);
    if (signal)
        post_signal(*target, info);
    return Return(0);
}

} // namespace

SysResult<Return> sys_thr_kill(Lwp& lwp, const SystemCall& call) {
    return signal_thread(lwp, lwp.proc, static_cast<std::int64_t>(call.word(0)), call.integer(1));
}

SysResult<Return> sys_thr_kill2(Lwp& lwp, const SystemCall& call) {
    Proc* proc = find_process(call.integer(0));
    if (!proc)
        return Failure(Errno::esrch);
    return signal_thread(lwp, *proc, static_cast<std::int64_t>(call.word(1)), call.integer(2));
}

// thr_suspend(timeout): until thr_wake, which is remembered.
SysResult<Return> sys_thr_suspend(Lwp& lwp, const SystemCall& call) {
    glue::Nanoseconds deadline = lwkt::no_timeout;
    if (call.word(0)) {
        std::uint64_t span = TRY(to_nanoseconds(TRY(copyin<TimeSpec>(*lwp.proc.vmspace, call.address(0)))));
        deadline = glue::Nanoseconds{glue::Clock::now().value + span};
    }
    while (!lwp.wake_flag)
        if (!TRY(interruptible_sleep(lwp, &lwp.wake_flag, "lthr", deadline)))
            return Failure(Errno::etimedout);
    lwp.wake_flag = false;
    return Return(0);
}

SysResult<Return> sys_thr_wake(Lwp& lwp, const SystemCall& call) {
    std::uint64_t id = call.word(0);
    Lwp* target = id <= 0x7fff'ffff ? find_lwp(static_cast<lwpid_t>(id)) : nullptr;
    if (!target || &target->proc != &lwp.proc)
        return Failure(Errno::esrch);
    target->wake_flag = true;
    lwkt::wakeup(&target->wake_flag);
    if (__atomic_fetch_and(&target->ast, ~std::uint32_t{ast_suspend}, __ATOMIC_SEQ_CST) & ast_suspend) {
        target->wake_flag = false;
        lwkt::wakeup(&target->proc.stop_signal);
    }
    return Return(0);
}

SysResult<Return> sys_thr_set_name(Lwp& lwp, const SystemCall& call) {
    std::uint64_t id = call.word(0);
    Lwp* target = id <= 0x7fff'ffff ? find_lwp(static_cast<lwpid_t>(id)) : nullptr;
    char name[sizeof(Lwp::name)] = {};
    if (call.word(1))
        if (auto length = copyinstr(*lwp.proc.vmspace, call.address(1), name, sizeof name); !length) {
            if (length.error() != Errno::enametoolong)
                return Failure(length.error());
            name[sizeof name - 1] = '\0';
        }
    if (!target || &target->proc != &lwp.proc)
        return Failure(Errno::esrch);
    std::memcpy(target->name, name, sizeof name);
    return Return(0);
}

// --- contexts
// --------------------------------------------------------------------------------------------------------

namespace {

SysResult<void> store_context(Lwp& lwp, UserAddress to) {
    auto* context = lwkt::construct<freebsd::UserContextRecord>();
    if (!context)
        return Failure(Errno::enomem);
    freebsd::fill_context(lwp, lwp.mask, *context);
    // Coming back by setcontext looks like this call returning 0.
    context->machine.registers.rax = 0;
    context->machine.registers.rdx = 0;
    context->machine.rflags &= ~std::uint64_t{1};
    auto result = copyout(*lwp.proc.vmspace, context, to, sizeof *context);
    lwkt::destroy(context);
    return result;
}

} // namespace

SysResult<Return> sys_getcontext(Lwp& lwp, const SystemCall& call) {
    if (call.word(0) == 0)
        return Failure(Errno::einval);
    TRY(store_context(lwp, call.address(0)));
    return Return(0);
}

SysResult<Return> sys_setcontext(Lwp& lwp, const SystemCall& call) {
    if (call.word(0) == 0)
        return Failure(Errno::einval);
    TRY(freebsd::signal_return(lwp, call.address(0)));
    return Failure(Errno::ejustreturn);
}

SysResult<Return> sys_swapcontext(Lwp& lwp, const SystemCall& call) {
    if (call.word(0) == 0 || call.word(1) == 0)
        return Failure(Errno::einval);
    UserAddress next = call.address(1);
    TRY(store_context(lwp, call.address(0)));
    TRY(freebsd::signal_return(lwp, next));
    return Failure(Errno::ejustreturn);
}

SysResult<Return> sys_sysarch(Lwp& lwp, const SystemCall& call) {
    enum { get_fs_base = 128, set_fs_base, get_gs_base, set_gs_base };
    VmSpace& space = *lwp.proc.vmspace;
    int operation = call.integer(0);
    switch (operation) {
    case get_fs_base:
    case get_gs_base:
        TRY(copyout(space, call.address(1),
                    operation == get_fs_base ? lwp.frame->fs_base : lwp.frame->gs_base));
        return Return(0);
    case set_fs_base:
    case set_gs_base: {
        auto base = TRY(copyin<std::uint64_t>(space, call.address(1)));
        if (base >= user_address_end)
            return Failure(Errno::einval);
        (operation == set_fs_base ? lwp.frame->fs_base : lwp.frame->gs_base) = base;
        return Return(0);
    }
    default:
        return Failure(Errno::einval);
    }
}

SysResult<Return> sys_cap_getmode(Lwp& lwp, const SystemCall& call) {
    TRY(copyout(*lwp.proc.vmspace, call.address(0), std::uint32_t{0}));
    return Return(0);
}

} // namespace bsd
