// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/vfs/test_platform.hpp"

#include <map>

#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/kern/jail.hpp"
#include "bsd-personality/kern/ktrace.hpp"
#include "bsd-personality/kern/sleep.hpp"
#include "bsd-personality/kern/time.hpp"
#include "bsd-personality/kern/timekeep.hpp"
#include "bsd-personality/kern/trace.hpp"
#include "bsd-personality/vfs/devfs.hpp"
#include "bsd-personality/vfs/tmpfs.hpp"
#include "lwkt/irq_sources.hpp"

namespace lwkt {

static std::map<const void*, unsigned> woken;
void wakeup(const void* ident) {
    woken[ident]++;
}
Wake tsleep(const void*, unsigned, const char*, Nanoseconds) {
    return Wake::interrupted;
}
void tsleep_interlock(const void*, unsigned) {}
void tsleep_remove() {}
void Callout::reset(Nanoseconds, Function, void*) {}
bool Callout::stop() {
    return true;
}
void Callout::drain() {}
void Token::acquire_slow(Thread*, std::uintptr_t) {}
void Token::release_slow(Thread*) {}
void Token::wake_waiters() {}
Thread* create(ThreadFunction, void*, Priority, CpuId, const char*, std::size_t, std::size_t) {
    return nullptr;
}
void schedule(Thread*) {}
void set_event_handler(CpuId, unsigned, EventHandler, void*) {}
void add_interrupt_source(const char*, InterruptKind, std::uint32_t, CpuId, InterruptSource::Read,
                          const void*) {}
unsigned interrupt_counts(InterruptCount*, unsigned) {
    return 0;
}

} // namespace lwkt

namespace bsd {

List<Proc, &Proc::all> all_processes;
Jail jail;
constinit const SystemCallTable freebsd_system_calls{}, dragonfly_system_calls{};
static int same(Errno error) {
    return static_cast<int>(error);
}
const Abi freebsd_abi = {.kind = AbiKind::freebsd,
                         .system_name = "FreeBSD",
                         .calls = freebsd_system_calls,
                         .errno_number = same,
                         .at_fdcwd = -100,
                         .stack_top = 0,
                         .sigcode_address = 0,
                         .ps_strings = 0,
                         .position_independent_base = 0,
                         .max_stack = 0,
                         .default_stack_limit = 0,
                         .trampoline = nullptr,
                         .trampoline_size = 0,
                         .send_signal = nullptr,
                         .signal_return = nullptr,
                         .signal_info = nullptr,
                         .build_stack = nullptr};

const Abi* default_abi = &freebsd_abi;

void PendingSignals::discard(SignalSet) {}
Proc* find_process(pid_t) {
    return nullptr;
}
Pgrp* find_process_group(pid_t) {
    return nullptr;
}
void post_kernel_signal(Proc&, int) {}
void trace_doorbell() {}
void publish_ticks(KernelPage&) {}
void ktrace_write(Lwp&, Ktr, KtracePart, KtracePart) {}
void post_kernel_signal(Pgrp&, int) {}
ProcessTime process_time(const Proc&) {
    return {};
}
Usage usage_of(const Proc& proc) {
    return proc.usage;
}
bool signal_pending(Lwp&) {
    return false;
}
SysResult<bool> interruptible_sleep(Lwp&, const void*, const char*, lwkt::Nanoseconds) {
    return Failure(Errno::erestart);
}

std::uint64_t tick_nanoseconds(std::uint64_t ticks) {
    return ticks;
}
std::uint64_t wall_clock() {
    return 1'700'000'000'000'000'000;
}
glue::Nanoseconds from_wall_clock(std::uint64_t nanoseconds) {
    return glue::Nanoseconds{nanoseconds};
}
TimeSpec to_timespec(std::uint64_t n) {
    return {static_cast<std::int64_t>(n / 1'000'000'000), static_cast<std::int64_t>(n % 1'000'000'000)};
}
TimeVal to_timeval(std::uint64_t n) {
    return {static_cast<std::int64_t>(n / 1'000'000'000),
            static_cast<std::int64_t>(n % 1'000'000'000 / 1000)};
}
SysResult<std::uint64_t> to_nanoseconds(TimeVal value) {
    if (value.seconds < 0 || value.microseconds < 0 || value.microseconds >= 1'000'000)
        return Failure(Errno::einval);
    return static_cast<std::uint64_t>(value.seconds) * nanoseconds_per_second +
           static_cast<std::uint64_t>(value.microseconds) * 1000;
}
RusageRecord to_record(const Usage&) {
    return {};
}

namespace test {

Process::Process() {
    vm::test::set_up_memory(64 << 20);
    proc.cred = UcredRef::adopt(lwkt::construct<Ucred>());
    proc.abi = &freebsd_abi;
    proc.files = FileTable::create();
    for (Limit& limit : proc.limits)
        limit = {limit_infinity, limit_infinity};
    const char* why = nullptr;
    auto root = make_root({}, why);
    EXPECT_TRUE(root.ok());
    proc.root = proc.cwd = file_tree = root.value();
}

Process::~Process() {
    proc.files->unref();
    proc.files = nullptr;
    Tmpfs& mount = static_cast<TmpfsNode&>(*file_tree).mount();
    proc.root = proc.cwd = file_tree = {};
    VnodeRef below = VnodeRef::adopt(std::exchange(devfs_root().covers, nullptr));
    below->mounted = nullptr;
    below = {};
    Tmpfs::destroy(&mount);
}

unsigned wakeups(const void* ident) {
    return std::exchange(lwkt::woken[ident], 0);
}

} // namespace test
} // namespace bsd
