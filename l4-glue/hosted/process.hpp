// SPDX-License-Identifier: BSD-2-Clause
// The Linux process below a BSD address space: threads that run BSD code, one a vCPU, and calls that the
// personality makes in it. There are two kinds. In one, threads report their traps themselves and an agent
// makes the calls (agent.hpp); in the other, which is slower and for hosts that lack what the first needs,
// each vCPU traces its thread by ptrace (traced.hpp).
//
// Nothing that a BSD process can write is believed.
#pragma once

#include "glue/vcpu.hpp"
#include "l4-glue/hosted/stub/layout.hpp"

#include <memory>
#include <mutex>

#include <sys/types.h>

namespace glue::hosted {

// The files whose windows processes map, and the kind of process; before the first one is made.
enum class Method { agent, ptrace };
void set_processes(Method method, int ram, int image);

// A BSD thread's turn on a vCPU.
struct Turn {
    unsigned cpu;
    const Vcpu& vcpu;       // interrupts it by events
    Ticks deadline;         // and this does
    UserContext& context;   // in and out
    const std::byte* state; // extended state to begin with; null: what it left
};

class Process {
public:
    // Null when the host refuses one.
    static std::unique_ptr<Process> create();
    virtual ~Process();
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    // Makes calls in it, one after the other; `failed`: one of them had an error. False: it has been killed.
    virtual bool perform(const Request* requests, unsigned count, bool& failed) = 0;

    // On the vCPU's own thread: begins a turn; false: the process is dead. Then trap() waits for its end.
    virtual bool resume(const Turn& turn) = 0;
    virtual Trap trap(const Turn& turn) = 0;
    // It is another process's turn on this vCPU.
    virtual void rest(unsigned) {}
    // Extended state as the last turn on this vCPU left it, on the vCPU's own thread; false: there is none.
    virtual bool save(unsigned cpu, std::byte* area) = 0;

    // Interrupts a vCPU's thread wherever it is. Any thread.
    void interrupt(unsigned cpu);
    bool dead() const { return __atomic_load_n(&dead_, __ATOMIC_SEQ_CST); }
    // Ends it; when this returns nothing of it runs any more. Any thread.
    void kill();

protected:
    Process() = default;
    // The memory that it shares with us; a descriptor of it, or -1.
    int make_memory();
    void kill_locked();
    // The process has got its signal to die.
    virtual void bury() {}

    Slot& slot(unsigned cpu) { return *reinterpret_cast<Slot*>(slot_bytes(cpu)); }
    std::byte* slot_bytes(unsigned cpu) {
        return memory_ + (stub_slots - stub_control) + cpu * stub_slot_size;
    }
    // The place in a slot that an address in the process names; null if it is not `size` bytes on its stack.
    std::byte* place(unsigned cpu, std::uint64_t address, std::size_t size, std::uint64_t align);

    std::mutex mutex_;                  // guards calls in the process, and its end
    bool dead_ = false;                 // atomic: set once
    pid_t thread_[abi::max_cores] = {}; // atomic: those that can be interrupted
    // Immutable once it has been made.
    int pidfd_ = -1;
    std::byte* memory_ = nullptr; // the agent's page, then the slots
    pid_t pid_ = 0;
};

extern int ram_file, image_file; // immutable after set_processes()

} // namespace glue::hosted
