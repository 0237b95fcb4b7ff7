// SPDX-License-Identifier: BSD-2-Clause
// The guards of leaving to user mode and of entering by exception, by name. tests/hazards builds the kernel
// once without each (LIBELLE_WITHOUT_GUARD=NAME) and expects the hazard's test to fail; the kernel that is
// used has all of them, and no code for that. Assembly asks by `.ifnc LIBELLE_WITHOUT_GUARD, NAME`, and has:
//   entry_origin  where a trap came from is told by the stack, not by the CS that the processor pushed
//   entry_vector  which trap it is comes in a register, not from the shared frame
//   entry_ac, entry_df  cleared when a trap enters
//   guest_segments  CS and SS of IRET are constants
//   debug_gs  a #DB inside the kernel does not touch GS
#pragma once

#ifndef LIBELLE_WITHOUT_GUARD
#define LIBELLE_WITHOUT_GUARD none
#endif

namespace kernel {

enum class Guard {
    none,
    entry_origin,
    entry_ac,
    entry_df,
    entry_vector,
    debug_gs,
    debug_stack, // these four: the exception has a stack of its own
    nmi_stack,
    double_fault_stack,
    machine_check_stack,
    nmi_gs, // these three: the handler does not look at GS
    double_fault_gs,
    machine_check_gs,
    mask_tf, // these five: SYSCALL clears the flag
    mask_df,
    mask_ac,
    mask_nt,
    mask_if,
    guest_read_once, // the RIP that was checked is the RIP that is used
    guest_rip,       // must be canonical, in the user's half
    guest_bases,     // so must the segment bases
    guest_flags,
    guest_segments,
    guest_sysret, // only where it restores what IRET would
    bases_saved_leaving,
    bases_saved_switching,
};

constexpr bool guarded(Guard guard) {
    return guard != Guard::LIBELLE_WITHOUT_GUARD;
}

} // namespace kernel
