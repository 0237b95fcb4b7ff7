// SPDX-License-Identifier: BSD-2-Clause
// ktrace(2): what the threads of a process do, as records in a file. A process that is traced has a
// KtraceFile and the set of points that are recorded; its threads make every call by way of observed_call
// (kern/trap.cpp) and under giant in exclusive mode, so that each point costs others one look at
// proc.ktrace_points, or nothing. Records are written at the end of the file when they happen, by the thread
// itself. When the file cannot be written, tracing to it ends. Under the giant token; writing may sleep.
#pragma once

#include "bsd-personality/kern/proc.hpp"
#include "bsd-personality/kern/uio.hpp"

namespace bsd {

/// Kinds of records; a point is the bit of that number. Numbers of both systems; from 8 on FreeBSD's alone.
enum class Ktr : std::uint16_t {
    call = 1,
    call_return,
    namei,
    generic_io,
    signal,
    context_switch,
    user,
    structure,
    sysctl,
    process_start,
    process_end,
    fault = 13,
    fault_end,
};
constexpr std::uint32_t point(Ktr kind) {
    return std::uint32_t{1} << static_cast<unsigned>(kind);
}
inline constexpr std::uint32_t ktrace_points_mask = 0xff'ffff;
inline constexpr std::uint32_t ktrace_root = 0x8000'0000;    // root set it
inline constexpr std::uint32_t ktrace_inherit = 0x4000'0000; // children are traced, too

/// A file that records go to, for as many processes as are traced to it.
class KtraceFile {
public:
    KtraceFile(VnodeRef file, std::uint64_t most) : vnode(static_cast<VnodeRef&&>(file)), limit(most) {}
    void ref() { references_++; }
    void unref();

    VnodeRef vnode;
    std::uint64_t limit; // RLIMIT_FSIZE of who began it

private:
    std::uint32_t references_ = 1;
};

/// A process is traced from now on, to `file`, at more points. By root: only root ends it.
void ktrace_set(Proc& proc, KtraceFile& file, std::uint32_t points, bool by_root);
/// Less, and not at all when no point is left.
void ktrace_clear(Proc& proc, std::uint32_t points);
/// May `caller` change how `target` is traced?
bool may_ktrace(const Proc& caller, const Proc& target);

/// The last thread of a process ends.
void ktrace_exit(Lwp& lwp);
/// fork: the child is traced as its parent if that says so.
void ktrace_fork(Proc& parent, Proc& child);

struct KtracePart {
    const void* bytes;
    std::uint64_t size;
};
/// Writes a record of the calling thread.
void ktrace_write(Lwp& lwp, Ktr kind, KtracePart first, KtracePart second = {nullptr, 0});
inline bool ktrace_wants(const Lwp& lwp, Ktr kind) {
    return (lwp.proc.ktrace_points & point(kind)) != 0;
}

// --- points
// --------------------------------------------------------------------------------------------------------
void ktrace_call(Lwp& lwp, std::uint32_t number, const std::uint64_t* arguments, unsigned count);
void ktrace_return(Lwp& lwp, std::uint32_t number, const SysResult<Return>& result);
/// What the arguments of a call point to, after it.
void ktrace_arguments(Lwp& lwp, const SystemCallEntry& entry, const std::uint64_t* arguments, unsigned count,
                      const SysResult<Return>& result);
/// Bytes that were moved from or to user memory, from the beginning of `vectors`.
void ktrace_io(Lwp& lwp, int fd, bool writing, const IoVector* vectors, unsigned count, std::uint64_t moved);
void ktrace_signal(Lwp& lwp, const SignalInfo& info, std::uint64_t handler, SignalSet mask);
void ktrace_switch(Lwp& lwp, bool out, const char* wmesg);
/// A structure by its name in C, as the process sees it (FreeBSD).
void ktrace_structure(Lwp& lwp, const char* name, const void* bytes, std::uint64_t size);
void ktrace_fault(Lwp& lwp, std::uint64_t address, unsigned protection);
void ktrace_fault_end(Lwp& lwp, int result);
inline void ktrace_path(Lwp& lwp, Text path) {
    if (ktrace_wants(lwp, Ktr::namei)) [[unlikely]]
        ktrace_write(lwp, Ktr::namei, {path.data, path.size});
}

} // namespace bsd
