// SPDX-License-Identifier: BSD-2-Clause
// Whether core files are written and what they are called: kern.coredump, kern.sugid_coredump, kern.corefile,
// debug.ncores. Guarded by the giant token.
#pragma once

#include "bsd-personality/kern/proc.hpp"
#include "bsd-personality/vfs/namei.hpp"

namespace bsd {

struct CoreSettings {
    bool enabled = true;      // kern.coredump
    bool set_id = false;      // kern.sugid_coredump: also of processes whose ids have changed
    std::int32_t indices = 5; // debug.ncores: as many names %I makes
    char pattern[path_max] = "%N.core";
};
extern CoreSettings core_settings;

/// The name of a core file, with what stands for %N, %P, %U, %H, %S and (once) %I in the pattern.
struct CoreName {
    PathBuffer path;
    unsigned index_at = 0, index_digits = 0; // where %I is; no digits: nowhere
    void set_index(unsigned index);
};
/// Errors: ENAMETOOLONG.
SysResult<void> expand_core_name(const Proc& proc, int signal, CoreName& to);

} // namespace bsd
