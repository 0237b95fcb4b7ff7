// SPDX-License-Identifier: BSD-2-Clause
// execve: replaces the program of a process. The new address space is built first; nothing of the old program
// is lost before it stands.
#pragma once

#include "bsd-personality/kern/elf.hpp"
#include "bsd-personality/kern/proc.hpp"

namespace bsd {

/// Argument and environment strings on their way to a new program: one growing buffer.
class ExecStrings {
public:
    static constexpr std::uint64_t limit = 512 << 10; // ARG_MAX of FreeBSD
    ExecStrings() = default;
    ExecStrings(const ExecStrings&) = delete;
    ExecStrings& operator=(const ExecStrings&) = delete;
    ~ExecStrings();

    /// Appends one string. Errors: E2BIG, ENOMEM.
    SysResult<void> add(Text string);
    /// Appends the strings of a NULL-terminated vector in user memory. Errors: EFAULT, E2BIG, ENOMEM.
    SysResult<void> add_vector(VmSpace& space, glue::UserAddress vector, std::uint32_t& count);
    /// For "#!": the first argument is replaced by the `count` strings of a block, a NUL after each, and by
    /// `last`. Errors: E2BIG, ENOMEM.
    SysResult<void> replace_first(Text block, std::uint32_t count, Text last);

    const char* data() const { return data_; }
    std::uint64_t size() const { return used_; }
    std::uint32_t argument_count = 0, environment_count = 0;

private:
    SysResult<void> reserve(std::uint64_t bytes);
    char* data_ = nullptr;
    std::uint64_t used_ = 0;
    unsigned order_ = 0; // of pages
};

/// Why an exec failed, for messages.
struct ExecFailure {
    ElfError elf = ElfError::none;
};

/// Runs `path` in the process of `lwp`, which must be the caller or not started yet. On success the lwp's
/// registers are the new program's. Errors: those of execve(2).
SysResult<void> exec_program(Lwp& lwp, Text path, ExecStrings& strings, ExecFailure* failure = nullptr);
/// The same for an open file (fexecve).
SysResult<void> exec_vnode(Lwp& lwp, VnodeRef vnode, Text path, ExecStrings& strings,
                           ExecFailure* failure = nullptr);

/// Whom a program runs as.
struct ExecIds {
    UcredRef cred;
    bool gains = false; // by a set-id file
};
/// Errors: ENOMEM.
SysResult<ExecIds> ids_for_exec(const Proc& proc, Vnode& file);
/// Descriptors 0 to 2 that are closed become /dev/null. Errors: ENOMEM, and those of open(2).
SysResult<void> fill_standard_files(Lwp& lwp);

/// Once, before the first exec: pages with the signal trampolines. Errors: ENOMEM.
SysResult<void> initialize_exec();

} // namespace bsd
