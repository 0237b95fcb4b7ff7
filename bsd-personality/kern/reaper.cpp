// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/reaper.hpp"

namespace bsd {

void become_reaper(Proc& proc) {
    proc.is_reaper = true;
}

void release_reaper(Proc& proc) {
    if (!proc.is_reaper)
        return;
    proc.is_reaper = false;
    for (Proc* each = all_processes.first(); each; each = all_processes.next(each))
        if (each->reaper == &proc)
            each->reaper = proc.reaper;
}

void give_away_children(Proc& proc) {
    release_reaper(proc);
    while (Proc* child = proc.children.first()) {
        proc.children.remove(child);
        if (child->parent_death_signal)
            post_kernel_signal(*child, child->parent_death_signal);
        set_parent(*child, reaper_of(*child));
        child->exit_signal = sigchld;
        if (child->state != ProcState::zombie || child->descriptor)
            continue;
        if (child->parent == init_process)
            destroy_process(*child);
        else
            report_end(*child);
    }
}

Proc* child_above(const Proc& reaper, Proc& proc) {
    for (Proc* at = &proc; at; at = at->parent)
        if (at->parent == &reaper)
            return at;
    return nullptr;
}

} // namespace bsd
