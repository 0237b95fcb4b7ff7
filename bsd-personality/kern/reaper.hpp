// SPDX-License-Identifier: BSD-2-Clause
// Reapers: processes that adopt the orphans among the descendants that were forked while they were one; for
// all others that is init. Under giant. procctl(2) of both systems.
#pragma once

#include "bsd-personality/kern/proc.hpp"

namespace bsd {

/// Who adopts the children of `proc` when it ends.
inline Proc& reaper_of(const Proc& proc) {
    return proc.reaper ? *proc.reaper : *init_process;
}
/// Whose children are told from: itself, or who reaps for it.
inline Proc& responsible_reaper(Proc& proc) {
    return proc.is_reaper || &proc == init_process ? proc : reaper_of(proc);
}
/// Its descendants from now on are its own to reap.
void become_reaper(Proc& proc);
/// They belong to the next reaper above.
void release_reaper(Proc& proc);
/// A process ends: its children get their death signals and go to their reapers, who hear of those that are
/// dead already; init waits for nobody, so its dead children go at once.
void give_away_children(Proc& proc);

/// The child of `reaper` among the ancestors of `proc`, or `proc` itself; nullptr if it is no descendant.
Proc* child_above(const Proc& reaper, Proc& proc);

} // namespace bsd
