// SPDX-License-Identifier: BSD-2-Clause
// Whose registers a vCPU holds. The user registers of the lwp that ran last stay in the vCPU page, and its
// extended state in the processor, until another lwp is about to enter user mode there. Owned by the vCPU's
// core.
#pragma once

#include "bsd-personality/kern/proc.hpp"

namespace bsd {

/// Makes the vCPU of the calling thread hold the registers of `lwp`, which belongs to this core.
void take_vcpu(Lwp& lwp);
/// The registers and the extended state of the calling thread are in memory afterwards: lwp.saved, lwp.fpu.
void put_away_registers(Lwp& lwp);
/// Forgets an lwp that ends; its registers are lost. By its own thread.
void abandon_vcpu(Lwp& lwp);
/// The extended state of the calling thread, brought up to date in memory: lwp.fpu.
std::byte* read_fpu(Lwp& lwp);
/// Puts lwp.fpu, which was changed, into effect. False: the processor refuses the state, which is then the
/// reset one.
bool write_fpu(Lwp& lwp);
/// Extended state as after reset.
void reset_fpu(Lwp& lwp);

/// Body of every lwp's LWKT thread.
void lwp_main(void* lwp);
/// The vCPU a new thread should run on: the one with the fewest.
lwkt::CpuId choose_cpu();
extern unsigned lwps_on_cpu[abi::max_cores]; // guarded by giant

} // namespace bsd
