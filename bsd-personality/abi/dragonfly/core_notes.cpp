// SPDX-License-Identifier: BSD-2-Clause
// The real system also writes, behind the notes, what checkpt(1) would restore a process from; debuggers do
// not look at that, and it is not here.
#include "bsd-personality/abi/dragonfly/core_notes.hpp"

#include "bsd-personality/abi/dragonfly/registers.hpp"
#include "bsd-personality/abi/versions.hpp"

#include <cstring>

namespace bsd::dragonfly {

namespace {

constexpr const char* owner = "CORE";
enum NoteType : std::uint32_t { note_status = 1, note_fpu = 2, note_process = 3 };

struct Status { // prstatus_t
    std::int32_t version;
    std::uint64_t size, register_size, fpu_size;
    std::int32_t osreldate, signal, tid;
    RegisterSet registers;
};
static_assert(sizeof(Status) == 248 && offsetof(Status, registers) == 48);

struct ProcessInfo { // prpsinfo_t
    std::int32_t version;
    std::uint64_t size;
    char command[17], arguments[81];
};
static_assert(sizeof(ProcessInfo) == 120 && offsetof(ProcessInfo, arguments) == 33);

constexpr std::uint32_t fpu_size = 512; // struct fpreg: the first part of XSAVE's area

void put_thread(CoreFile& file, Lwp& lwp, const SignalInfo& info, bool first) {
    Status status{};
    status.version = 1;
    status.size = sizeof status;
    status.register_size = sizeof status.registers;
    status.fpu_size = fpu_size;
    status.osreldate = static_cast<std::int32_t>(dragonfly_osreldate);
    status.signal = info.signal;
    status.tid = lwp.tid;
    fill_registers(lwp, reinterpret_cast<std::byte*>(&status.registers));
    if (first)
        status.registers.trap_number = static_cast<std::uint64_t>(info.trap_number);
    file.note(owner, note_status, &status, sizeof status);
    file.note(owner, note_fpu, lwp.fpu, fpu_size);
}

} // namespace

void put_core_notes(CoreFile& file, Lwp& lwp, const SignalInfo& info) {
    Proc& proc = lwp.proc;
    ProcessInfo process{};
    process.version = 1;
    process.size = sizeof process;
    std::memcpy(process.command, proc.command, sizeof process.command - 1);
    std::memcpy(process.arguments, process.command, sizeof process.command); // so does the real system
    file.note(owner, note_process, &process, sizeof process);
    put_thread(file, lwp, info, true);
    for (Lwp* each = proc.lwps.first(); each; each = proc.lwps.next(each))
        if (each != &lwp)
            put_thread(file, *each, info, false);
}

} // namespace bsd::dragonfly
