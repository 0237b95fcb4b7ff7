// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/test_process.hpp"

#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/kern/cpu.hpp"
#include "bsd-personality/kern/exec.hpp"
#include "bsd-personality/kern/jail.hpp"
#include "bsd-personality/kern/usched.hpp"
#include "bsd-personality/vfs/devfs.hpp"
#include "bsd-personality/vfs/root.hpp"
#include "bsd-personality/vfs/tmpfs.hpp"
#include "glue/fpu.hpp"
#include "lwkt/ipiq.hpp"
#include "lwkt/irq_sources.hpp"
#include "lwkt/sleepqueue.hpp"

#include <map>
#include <memory>

namespace lwkt {

namespace {
Thread self;
CoreHead head{&head, &self, 0, 0, 0};
// Threads that live, and the room on their stacks.
struct alignas(64) Room {
    std::byte bytes[64];
};
std::map<Thread*, std::unique_ptr<Room[]>> threads;
} // namespace

Thread* create(ThreadFunction, void*, Priority, CpuId cpu, const char*, std::size_t, std::size_t room) {
    auto* thread = new Thread;
    thread->cpu = cpu.value;
    threads[thread] = std::make_unique<Room[]>((room + sizeof(Room) - 1) / sizeof(Room));
    return thread;
}
void* room_of(Thread* thread, std::size_t) {
    return threads.at(thread).get();
}
void destroy_unstarted(Thread* thread) {
    threads.erase(thread);
    delete thread;
}
void schedule(Thread*) {}
void interrupt(Thread*) {}
void yield() {}
bool should_yield() {
    return false;
}
void call_ipiq(CpuId, IpiFunction function, void* argument, std::uintptr_t word) {
    function(argument, word);
}
bool core_idle(CpuId) {
    return true;
}
void wakeup(const void*) {}
void wakeup_one(const void*) {}
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
void set_event_handler(CpuId, unsigned, EventHandler, void*) {}
void add_interrupt_source(const char*, InterruptKind, std::uint32_t, CpuId, InterruptSource::Read,
                          const void*) {}
unsigned interrupt_counts(InterruptCount* to, unsigned room) {
    unsigned count = 0;
    for (const InterruptCount& row : bsd::test::interrupt_rows)
        if (count != room)
            to[count++] = row;
    return count;
}
void run_deferred() {}

} // namespace lwkt

namespace bsd {

// What kern/trap.cpp does on the machine: here the registers are always in lwp.saved.
void put_away_registers(Lwp&) {}
void abandon_vcpu(Lwp&) {}
std::byte* read_fpu(Lwp& lwp) {
    return lwp.fpu;
}
bool write_fpu(Lwp& lwp) {
    if (!test::accept_fpu)
        glue::Fpu::initialize(lwp.fpu);
    return test::accept_fpu;
}
void reset_fpu(Lwp& lwp) {
    glue::Fpu::initialize(lwp.fpu);
}
void lwp_main(void*) {}
void yield_user_mode(Lwp&) {}

namespace test {

bool accept_fpu = true;
std::vector<lwkt::InterruptCount> interrupt_rows;

static proto::JailStatus status;

ProcessTest::ProcessTest() {
    glue::set_cpu_local(&lwkt::head);
    static const bool prepared = [] { // once: the trampolines stay
        vm::test::set_up_memory(64 << 20);
        return initialize_exec().ok();
    }();
    EXPECT_TRUE(prepared);
    jail.status = &status;
    status = {};
    default_abi = &freebsd_abi;
    const char* why = nullptr;
    auto root = make_root({}, why);
    EXPECT_TRUE(root.ok());
    auto make = [&](pid_t pid) {
        Proc* made = TRY_VALUE(create_process(pid));
        made->cred = UcredRef::adopt(lwkt::construct<Ucred>());
        made->abi = &freebsd_abi;
        made->state = ProcState::alive;
        made->root = made->cwd = root.value();
        for (Limit& limit : made->limits)
            limit = {limit_infinity, limit_infinity};
        return made;
    };
    init_process = make(1);
    auto* session = lwkt::construct<Session>();
    auto* group = lwkt::construct<Pgrp>();
    session->id = group->id = 1;
    session->groups = 1;
    group->session = session;
    all_process_groups.push_back(group);
    group->members.push_back(init_process);
    init_process->pgrp = group;
    proc = make(0);
    set_parent(*proc, *init_process);
    proc->pgrp = group;
    group->members.push_back(proc);
    proc->files = FileTable::create();
    proc->vmspace = VmSpace::create();
    lwp = TRY_VALUE(create_lwp(*proc));
    lwkt::head.current->owner = lwp;
}

void ProcessTest::leave(Lwp& lwp) {
    lwkt::Thread* thread = lwp.thread;
    void* owner = lwkt::head.current->owner;
    finish_lwp(lwp);
    lwkt::head.current->owner = owner == &lwp ? nullptr : owner;
    lwkt::threads.erase(thread);
    delete thread;
}

ProcessTest::~ProcessTest() {
    while (Proc* each = all_processes.last()) {
        if (each == init_process)
            break;
        while (Lwp* thread = each->lwps.first()) {
            bool last = each->lwp_count == 1;
            exit_process(*thread, 0);
            leave(*thread);
            if (last)
                break;
        }
        if (all_processes.last() == each) { // a zombie: nobody waits any more
            if (each->state == ProcState::zombie)
                destroy_process(*each);
            else
                break;
        }
    }
    VnodeRef tree = init_process->root;
    init_process->cwd = init_process->root = {};
    destroy_process(*init_process);
    init_process = nullptr;
    Tmpfs& mount = static_cast<TmpfsNode&>(*tree).mount();
    tree = {};
    VnodeRef below = VnodeRef::adopt(std::exchange(devfs_root().covers, nullptr));
    below->mounted = nullptr;
    below = {};
    Tmpfs::destroy(&mount);
    jail.status = nullptr;
}

std::uint64_t ProcessTest::map(std::uint64_t pages, std::uint8_t protection) {
    MapRequest request;
    request.length = pages * vm::page_size;
    request.protection = protection;
    return TRY_VALUE(proc->vmspace->map(request));
}

void ProcessTest::add_file(const char* name, const void* data, std::size_t size, std::uint16_t mode) {
    VnodeRef file = TRY_VALUE(proc->root->create(text(name), VnodeType::regular, mode, *proc->cred));
    Uio uio(const_cast<void*>(data), size);
    EXPECT_TRUE(file->write(*lwp, uio, 0, 0).ok());
}

} // namespace test

} // namespace bsd
