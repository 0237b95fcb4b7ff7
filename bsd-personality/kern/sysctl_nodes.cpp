// SPDX-License-Identifier: BSD-2-Clause
// The values of sysctl nodes.
#include <string.h>

#include "bsd-personality/abi/versions.hpp"
#include "bsd-personality/kern/jail.hpp"
#include "bsd-personality/kern/random.hpp"
#include "bsd-personality/kern/sysctl.hpp"
#include "bsd-personality/kern/time.hpp"
#include "bsd-personality/vm/object.hpp"
#include "bsd-personality/vm/page.hpp"

namespace bsd {

constinit char host_name[256] = "";

const char* current_host_name() {
    if (host_name[0] == '\0') // not set since boot
        memcpy(host_name, jail.parameters.hostname, sizeof jail.parameters.hostname - 1);
    return host_name;
}

namespace {

using Request = SysctlRequest;
bool dragonfly(const Request& request) {
    return request.lwp.proc.abi->kind == AbiKind::dragonfly;
}

template <std::int32_t Value>
SysResult<void> integer(Request& request) {
    return request.put_value(Value);
}
template <std::int64_t Value>
SysResult<void> long_integer(Request& request) {
    return request.put_value(Value);
}
SysResult<void> cpu_count(Request& request) {
    return request.put_value(static_cast<std::int32_t>(lwkt::cpu_count()));
}
SysResult<void> last_cpu(Request& request) {
    return request.put_value(static_cast<std::int32_t>(lwkt::cpu_count()) - 1);
}

SysResult<void> system_name(Request& request) {
    return request.put_text(text(request.lwp.proc.abi->system_name));
}
SysResult<void> release(Request& request) {
    return request.put_text(text(dragonfly(request) ? dragonfly_release : freebsd_release));
}
std::int32_t release_date(Request& request) {
    return static_cast<std::int32_t>(dragonfly(request) ? dragonfly_osreldate : freebsd_osreldate);
}
SysResult<void> revision(Request& request) {
    return request.put_value(dragonfly(request) ? 200602 : 199506);
}
SysResult<void> osreldate(Request& request) {
    return request.put_value(release_date(request));
}
SysResult<void> version(Request& request) {
    TRY(request.put(request.lwp.proc.abi->system_name, text(request.lwp.proc.abi->system_name).size));
    TRY(request.put(" ", 1));
    Text number = text(dragonfly(request) ? dragonfly_release : freebsd_release);
    TRY(request.put(number.data, number.size));
    return request.put_text(Text(" LIBELLE\n"));
}
SysResult<void> hostname(Request& request) {
    TRY(request.put_text(text(current_host_name())));
    if (!request.has_new())
        return {};
    char name[sizeof host_name];
    std::uint64_t length = TRY(request.take(name, sizeof name - 1, true));
    memcpy(host_name, name, length);
    host_name[length] = '\0';
    return {};
}
SysResult<void> empty_text(Request& request) {
    return request.put_text(Text());
}
SysResult<void> machine(Request& request) {
    return request.put_text(text(dragonfly(request) ? "x86_64" : "amd64"));
}
SysResult<void> machine_freebsd(Request& request) {
    return request.put_text(Text("amd64"));
}
SysResult<void> model(Request& request) {
    return request.put_text(Text("Libelle virtual processor"));
}
SysResult<void> identification(Request& request) {
    return request.put_text(Text("LIBELLE"));
}
SysResult<void> boot_file(Request& request) {
    return request.put_text(Text("/boot/kernel/kernel"));
}
SysResult<void> scheduler_name(Request& request) {
    return request.put_text(text(dragonfly(request) ? "dfly" : "ULE"));
}
SysResult<void> host_uuid(Request& request) {
    return request.put_text(Text("00000000-0000-0000-0000-000000000000"));
}

SysResult<void> random_bytes(Request& request) {
    std::byte bytes[256];
    random_source.fill(bytes, sizeof bytes);
    // Callers ask for as much as they have room for, at most 256 bytes.
    std::uint64_t wanted = request.size_only() ? 8 : least<std::uint64_t>(request.capacity(), sizeof bytes);
    return request.put(bytes, wanted);
}
SysResult<void> boot_time(Request& request) {
    return request.put_value(to_timeval(wall_clock() - glue::Clock::now().value));
}
SysResult<void> clock_rate(Request& request) {
    const std::int32_t rates[5] = {1000, 1000, 0, 128, 8192};
    return request.put(rates, sizeof rates);
}
SysResult<void> load_average(Request& request) {
    struct {
        std::uint32_t average[3];
        std::uint32_t padding;
        std::int64_t scale;
    } freebsd = {{0, 0, 0}, 0, 2048};
    const std::int64_t wide[4] = {0, 0, 0, 2048};
    if (dragonfly(request))
        return request.put(wide, sizeof wide);
    return request.put(&freebsd, sizeof freebsd);
}
std::uint64_t memory_bytes() {
    return vm::page_counts().total * vm::page_size;
}
SysResult<void> memory(Request& request) {
    return request.put_value(memory_bytes());
}
SysResult<void> free_memory(Request& request) {
    return request.put_value(vm::page_counts().free * vm::page_size);
}
SysResult<void> memory_pages(Request& request) {
    return request.put_value(static_cast<std::int64_t>(vm::page_counts().total));
}
SysResult<void> free_page_count(Request& request) {
    return request.put_value(static_cast<std::uint32_t>(vm::page_counts().free));
}
SysResult<void> page_count(Request& request) {
    return request.put_value(static_cast<std::uint32_t>(vm::page_counts().total));
}
// Pages of programs and files, and what the personality needs itself.
SysResult<void> active_page_count(Request& request) {
    return request.put_value(static_cast<std::uint32_t>(vm::object_counts().pages));
}
SysResult<void> wired_page_count(Request& request) {
    vm::PageCounts pages = vm::page_counts();
    return request.put_value(
        static_cast<std::uint32_t>(pages.total - pages.free - vm::object_counts().pages));
}
// What the kernel below keeps for the jail: page tables and kernel objects. Bytes.
SysResult<void> kernel_memory_size(Request& request) {
    return request.put_value(glue::kernel_memory().total);
}
SysResult<void> kernel_memory_free(Request& request) {
    return request.put_value(glue::kernel_memory().free);
}
SysResult<void> page_sizes(Request& request) {
    const std::uint64_t sizes[3] = {vm::page_size, 0, 0};
    return request.put(sizes, sizeof sizes);
}
SysResult<void> tick_rate(Request& request) {
    return request.put_value(glue::Clock::ticks_per_second());
}
SysResult<void> own_umask(Request& request) {
    return request.put_value(std::int32_t{request.lwp.proc.umask});
}

constexpr std::uint8_t fb = sysctl_freebsd, df = sysctl_dragonfly, rw = sysctl_writable, more = sysctl_rest;
// Numbers from 1000 on are given here: the systems number such nodes as they come up, so that programs ask by
// name.
constexpr SysctlNode nodes[] = {
    {"sysctl.name", {0, 1}, 2, more, 'A', sysctl_oid_to_name},
    {"sysctl.next", {0, 2}, 2, more, 'S', sysctl_next},
    {"sysctl.name2oid", {0, 3}, 2, rw, 'I', sysctl_name_to_oid},
    {"sysctl.oidfmt", {0, 4}, 2, more, 'S', sysctl_format},
    {"kern.ostype", {1, 1}, 2, 0, 'A', system_name},
    {"kern.osrelease", {1, 2}, 2, 0, 'A', release},
    {"kern.osrevision", {1, 3}, 2, 0, 'I', revision},
    {"kern.version", {1, 4}, 2, 0, 'A', version},
    {"kern.maxvnodes", {1, 5}, 2, 0, 'I', integer<100000>},
    {"kern.maxproc", {1, 6}, 2, 0, 'I', integer<static_cast<std::int32_t>(max_processes)>},
    {"kern.maxfiles", {1, 7}, 2, 0, 'I', integer<65536>},
    {"kern.argmax", {1, 8}, 2, 0, 'I', integer<524288>},
    {"kern.securelevel", {1, 9}, 2, 0, 'I', integer<-1>},
    {"kern.hostname", {1, 10}, 2, rw, 'A', hostname},
    {"kern.hostid", {1, 11}, 2, 0, 'L', long_integer<0>},
    {"kern.clockrate", {1, 12}, 2, 0, 'S', clock_rate},
    {"kern.proc", {1, 14}, 2, rw | more, 'S', sysctl_process},
    {"kern.posix1version", {1, 17}, 2, 0, 'I', integer<200112>},
    {"kern.ngroups", {1, 18}, 2, 0, 'I', integer<1023>},
    {"kern.job_control", {1, 19}, 2, 0, 'I', integer<1>},
    {"kern.saved_ids", {1, 20}, 2, 0, 'I', integer<1>},
    {"kern.boottime", {1, 21}, 2, 0, 'S', boot_time},
    {"kern.domainname", {1, 22}, 2, 0, 'A', empty_text},
    {"kern.osreldate", {1, 24}, 2, 0, 'I', osreldate},
    {"kern.bootfile", {1, 26}, 2, 0, 'A', boot_file},
    {"kern.maxfilesperproc", {1, 27}, 2, 0, 'I', integer<FileTable::limit>},
    {"kern.maxprocperuid", {1, 28}, 2, 0, 'I', integer<static_cast<std::int32_t>(max_processes)>},
    {"kern.usrstack", {1, 33}, 2, 0, 'L', sysctl_stack_base},
    {"kern.logsigexit", {1, 34}, 2, 0, 'I', integer<0>},
    {"kern.iov_max", {1, 35}, 2, 0, 'I', integer<1024>},
    {"kern.hostuuid", {1, 36}, 2, fb, 'A', host_uuid},
    {"kern.arandom", {1, 37}, 2, fb, 'S', random_bytes},
    {"kern.tls_extra", {1, 37}, 2, df, 'I', integer<6144>},
    {"kern.ps_strings", {1, 1000}, 2, 0, 'L', sysctl_process_strings},
    {"kern.ident", {1, 1001}, 2, 0, 'A', identification},
    {"kern.random", {1, 1002}, 2, df, 'S', random_bytes},
    {"kern.maxssiz", {1, 1003}, 2, 0, 'L', long_integer<(512 << 20)>},
    {"kern.maxthrssiz", {1, 1004}, 2, df, 'L', long_integer<(128 << 20)>},
    {"kern.stackgap_random", {1, 1005}, 2, df | rw, 'I', sysctl_stack_gap},
    {"kern.umtx_timeout_max", {1, 1006}, 2, df, 'I', integer<2147483647>},
    {"kern.maxdsiz", {1, 1007}, 2, 0, 'L', long_integer<(std::int64_t{32} << 30)>},
    {"kern.maxtsiz", {1, 1008}, 2, 0, 'L', long_integer<(128 << 20)>},
    {"kern.openfiles", {1, 1009}, 2, 0, 'I', integer<0>},
    {"kern.cp_times", {1, 1010}, 2, 0, 'S', load_average},
    {"kern.umask", {1, 1011}, 2, 0, 'I', own_umask},
    {"kern.corefile", {1, 1012}, 2, rw, 'A', sysctl_core_pattern},
    {"kern.coredump", {1, 1013}, 2, rw, 'I', sysctl_core_enabled},
    {"kern.sugid_coredump", {1, 1014}, 2, rw, 'I', sysctl_core_set_id},
    {"kern.stacktop", {1, 1015}, 2, fb, 'L', sysctl_stack_top},
    {"kern.smp.maxcpus", {1, 1020, 1}, 3, fb, 'I', integer<static_cast<std::int32_t>(abi::max_cores)>},
    {"kern.smp.maxid", {1, 1020, 2}, 3, fb, 'I', last_cpu},
    {"kern.smp.cpus", {1, 1020, 3}, 3, fb, 'I', cpu_count},
    {"kern.smp.active", {1, 1020, 4}, 3, fb, 'I', integer<1>},
    {"kern.sched.name", {1, 1021, 1}, 3, 0, 'A', scheduler_name},
    {"kern.sched.cpusetsize", {1, 1021, 2}, 3, fb, 'I', integer<128>},
    {"kern.ipc.soacceptqueue", {1, 1022, 1}, 3, fb, 'I', integer<128>},
    {"kern.ipc.somaxconn", {1, 1022, 2}, 3, 0, 'I', integer<128>},
    {"kern.ipc.maxsockbuf", {1, 1022, 3}, 3, 0, 'L', long_integer<2097152>},
    {"kern.elf64.fallback_brand", {1, 1023, 1}, 3, fb, 'I', integer<-1>},
    {"kern.elf64.aslr.enable", {1, 1023, 2, 1}, 4, fb | rw, 'I', sysctl_aslr},
    {"kern.elf64.aslr.pie_enable", {1, 1023, 2, 2}, 4, fb | rw, 'I', sysctl_aslr_pie},
    {"kern.elf64.aslr.honor_sbrk", {1, 1023, 2, 3}, 4, fb | rw, 'I', sysctl_honor_break},
    {"kern.elf64.aslr.stack", {1, 1023, 2, 4}, 4, fb | rw, 'I', sysctl_aslr_stack},
    {"kern.elf64.aslr.shared_page", {1, 1023, 2, 5}, 4, fb | rw, 'I', sysctl_aslr_shared_page},
    {"kern.elf64.sigfastblock", {1, 1023, 3}, 3, fb, 'I', integer<1>},
    {"vm.loadavg", {2, 2}, 2, 0, 'S', load_average},
    {"vm.overcommit", {2, 12}, 2, fb, 'I', integer<0>},
    {"vm.max_proc_mmap", {2, 1000}, 2, 0, 'I', integer<65530>},
    {"vm.stats.vm.v_page_size", {2, 1001, 1}, 3, 0, 'I', integer<4096>},
    {"vm.stats.vm.v_page_count", {2, 1001, 2}, 3, 0, 'I', page_count},
    {"vm.stats.vm.v_free_count", {2, 1001, 3}, 3, 0, 'I', free_page_count},
    {"vm.stats.vm.v_wire_count", {2, 1001, 4}, 3, 0, 'I', wired_page_count},
    {"vm.stats.vm.v_active_count", {2, 1001, 5}, 3, 0, 'I', active_page_count},
    {"vm.kvm_size", {2, 1002}, 2, 0, 'L', kernel_memory_size},
    {"vm.kvm_free", {2, 1003}, 2, 0, 'L', kernel_memory_free},
    {"vm.imply_prot_max", {2, 1004}, 2, fb | rw, 'I', sysctl_imply_maximum},
    {"vm.randomize_mmap", {2, 1005}, 2, df | rw, 'I', sysctl_random_mmap},
    {"debug.ncores", {5, 1000}, 2, fb | rw, 'I', sysctl_core_indices},
    {"hw.machine", {6, 1}, 2, 0, 'A', machine},
    {"hw.model", {6, 2}, 2, 0, 'A', model},
    {"hw.ncpu", {6, 3}, 2, 0, 'I', cpu_count},
    {"hw.byteorder", {6, 4}, 2, 0, 'I', integer<1234>},
    {"hw.physmem", {6, 5}, 2, 0, 'L', memory},
    {"hw.usermem", {6, 6}, 2, 0, 'L', free_memory},
    {"hw.pagesize", {6, 7}, 2, 0, 'I', integer<4096>},
    {"hw.floatingpoint", {6, 10}, 2, 0, 'I', integer<1>},
    {"hw.machine_arch", {6, 11}, 2, fb, 'A', machine_freebsd},
    {"hw.machine_arch", {6, 11}, 2, df, 'A', machine},
    {"hw.realmem", {6, 12}, 2, 0, 'L', memory},
    {"hw.pagesizes", {6, 1000}, 2, fb, 'S', page_sizes},
    {"hw.availpages", {6, 1001}, 2, 0, 'L', memory_pages},
    {"hw.clockrate", {6, 1002}, 2, 0, 'I', integer<1000>},
    {"hw.intrnames", {6, 1003}, 2, 0, 'S', sysctl_interrupt_names},
    {"hw.intrcnt", {6, 1004}, 2, 0, 'S', sysctl_interrupt_counts},
    {"hw.intrcnt_all", {6, 1005}, 2, df, 'S', sysctl_interrupt_counts},
    {"hw.intrlatency", {6, 1006}, 2, 0, 'A', sysctl_interrupt_latencies},
    {"machdep.tsc_freq", {7, 1000}, 2, 0, 'L', tick_rate},
    {"machdep.adaptive_machine_arch", {7, 1001}, 2, fb, 'I', integer<0>},
    {"user.cs_path", {8, 1}, 2, 0, 'A', empty_text},
    {"p1003_1b.asynchronous_io", {9, 1}, 2, 0, 'I', integer<0>},
    {"p1003_1b.mapped_files", {9, 2}, 2, 0, 'I', integer<200112>},
    {"p1003_1b.memlock", {9, 3}, 2, 0, 'I', integer<0>},
    {"p1003_1b.memlock_range", {9, 4}, 2, 0, 'I', integer<0>},
    {"p1003_1b.memory_protection", {9, 5}, 2, 0, 'I', integer<200112>},
    {"p1003_1b.message_passing", {9, 6}, 2, 0, 'I', integer<0>},
    {"p1003_1b.prioritized_io", {9, 7}, 2, 0, 'I', integer<0>},
    {"p1003_1b.priority_scheduling", {9, 8}, 2, 0, 'I', integer<200112>},
    {"p1003_1b.realtime_signals", {9, 9}, 2, 0, 'I', integer<200112>},
    {"p1003_1b.semaphores", {9, 10}, 2, 0, 'I', integer<0>},
    {"p1003_1b.fsync", {9, 11}, 2, 0, 'I', integer<1>},
    {"p1003_1b.shared_memory_objects", {9, 12}, 2, 0, 'I', integer<200112>},
    {"p1003_1b.synchronized_io", {9, 13}, 2, 0, 'I', integer<0>},
    {"p1003_1b.timers", {9, 14}, 2, 0, 'I', integer<200112>},
    {"p1003_1b.pagesize", {9, 19}, 2, 0, 'I', integer<4096>},
    {"p1003_1b.sigqueue_max", {9, 23}, 2, 0, 'I', integer<128>},
    {"p1003_1b.timer_max", {9, 24}, 2, 0, 'I', integer<32>},
    {"security.bsd.stack_guard_page", {14, 1000, 1}, 3, fb, 'I', integer<1>},
    {"security.bsd.unprivileged_proc_debug", {14, 1000, 2}, 3, fb, 'I', integer<1>},
    {"security.jail.jailed", {14, 1001, 1}, 3, fb, 'I', integer<1>},
    {"jail.jailed", {1000, 1}, 2, df, 'I', integer<1>},
};

} // namespace

constinit const SysctlTable sysctl_nodes = {nodes, sizeof nodes / sizeof nodes[0]};

} // namespace bsd
