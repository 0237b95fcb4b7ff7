// SPDX-License-Identifier: BSD-2-Clause
#include "tests/syscalls/world.hpp"

#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/kern/cpu.hpp"
#include "bsd-personality/kern/exec.hpp"
#include "bsd-personality/kern/jail.hpp"
#include "bsd-personality/kern/shm.hpp"
#include "bsd-personality/kern/usched.hpp"
#include "bsd-personality/vfs/console.hpp"
#include "bsd-personality/vfs/devfs.hpp"
#include "bsd-personality/vfs/root.hpp"
#include "bsd-personality/vfs/tmpfs.hpp"
#include "bsd-personality/vm/vmspace.hpp"
#include "lwkt/callout.hpp"
#include "tests/syscalls/script.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <semaphore>
#include <thread>
#include <utility>

#include <unistd.h>

namespace fuzz {

using namespace bsd;

namespace {

constexpr std::uint64_t ram_size = 32 << 20;
constexpr unsigned cpus = 1; // so that an input always does the same, but for the time

std::binary_semaphore input_is_there{0}, input_is_done{0};
Script script;        // of the input that runs
std::uint64_t events; // that were taken from it
AbiKind abi_kind;

[[noreturn]] void fail(const char* what) {
    std::fprintf(stderr, "fuzz: %s\n", what);
    std::abort();
}

// Stands for user mode. On the stack of the lwp's thread, upcalls off.
glue::Trap user_mode(glue::Vcpu& vcpu, const glue::AddressSpace&) {
    Lwp& lwp = *current_lwp();
    events++;
    Script::Event event;
    {
        lwkt::TokenGuard guard(giant);
        event = script.next(lwp, vcpu.context());
    }
    switch (event) {
    case Script::Event::system_call:
        return glue::Trap::system_call;
    case Script::Event::fault:
        return vcpu.context().vector == 14 ? glue::Trap::page_fault : glue::Trap::exception;
    case Script::Event::pause: // the time slice ends: another thread's turn
        lwkt::set_slice_deadline(glue::Clock::ticks());
        return glue::Trap::deadline;
    }
    fail("no such event");
}

// --- one input's processes
// -----------------------------------------------------------------------------------------
void set_limits(Proc& proc) {
    for (Limit& limit : proc.limits)
        limit = {limit_infinity, limit_infinity};
    proc.limits[limit_nofile] = {64, 64};
    proc.limits[limit_nproc] = {24, 24};
}

Proc& make_process(pid_t pid) {
    Proc& proc = *create_process(pid).take();
    proc.cred = UcredRef::adopt(lwkt::construct<Ucred>());
    proc.abi = abi_kind == AbiKind::freebsd ? &freebsd_abi : &dragonfly_abi;
    set_limits(proc);
    return proc;
}

// The process that adopts orphans; it has no threads and stays.
void make_init() {
    Proc& proc = make_process(1);
    proc.state = ProcState::alive;
    proc.actions[sigchld].flags = sa_nocldwait;
    auto* session = lwkt::construct<Session>();
    auto* group = lwkt::construct<Pgrp>();
    session->id = group->id = 1;
    session->groups = 1;
    group->session = session;
    all_process_groups.push_back(group);
    group->members.push_back(&proc);
    proc.pgrp = group;
    init_process = &proc;
}

void map_scratch(VmSpace& space) {
    MapRequest request;
    request.fixed = true;
    request.address = scratch;
    request.length = scratch_end - scratch;
    request.protection = vm::protection_read | vm::protection_write;
    (void)space.map(request);
    request.address = scratch_end;
    request.length = vm::page_size;
    request.protection = vm::protection_read;
    (void)space.map(request);
}

void add_file(Lwp& lwp, Vnode& directory, const char* name, const void* data, std::size_t size) {
    auto file = directory.create(text(name), VnodeType::regular, 0755, *lwp.proc.cred);
    Uio uio(const_cast<void*>(data), size);
    if (!file || !file.value()->write(lwp, uio, 0, 0))
        fail("no file");
}

// A static executable of one page, for FreeBSD; DragonFly's default takes it, too, when it has no brand.
void add_files(Lwp& lwp, Vnode& root) {
    VnodeRef bin = root.create(text("bin"), VnodeType::directory, 0755, *lwp.proc.cred).take();
    alignas(8) std::uint8_t elf[4096] = {0x7f, 'E', 'L', 'F', 2, 1, 1, 9};
    auto put = [&](std::size_t at, auto value) { std::memcpy(elf + at, &value, sizeof value); };
    put(16, std::uint16_t{2});
    put(18, std::uint16_t{62});
    put(24, std::uint64_t{0x400800});
    put(32, std::uint64_t{64});
    put(52, std::uint16_t{64});
    put(54, std::uint16_t{56});
    put(56, std::uint16_t{1});
    put(64, std::uint32_t{1});
    put(68, std::uint32_t{7});
    put(80, std::uint64_t{0x400000});
    put(96, std::uint64_t{sizeof elf});
    put(104, std::uint64_t{3 * sizeof elf});
    put(112, std::uint64_t{4096});
    add_file(lwp, *bin, "exe", elf, sizeof elf);
    const char script_text[] = "#!/bin/exe -x\n";
    add_file(lwp, *bin, "text", script_text, sizeof script_text - 1);
}

Tmpfs* start_process() {
    Proc& proc = make_process(0);
    set_parent(proc, *init_process);
    proc.pgrp = init_process->pgrp;
    proc.pgrp->members.push_back(&proc);
    (void)enter_process_group(proc, proc.pid, true);
    const char* why = nullptr;
    auto root = make_root({}, why);
    proc.files = FileTable::create();
    proc.vmspace = VmSpace::create();
    auto lwp = create_lwp(proc);
    if (!root || !proc.files || !proc.vmspace || !lwp || !open_standard_files(*lwp.value()))
        fail("no memory for a process: some of an earlier input's is lost");
    proc.root = proc.cwd = root.value();
    proc.state = ProcState::alive;
    map_scratch(*proc.vmspace);
    add_files(*lwp.value(), *proc.root);
    Tmpfs* mount = &static_cast<TmpfsNode&>(*proc.root).mount();
    start_lwp(*lwp.value());
    return mount;
}

void remove_tree(Tmpfs* mount) {
    VnodeRef below = VnodeRef::adopt(std::exchange(devfs_root().covers, nullptr));
    below->mounted = nullptr;
    below = {};
    Tmpfs::destroy(mount);
}

// --- the driver
// ------------------------------------------------------------------------------------------------------
// Runs when everybody else is asleep. Who sleeps for long is helped by signals; the last one ends all.
void end_processes() {
    std::uint64_t seen = ~std::uint64_t{0};
    unsigned idle = 0;
    for (unsigned turns = 0;; turns++) {
        {
            lwkt::TokenGuard guard(giant);
            if (process_count == 1)
                return;
            if (idle == 8 || idle == 16)
                for (Proc* proc = all_processes.first(); proc; proc = all_processes.next(proc))
                    if (proc != init_process && proc->state == ProcState::alive)
                        post_kernel_signal(*proc, idle == 8 ? sigusr1 : sigkill);
        }
        if (turns > 200'000)
            fail("a process does not end");
        if (turns > 10'000)
            std::this_thread::sleep_for(std::chrono::microseconds(10)); // its end may need a timer
        {
            lwkt::CriticalSection critical; // this thread is all that keeps LWKT from calling it
            if (!lwkt::should_yield())
                core_is_idle();
        }
        lwkt::yield();
        idle = events == seen ? idle + 1 : 0;
        seen = events;
    }
}

// The box's side of the consoles: takes all, gives little.
proto::JailShared shared;
glue::Ring ring(proto::JailRing which) {
    return {reinterpret_cast<glue::RingHeader*>(&shared.ring[which]), shared.data[which],
            proto::console_ring_size};
}
void empty_consoles() {
    static std::byte buffer[4096];
    for (proto::JailRing each : {proto::ring_stdout, proto::ring_stderr})
        while (ring(each).read(buffer) != 0) {
        }
}

void drive(void*) {
    {
        lwkt::TokenGuard guard(giant);
        jail.status = &shared.status;
        if (!start_console(ring(proto::ring_stdin), ring(proto::ring_stdout), ring(proto::ring_stderr),
                           empty_consoles, shared.terminal) ||
            !initialize_exec())
            fail("no memory");
        make_init();
    }
    lwkt::set_priority(lwkt::current(), lwkt::Priority::user_idle);
    for (;;) {
        input_is_there.acquire(); // the vCPU waits, too
        vm::ObjectCounts before;
        Tmpfs* mount;
        {
            lwkt::TokenGuard guard(giant);
            before = vm::object_counts();
            mount = start_process();
        }
        end_processes();
        {
            lwkt::TokenGuard guard(giant);
            empty_consoles();
            remove_tree(mount);
            while (SharedMemory* named = SharedMemory::first_named()) // they outlive processes
                named->erase();
            vm::ObjectCounts after = vm::object_counts();
            if (after.objects != before.objects || after.pages != before.pages)
                fail("memory is lost");
            if (lwp_total != 0)
                fail("a thread is lost");
            if (all_process_groups.first() != all_process_groups.last())
                fail("a process group is lost");
        }
        input_is_done.release();
    }
}

void start() {
    // Nothing is destroyed at the end: the personality is not made to stop.
    (void)on_exit(
        [](int status, void*) {
            print_calls();
            _exit(status);
        },
        nullptr);
    glue::hosted::set_up(ram_size, cpus);
    initialize_usched();
    glue::Vcpu::enter_hook = user_mode;
    if (!vm::pages_initialize())
        fail("no RAM");
    std::thread([] { (void)lwkt::start(drive, nullptr, vm::page_provider()); }).detach();
}

} // namespace

void run(const std::uint8_t* bytes, std::size_t size) {
    static const bool started = (start(), true);
    (void)started;
    if (size == 0)
        return;
    abi_kind = (bytes[0] & 1) != 0 ? AbiKind::dragonfly : AbiKind::freebsd;
    default_abi = abi_kind == AbiKind::freebsd ? &freebsd_abi : &dragonfly_abi;
    script = Script(bytes + 1, size - 1);
    input_is_there.release();
    input_is_done.acquire();
}

} // namespace fuzz
