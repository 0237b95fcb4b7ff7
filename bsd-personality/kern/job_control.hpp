// SPDX-License-Identifier: BSD-2-Clause
// Job control beyond single processes. A process group is orphaned when no member has a parent of another
// group of the same session: nobody would continue it, so terminals do not stop it, and when a group with
// stopped members becomes orphaned they get SIGHUP and SIGCONT. All under the giant token.
#pragma once

#include "bsd-personality/kern/proc.hpp"

namespace bsd {

/// Membership or parents in the session with this id have changed.
void update_orphans(pid_t session);
/// The process becomes a zombie: if it leads its session, the terminal's foreground group gets SIGHUP and
/// everybody loses the terminal.
void leave_terminal(Proc& proc);

} // namespace bsd
