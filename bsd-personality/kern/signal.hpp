// SPDX-License-Identifier: BSD-2-Clause
// Signals: sets, actions, pending queues and posting. Numbers, flags and si_codes are FreeBSD's inside; an
// ABI with other codes translates in its frame builder. All under the giant token.
#pragma once

#include <cstdint>

#include "bsd-personality/kern/errno.hpp"
#include "bsd-personality/kern/list.hpp"
#include "l4-glue/types.hpp"
#include "lwkt/slab.hpp"

namespace bsd {

struct Lwp;
struct Proc;
struct Pgrp;

enum Signal : int {
    sighup = 1,
    sigint = 2,
    sigquit = 3,
    sigill = 4,
    sigtrap = 5,
    sigabrt = 6,
    sigemt = 7,
    sigfpe = 8,
    sigkill = 9,
    sigbus = 10,
    sigsegv = 11,
    sigsys = 12,
    sigpipe = 13,
    sigalrm = 14,
    sigterm = 15,
    sigurg = 16,
    sigstop = 17,
    sigtstp = 18,
    sigcont = 19,
    sigchld = 20,
    sigttin = 21,
    sigttou = 22,
    sigio = 23,
    sigxcpu = 24,
    sigxfsz = 25,
    sigvtalrm = 26,
    sigprof = 27,
    sigwinch = 28,
    siginfo = 29,
    sigusr1 = 30,
    sigusr2 = 31,
    sigthr = 32,
    siglibrt = 33,
    sigrtmin = 65,
    sigrtmax = 126,
    signal_count = 128,
};

enum SignalActionFlag : int {
    sa_onstack = 1,
    sa_restart = 2,
    sa_resethand = 4,
    sa_nocldstop = 8,
    sa_nodefer = 0x10,
    sa_nocldwait = 0x20,
    sa_siginfo = 0x40,
};

enum SignalCode : int {
    si_user = 0x10001,
    si_queue = 0x10002,
    si_timer = 0x10003,
    si_asyncio = 0x10004,
    si_mesgq = 0x10005,
    si_kernel = 0x10006,
    si_lwp = 0x10007,
    segv_maperr = 1,
    segv_accerr = 2,
    bus_adraln = 1,
    bus_adrerr = 2,
    bus_objerr = 3,
    ill_illopc = 1,
    ill_prvopc = 5,
    fpe_intovf = 1,
    fpe_intdiv = 2,
    fpe_fltdiv = 3,
    fpe_fltovf = 4,
    fpe_fltund = 5,
    fpe_fltres = 6,
    fpe_fltinv = 7,
    fpe_fltsub = 8,
    trap_brkpt = 1,
    trap_trace = 2,
    cld_exited = 1,
    cld_killed = 2,
    cld_dumped = 3,
    cld_trapped = 4,
    cld_stopped = 5,
    cld_continued = 6,
};

inline constexpr std::uint64_t sig_dfl = 0, sig_ign = 1; // handler values

/// sigset_t of both systems: bit number - 1.
struct SignalSet {
    std::uint64_t word[2] = {0, 0};

    static constexpr bool valid(int signal) { return signal >= 1 && signal <= signal_count; }
    constexpr bool has(int signal) const { return (word[(signal - 1) >> 6] >> ((signal - 1) & 63) & 1) != 0; }
    constexpr void add(int signal) { word[(signal - 1) >> 6] |= std::uint64_t{1} << ((signal - 1) & 63); }
    constexpr void remove(int signal) {
        word[(signal - 1) >> 6] &= ~(std::uint64_t{1} << ((signal - 1) & 63));
    }
    constexpr bool empty() const { return (word[0] | word[1]) == 0; }
    constexpr SignalSet operator|(SignalSet other) const {
        return {{word[0] | other.word[0], word[1] | other.word[1]}};
    }
    constexpr SignalSet operator&(SignalSet other) const {
        return {{word[0] & other.word[0], word[1] & other.word[1]}};
    }
    constexpr SignalSet operator~() const { return {{~word[0], ~word[1]}}; }
    constexpr bool operator==(const SignalSet&) const = default;
    /// The lowest member; 0 when empty.
    constexpr int first() const {
        if (word[0])
            return __builtin_ctzll(word[0]) + 1;
        return word[1] ? __builtin_ctzll(word[1]) + 65 : 0;
    }
    static constexpr SignalSet of(int signal) {
        SignalSet set;
        set.add(signal);
        return set;
    }
};
static_assert(sizeof(SignalSet) == 16);
/// SIGKILL and SIGSTOP, which nothing blocks, catches or ignores.
inline constexpr SignalSet unmaskable{
    {std::uint64_t{1} << (sigkill - 1) | std::uint64_t{1} << (sigstop - 1), 0}};

struct SignalAction {
    std::uint64_t handler = sig_dfl;
    int flags = 0;
    SignalSet mask;
};

/// The actions of a process, or of several after rfork(RFSIGSHARE), by signal number. They fill a page of
/// their own.
class SignalActions {
public:
    SignalActions() = default;
    SignalActions(const SignalActions&) = delete;
    SignalActions& operator=(const SignalActions&) = delete;
    ~SignalActions() { leave(); }
    /// All defaults. False: no memory. Before any other use.
    [[nodiscard]] bool create() {
        table_ = static_cast<SignalAction*>(lwkt::allocate(size));
        for (int i = 0; table_ != nullptr && i < signal_count; i++)
            new (&table_[i]) SignalAction;
        return table_ != nullptr;
    }
    /// Those of `other` from now on. False: no memory, nothing has changed.
    [[nodiscard]] bool share(SignalActions& other) {
        if (other.sharers_ == nullptr && (other.sharers_ = lwkt::construct<std::uint32_t>(1u)) == nullptr)
            return false;
        leave();
        table_ = other.table_;
        sharers_ = other.sharers_;
        ++*sharers_;
        return true;
    }
    /// A copy of its own, if it shares them. False: no memory, nothing has changed.
    [[nodiscard]] bool unshare() {
        if (sharers_ == nullptr || *sharers_ == 1)
            return true;
        auto* copy = static_cast<SignalAction*>(lwkt::allocate(size));
        for (int i = 0; copy != nullptr && i < signal_count; i++)
            new (&copy[i]) SignalAction(table_[i]);
        if (copy == nullptr)
            return false;
        leave();
        table_ = copy;
        return true;
    }
    SignalAction& operator[](int signal) { return table_[signal - 1]; }
    const SignalAction& operator[](int signal) const { return table_[signal - 1]; }

private:
    static constexpr std::size_t size = sizeof(SignalAction) * signal_count;
    void leave() {
        if (sharers_ == nullptr || --*sharers_ == 0) {
            lwkt::destroy(sharers_);
            lwkt::release(table_, size);
        }
        table_ = nullptr;
        sharers_ = nullptr;
    }
    SignalAction* table_ = nullptr;
    std::uint32_t* sharers_ = nullptr; // null: nobody has ever shared them
};

/// What accompanies a signal; siginfo_t before an ABI's layout.
struct SignalInfo {
    int signal = 0;
    int code = 0;
    int pid = 0;
    std::uint32_t uid = 0;
    int status = 0;
    std::uint64_t address = 0; // si_addr
    std::uint64_t value = 0;   // si_value
    int trap_number = 0;       // of a synchronous fault, FreeBSD's T_ numbers
    int timer_id = 0, overrun = 0;
};

struct QueuedSignal {
    Link<QueuedSignal> link;
    SignalInfo info;
};

/// Signals waiting for a process or a thread. Realtime signals queue; others are there once. When there is no
/// memory for the information, the bit alone is kept.
class PendingSignals {
public:
    PendingSignals() = default;
    PendingSignals(const PendingSignals&) = delete;
    PendingSignals& operator=(const PendingSignals&) = delete;
    ~PendingSignals() { discard(~SignalSet{}); }

    const SignalSet& set() const { return set_; }
    void add(const SignalInfo& info);
    /// Takes the oldest `signal`; it must be in set().
    SignalInfo take(int signal);
    void discard(SignalSet which);

private:
    SignalSet set_;
    List<QueuedSignal, &QueuedSignal::link> queue_;
};

struct AlternateStack {
    std::uint64_t base = 0, size = 0;
    int flags = 4; // SS_ONSTACK 1, SS_DISABLE 4
};

// --- posting
// ---------------------------------------------------------------------------------------------------------

/// Posts a signal to a process: some thread that does not block it takes it. Never fails, does not block.
void post_signal(Proc& proc, const SignalInfo& info);
/// Posts a signal to one thread.
void post_signal(Lwp& lwp, const SignalInfo& info);
/// From the kernel itself (SIGPIPE, SIGCHLD, timers).
void post_kernel_signal(Proc& proc, int signal);
void post_kernel_signal(Pgrp& pgrp, int signal);
/// A synchronous fault of the calling thread: delivered even if blocked or ignored (then it kills).
void post_fault(Lwp& lwp, const SignalInfo& info);

/// May the calling thread be interrupted now? True when a signal waits that is neither blocked nor ignored,
/// or the thread must exit. To be asked after an interruptible sleep and before one.
bool signal_pending(Lwp& lwp);
/// Before a sleep of a process that is debugged: its debugger is asked about signals that would end the
/// sleep. What is to be delivered is left in lwp.fault. True: it slept meanwhile.
bool settle_with_debugger(Lwp& lwp);
/// A process that job control has stopped goes on, without a word to anybody.
void resume_stopped(Proc& proc);
/// What a restartable call answers after an interruptible sleep returned Wake::interrupted.
inline constexpr Errno interrupted = Errno::erestart;

/// sigfastblock(2): FreeBSD's libraries block all signals of a thread by a count in a word of user memory.
/// When one is held up by that, the word is marked, so that the thread asks for it when it has finished
/// counting.
enum FastBlock : std::uint32_t { fast_block_pending = 1, fast_block_flags = 15 };
/// Whether the word of the calling thread blocks signals now; one that cannot be read is forgotten and
/// faults.
bool is_fast_blocked(Lwp& lwp);
/// A signal waits for the calling thread's word, if it has one.
void mark_fast_block(Lwp& lwp);

/// Delivers pending signals before the thread returns to user mode; may end the process. Under giant.
void deliver_signals(Lwp& lwp);
/// Changes a mask (unmaskable signals stay unblocked) and notices what becomes deliverable.
void set_signal_mask(Lwp& lwp, SignalSet mask);
/// At exec: caught signals become default, the alternate stack is forgotten.
void reset_signals_for_exec(Lwp& lwp);

} // namespace bsd
