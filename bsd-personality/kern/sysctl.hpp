// SPDX-License-Identifier: BSD-2-Clause
// sysctl: a table of nodes, each with a name, a number (MIB) and a function that produces its value. The two
// systems share most nodes; where a name or number differs, a node belongs to one of them only. Under the
// giant token.
#pragma once

#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/kern/errno.hpp"
#include "bsd-personality/vm/usermem.hpp"

namespace bsd {

inline constexpr unsigned sysctl_depth = 24; // CTL_MAXNAME

/// One request: where the old value goes and where a new one comes from. put() may be called several times.
class SysctlRequest {
public:
    SysctlRequest(Lwp& caller, UserAddress old_value, std::uint64_t old_capacity, UserAddress new_value,
                  std::uint64_t new_size)
        : lwp(caller), old_(old_value), capacity_(old_capacity), new_(new_value), new_size_(new_size) {}

    /// Appends to the old value. What does not fit is counted only; the request then ends with ENOMEM.
    /// Errors: EFAULT.
    SysResult<void> put(const void* bytes, std::uint64_t size);
    SysResult<void> put_text(Text value); // with a NUL
    template <class T>
    SysResult<void> put_value(T value) {
        return put(&value, sizeof value);
    }
    bool has_new() const { return new_.value != 0; }
    std::uint64_t new_size() const { return new_size_; }
    /// Takes exactly `size` bytes of the new value (or up to, with `shorter`). Errors: EINVAL (another size),
    /// EFAULT.
    SysResult<std::uint64_t> take(void* to, std::uint64_t size, bool shorter = false);
    std::uint64_t capacity() const { return capacity_; }
    /// Does the request only ask for the size?
    bool size_only() const { return old_.value == 0; }

    /// What *oldlenp becomes.
    std::uint64_t length() const { return old_.value != 0 && total_ > capacity_ ? capacity_ : total_; }
    bool too_short() const { return old_.value != 0 && total_ > capacity_; }

    Lwp& lwp;
    const std::int32_t* rest = nullptr; // MIB numbers behind the node's own
    unsigned rest_count = 0;

private:
    UserAddress old_;
    std::uint64_t capacity_, total_ = 0;
    UserAddress new_;
    std::uint64_t new_size_;
};

using SysctlFunction = SysResult<void> (*)(SysctlRequest& request);
enum SysctlFlag : std::uint8_t {
    sysctl_freebsd = 1,   // FreeBSD only
    sysctl_dragonfly = 2, // DragonFly only
    sysctl_writable = 4,
    sysctl_rest = 8, // takes further numbers
};

struct SysctlNode {
    const char* name;
    std::int32_t number[4]; // 0: ends; no node has a zero inside but those of {0, n}
    std::uint8_t depth, flags;
    char format; // 'I' int, 'L' long, 'A' text, 'S' structure: what sysctl(8) shows it as
    SysctlFunction function;
};

struct SysctlTable {
    const SysctlNode* nodes; // ascending by number
    unsigned count;
};
extern const SysctlTable sysctl_nodes;

/// The node of a MIB; null when there is none for this ABI.
const SysctlNode* find_sysctl(AbiKind abi, const std::int32_t* mib, unsigned depth);
const SysctlNode* find_sysctl(AbiKind abi, Text name);
/// The next node in order of numbers, for sysctl(8)'s walk; null at the end.
const SysctlNode* next_sysctl(AbiKind abi, const std::int32_t* mib, unsigned depth);

/// Asks a node. Errors: ENOENT, EPERM (not writable, or not superuser), EINVAL, EFAULT; a buffer that is too
/// short is request.too_short().
SysResult<void> ask_sysctl(const SysctlNode& node, const std::int32_t* mib, unsigned depth,
                           SysctlRequest& request);

// Functions of nodes that live in files of their own.
SysResult<void> sysctl_process(SysctlRequest& request); // kern.proc.*
SysResult<void> sysctl_interrupt_names(SysctlRequest& request);
SysResult<void> sysctl_interrupt_counts(SysctlRequest& request);
SysResult<void> sysctl_interrupt_latencies(SysctlRequest& request);
SysResult<void> sysctl_name_to_oid(SysctlRequest& request); // {0, 3}
SysResult<void> sysctl_oid_to_name(SysctlRequest& request); // {0, 1}
SysResult<void> sysctl_next(SysctlRequest& request);        // {0, 2}
SysResult<void> sysctl_format(SysctlRequest& request);      // {0, 4}

SysResult<void> sysctl_core_enabled(SysctlRequest& request); // kern.coredump and so on: kern/core_name.hpp
SysResult<void> sysctl_core_set_id(SysctlRequest& request);
SysResult<void> sysctl_core_indices(SysctlRequest& request);
SysResult<void> sysctl_core_pattern(SysctlRequest& request);

// How memory is laid out: kern.elf64.aslr.* and so on.
SysResult<void> sysctl_aslr(SysctlRequest& request);
SysResult<void> sysctl_aslr_pie(SysctlRequest& request);
SysResult<void> sysctl_aslr_stack(SysctlRequest& request);
SysResult<void> sysctl_aslr_shared_page(SysctlRequest& request);
SysResult<void> sysctl_honor_break(SysctlRequest& request);
SysResult<void> sysctl_imply_maximum(SysctlRequest& request);
SysResult<void> sysctl_random_mmap(SysctlRequest& request);
SysResult<void> sysctl_stack_gap(SysctlRequest& request);
SysResult<void> sysctl_stack_top(SysctlRequest& request);
SysResult<void> sysctl_stack_base(SysctlRequest& request);
SysResult<void> sysctl_process_strings(SysctlRequest& request);

/// FreeBSD's struct kinfo_proc of a process, of its first thread.
inline constexpr std::size_t freebsd_process_size = 1088;
void fill_freebsd_process(const Proc& proc, std::byte* record);

/// The jail's name now.
const char* current_host_name();
/// kern.hostname; empty: as the box said.
extern char host_name[256];

} // namespace bsd
