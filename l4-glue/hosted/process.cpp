// SPDX-License-Identifier: BSD-2-Clause
#include "l4-glue/hosted/process.hpp"

#include "l4-glue/hosted/agent.hpp"
#include "l4-glue/hosted/traced.hpp"

#include <cerrno>
#include <csignal>

#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace glue::hosted {

int ram_file = -1, image_file = -1;

namespace {
Method method;

std::size_t memory_size() {
    return (stub_slots - stub_control) + glue::start().vcpus * stub_slot_size;
}
} // namespace

void set_processes(Method how, int ram, int image) {
    method = how;
    ram_file = ram;
    image_file = image;
}

std::unique_ptr<Process> Process::create() {
    if (method == Method::ptrace)
        return TracedProcess::create();
    return AgentProcess::create();
}

Process::~Process() {
    if (memory_)
        munmap(memory_, memory_size());
    if (pidfd_ >= 0)
        close(pidfd_);
}

int Process::make_memory() {
    int file = memfd_create("libelle-control", MFD_CLOEXEC);
    if (file < 0)
        return -1;
    void* memory = MAP_FAILED;
    if (ftruncate(file, static_cast<off_t>(memory_size())) == 0)
        memory = mmap(nullptr, memory_size(), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (memory == MAP_FAILED) {
        close(file);
        return -1;
    }
    memory_ = static_cast<std::byte*>(memory);
    return file;
}

void Process::interrupt(unsigned cpu) {
    const pid_t thread = __atomic_load_n(&thread_[cpu], __ATOMIC_SEQ_CST);
    if (thread > 0 && !dead())
        (void)syscall(SYS_tgkill, pid_, thread, SIGUSR1);
}

void Process::kill() {
    std::lock_guard<std::mutex> lock(mutex_);
    kill_locked();
}

void Process::kill_locked() {
    if (dead())
        return;
    __atomic_store_n(&dead_, true, __ATOMIC_SEQ_CST);
    if (pidfd_ < 0)
        return;
    (void)syscall(SYS_pidfd_send_signal, pidfd_, SIGKILL, nullptr, 0);
    bury();
    pollfd gone{pidfd_, POLLIN, 0};
    while (poll(&gone, 1, -1) < 0 && errno == EINTR) {
    }
}

std::byte* Process::place(unsigned cpu, std::uint64_t address, std::size_t size, std::uint64_t align) {
    std::uint64_t start = stub_slots + cpu * stub_slot_size;
    if (address % align != 0 || address < start + SLOT_STACK || address > start + stub_slot_size - size)
        return nullptr;
    return slot_bytes(cpu) + (address - start);
}

} // namespace glue::hosted
