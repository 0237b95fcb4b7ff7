// SPDX-License-Identifier: BSD-2-Clause
// Processes, threads (lwps), process groups and sessions. Everything here is guarded by the giant token
// unless a field says otherwise. A Proc lives from fork until its parent has waited for it; an Lwp until it
// has left its loop. Each Lwp has an LWKT thread of its own (kernel stack), which runs kern/trap.cpp's loop.
#pragma once

#include "bsd-personality/kern/event.hpp"
#include "bsd-personality/kern/file.hpp"
#include "bsd-personality/kern/giant.hpp"
#include "bsd-personality/kern/list.hpp"
#include "bsd-personality/kern/memory_policy.hpp"
#include "bsd-personality/kern/owned_text.hpp"
#include "bsd-personality/kern/signal.hpp"
#include "bsd-personality/kern/systemcall.hpp"
#include "bsd-personality/kern/time.hpp"
#include "bsd-personality/kern/ucred.hpp"
#include "bsd-personality/kern/usched_policy.hpp"
#include "bsd-personality/vfs/vnode.hpp"
#include "lwkt/thread.hpp"

namespace bsd {

class VmSpace;
namespace vm {
class Object;
}
struct CpuSet;
class KtraceFile;
struct DebugState;
struct DebugStop;
struct Abi;
struct UmtxWaiter;
struct PriorityLoan;
struct Ceiling;
struct Session;
class Tty;
class ProcessDescriptor;

using pid_t = std::int32_t;
using lwpid_t = std::int32_t;
inline constexpr pid_t max_pid = 99999;
inline constexpr unsigned max_processes = 2048, max_lwps = 4096, max_lwps_a_process = 1500;

enum LimitResource : unsigned {
    limit_cpu,
    limit_fsize,
    limit_data,
    limit_stack,
    limit_core,
    limit_rss,
    limit_memlock,
    limit_nproc,
    limit_nofile,
    limit_sbsize,
    limit_vmem,
    limit_npts,
    limit_swap,
    limit_kqueues,
    limit_umtxp,
    limit_posix_locks, // DragonFly's, who numbers it 11; kept and told
    limit_count,
};
inline constexpr std::uint64_t limit_infinity = (std::uint64_t{1} << 63) - 1;
struct Limit {
    std::uint64_t current, maximum;
};

/// Why a thread must look around before it returns to user mode; bits of Lwp::ast.
enum AstBit : std::uint32_t {
    ast_signal = 1,        // deliverable signals may be pending
    ast_exit = 2,          // this thread must end (exit or exec of another one)
    ast_stop = 4,          // the process is stopped
    ast_suspend = 8,       // thr_suspend'ed at creation
    ast_restore_mask = 16, // sigsuspend and the like: put Lwp::saved_mask back after delivery
    ast_resched = 32,      // its priority or affinity was changed
    ast_debug = 64,        // something happened to it that its debugger wants to know: kern/debug.hpp
};

/// Who looks at each system call of a thread; bits of Lwp::observers.
enum ObserverBit : std::uint8_t {
    observe_truss = 1, // kern/trace.hpp
    observe_entry = 2, // its debugger, which stops it there
    observe_exit = 4,
    observe_step = 8, // its debugger lets it go on by one instruction
    observe_ktrace = 16,
};

inline constexpr std::uint64_t no_fast_block = ~std::uint64_t{0};

/// A thread of a process.
struct Lwp : Schedulable {
    explicit Lwp(Proc& process) : proc(process) {}
    Lwp(const Lwp&) = delete;
    Lwp& operator=(const Lwp&) = delete;

    UserContext* frame =
        &saved; // where the user registers are: in the vCPU page, or `saved`. Owned by the thread's core
    Proc& proc;
    std::uint32_t ast = 0; // AstBit; atomic: set under giant by any core, tested by the thread without it
    lwpid_t tid = 0;
    lwkt::Thread* thread = nullptr;
    Link<Lwp> in_proc, by_tid;
    UserContext saved;        // registers while another lwp has the vCPU page
    std::byte* fpu = nullptr; // extended state likewise; 64-byte aligned, behind the Lwp

    SignalSet mask;
    SignalSet saved_mask; // with ast_restore_mask
    SignalSet waiting;    // sigwait: signals that wake it although blocked
    PendingSignals pending;
    AlternateStack altstack;
    bool restart =
        false; // the call answered ERESTART: decided when a signal is delivered, or before user mode
    std::uint64_t restart_rax = 0;            // number to restart with
    SignalInfo fault;                         // a synchronous fault to deliver; signal 0: none
    std::uint64_t fast_block = no_fast_block; // address of its word of sigfastblock(2)
    bool fault_reported = false;              // the debugger has seen it, and wants it delivered
    bool debug_suspended = false;             // its debugger keeps it from running
    std::uint16_t debug_flags = 0;            // StopFlag: what it is to stop for
    pid_t debug_child = 0;
    DebugStop* stop = nullptr; // while it is stopped for its debugger

    PriorityLoan* loan = nullptr;       // while it waits for a mutex and lends its priority
    Ceiling* ceilings = nullptr;        // of protected mutexes that it holds
    UmtxWaiter* umtx = nullptr;         // while it sleeps in umtx
    std::uint64_t robust_lists[3] = {}; // offsets given to UMTX_OP_ROBUST_LISTS
    bool wake_flag = false;             // thr_wake came
    std::uint8_t observers = 0;         // ObserverBit; atomic: set under giant, read by the thread without it
    bool held = true;                   // stands still: not started yet, or kern/hold.hpp
    std::uint64_t exit_address = 0;     // DragonFly: word to clear or store at exit
    std::uint64_t exit_store = 0;
    CpuTime cpu_time;   // owned by its thread, like the next two
    bool moves = false; // it goes to another vCPU before it enters user mode again
    lwkt::CpuId moves_to;
    std::uint64_t arrived = 0;       // Clock time at which it came to this vCPU
    vm::Object* user_page = nullptr; // DragonFly's /dev/lpmap, once mapped: kern/upmap.hpp. Holds a reference
    char name[20] = {};
};

enum class ProcState : std::uint8_t { embryo, alive, zombie };

enum ProcFlag : std::uint32_t {
    proc_exiting = 1,      // exit has begun: no new threads, no signals
    proc_executed = 2,     // has execed since fork
    proc_set_id = 4,       // ids changed (issetugid)
    proc_vfork_wait = 8,   // the parent waits until this process execs or exits
    proc_single = 16,      // one thread ends the others (exec, exit)
    proc_stopped = 32,     // job control
    proc_stop_report = 64, // a stop that wait has not reported yet
    proc_continue_report = 128,
    proc_no_child_wait = 256, // SA_NOCLDWAIT or SIGCHLD ignored
    proc_control_terminal = 512,
};

/// A process.
struct Proc {
    Proc() = default;
    Proc(const Proc&) = delete;
    Proc& operator=(const Proc&) = delete;

    pid_t pid = 0;
    ProcState state = ProcState::embryo;
    std::uint32_t flags = 0; // ProcFlag
    const Abi* abi = nullptr;
    Link<Proc> all, by_pid, sibling, in_pgrp;
    Proc* parent = nullptr; // changed by set_parent()
    pid_t parent_pid = 0;   // atomic: getppid reads it without giant
    List<Proc, &Proc::sibling> children;
    Pgrp* pgrp = nullptr;
    List<Lwp, &Lwp::in_proc> lwps;
    unsigned lwp_count = 0;
    Lwp* single = nullptr;        // with proc_single: the thread that stays
    DebugState* debug = nullptr;  // while it is debugged: kern/debug.hpp
    KtraceFile* ktrace = nullptr; // while it is traced: kern/ktrace.hpp
    std::uint32_t ktrace_points = 0;
    Lwp* holder = nullptr; // the thread that holds the others: kern/hold.hpp

    VmSpace* vmspace = nullptr; // shared during vfork and after rfork(RFMEM)
    FileTable* files = nullptr; // shared after rfork without RFFDG
    VnodeRef cwd, root;         // root: where this process's "/" is (chroot)
    std::uint16_t umask = 022;
    UcredRef cred;
    Limit limits[limit_count] = {};
    std::uint32_t depth = 0;       // forks between the first process and it
    std::uint32_t charged_uid = 0; // among whose processes it counts, if charged
    bool charged = false;
    ProcessTimers timers;
    EventSource events; // EVFILT_PROC and EVFILT_SIGNAL: NOTE_EXIT, NOTE_FORK, NOTE_EXEC, note_signal

    SignalActions actions; // by number
    PendingSignals pending;
    std::uint64_t sigcode = 0; // address of the signal trampoline in user memory
    bool job_control = false;
    CpuSet* cpuset = nullptr; // null: the default set. kern/cpuset.hpp
    std::int8_t nice = 0;     // atomic: written under giant, read by the user scheduler

    std::uint32_t wait_status = 0; // as wait4 gives it; of a zombie
    int stop_signal = 0;
    std::uint64_t umtx_min_timeout =
        0;                      // nanoseconds that a umtx wait with a time limit takes at least; until exec
    std::uint16_t barriers = 0; // membarrier(2): what it has registered for; until exec
    bool no_new_privileges = false;          // set-id files give none; until the end, and for children
    int exit_signal = sigchld;               // what the parent gets at its end; 0: none
    int parent_death_signal = 0;             // sent when the parent ends; 0: none. Not inherited
    bool is_reaper = false;                  // kern/reaper.hpp
    Proc* reaper = nullptr;                  // who adopts its children; null: init
    ProcessDescriptor* descriptor = nullptr; // while one stands for it (pdfork)
    Usage usage;                             // of threads that have ended; usage_of() adds the living
    Usage child_usage;                       // of children that were waited for
    std::uint64_t start_nanoseconds = 0;     // Clock time of the fork

    VnodeRef text;             // the executable
    char command[20] = {};     // its last component, for people
    OwnedText path;            // absolute path as given to exec; KERN_PROC_PATHNAME
    char* arguments = nullptr; // argument strings, NUL after each; kern.proc.args
    std::uint32_t arguments_size = 0;
    std::uint32_t osrel = 0;    // from the FreeBSD note; 0 without
    std::uint32_t features = 0; // ElfFile::Feature, likewise
    MemoryPolicy memory_policy;
    vm::Object* user_page = nullptr; // DragonFly's /dev/upmap, once mapped: kern/upmap.hpp. Holds a reference
    std::uint64_t ps_strings = 0, user_stack = 0; // addresses in user memory
};

/// A process group: lives while a process is in it.
struct Pgrp {
    Link<Pgrp> all;
    pid_t id = 0;
    Session* session = nullptr;
    List<Proc, &Proc::in_pgrp> members;
    bool orphaned = true; // kern/job_control.hpp
};

struct Session {
    std::uint32_t groups = 0; // process groups in it
    pid_t id = 0;
    char login[40] = {};
    Tty* terminal = nullptr; // its controlling terminal, which holds the reference
};

extern List<Proc, &Proc::all> all_processes; // zombies too
extern List<Pgrp, &Pgrp::all> all_process_groups;
extern Proc* init_process; // orphans go here
extern unsigned process_count, lwp_total;

/// The lwp whose kernel stack this is; nullptr in other LWKT threads.
inline Lwp* current_lwp() {
    return static_cast<Lwp*>(lwkt::current()->owner);
}

Proc* find_process(pid_t pid); // zombies too
Lwp* find_lwp(lwpid_t tid);
Pgrp* find_process_group(pid_t id);

/// The process counts among those of another user from now on (RLIMIT_NPROC).
void recharge_process(Proc& proc, std::uint32_t uid);
/// Makes an empty process with a fresh pid (or `pid` if not 0). Errors: EAGAIN (too many), ENOMEM.
SysResult<Proc*> create_process(pid_t pid = 0);
/// Unlinks and frees a process that has no threads, files or memory any more.
void destroy_process(Proc& proc);
/// Makes a thread with an LWKT thread of its own on the least loaded vCPU; it does not run before
/// start_lwp(). Errors: EAGAIN/EPROCLIM (too many), ENOMEM.
SysResult<Lwp*> create_lwp(Proc& proc);
void start_lwp(Lwp& lwp);
/// A thread that was never started runs as the calling thread `parent` does: class, affinity, estimate.
void inherit_schedule(Lwp& parent, Lwp& child);
/// Frees a thread that was never started.
void destroy_unstarted_lwp(Lwp& lwp);

/// Makes `parent` the parent of a process that has none at the moment.
void set_parent(Proc& proc, Proc& parent);

/// Moves a process to a group, making the group (in `session`, or a new session if null) when it is not
/// there.
SysResult<void> enter_process_group(Proc& proc, pid_t group, bool new_session);
void leave_process_group(Proc& proc);

/// Ends the process of the calling thread with a wait status: other threads go first. The thread then has
/// ast_exit set and must return to its loop, which ends it; handlers answer ejustreturn.
void exit_process(Lwp& lwp, std::uint32_t wait_status);
/// Ends the calling thread only, or the process when it is the last one; likewise.
void exit_thread(Lwp& lwp);
/// Makes the calling thread the only one (exec, exit). EINTR when another one was first. Sleeps.
SysResult<void> single_thread(Lwp& lwp);

/// The calling thread leaves its loop with ast_exit set: removes it, and with the last one the process's
/// resources; its LWKT thread must end at once afterwards. May sleep.
void finish_lwp(Lwp& lwp);
/// Part of it: unlinks and frees the calling thread.
void retire_lwp(Lwp& lwp);
/// A zombie's parent hears of it: SIGCHLD, and its wait looks again.
void report_end(Proc& proc);
/// A vfork child has its own memory now, or is gone: the parent continues.
void release_vfork_parent(Proc& proc);
/// What wait4 and its kin look for. Sleeps.
struct WaitRequest {
    enum class Which : std::uint8_t { any, pid, group } which = Which::any;
    pid_t id = 0;
    bool no_hang = false, exited = true, stopped = false, continued = false, trapped = false, keep = false;
    bool clones =
        false; // WLINUXCLONE: children with another exit_signal than SIGCHLD, instead of those with it
};
struct WaitResult {
    pid_t pid = 0; // 0: none yet (no_hang)
    std::uint32_t status = 0;
    std::uint32_t uid = 0;
    bool trapped = false; // the stop is its debugger's
    Usage self, children;
};
/// Errors: ECHILD, ERESTART.
SysResult<WaitResult> wait_for_child(Lwp& lwp, const WaitRequest& request);

/// How a new process shares with its parent.
struct ForkRequest {
    bool share_memory = false, share_files = false, fresh_files = false, share_signals = false,
         wait_for_exec = false, default_signals = false;
    bool no_wait = false;                    // its reaper's child from the beginning
    int exit_signal = sigchld;               // what the parent gets at its end; 0: none
    std::uint64_t stack = 0;                 // user stack pointer of the child; 0: as the parent's
    ProcessDescriptor* descriptor = nullptr; // that will stand for the child
};
/// Makes a child that continues where the caller is, with rax 0 and rdx 1. Errors: EAGAIN, ENOMEM. May sleep
/// (vfork).
SysResult<pid_t> fork_process(Lwp& lwp, const ForkRequest& request);

/// Called (with giant) when the first process has ended, before it becomes a zombie.
extern void (*first_process_ended)(std::uint32_t wait_status);
extern Proc* first_process;

/// Sets an AST bit and makes the thread notice: interrupts an interruptible sleep, or kicks it out of user
/// mode.
void set_ast(Lwp& lwp, std::uint32_t bits);

/// Resource use of a process, living threads included.
Usage usage_of(const Proc& proc);
/// May `sender` signal `target`? (uid rules of kill(2))
bool may_signal(const Proc& sender, const Proc& target, int signal);
/// May `caller` change how `target` is scheduled? (FreeBSD's rules)
bool may_schedule(const Proc& caller, const Proc& target);

// Helpers of wait status words.
constexpr std::uint32_t exit_status(int code) {
    return static_cast<std::uint32_t>(code & 0xff) << 8;
}
constexpr std::uint32_t signal_status(int signal, bool core) {
    return static_cast<std::uint32_t>(signal | (core ? 0x80 : 0));
}

} // namespace bsd
