// SPDX-License-Identifier: BSD-2-Clause
// How a vCPU runs a BSD thread, by its thread in the BSD process (process.hpp), and what becomes of extended
// state.
#include "glue/fpu.hpp"
#include "glue/vcpu.hpp"
#include "l4-glue/hosted/space.hpp"
#include "l4-glue/hosted/trap.hpp"

#include <cstring>

#include <cpuid.h>

namespace glue {

using hosted::Space;

namespace {

constexpr std::size_t host_bytes = 464, host_bytes_end = 512; // of XSAVE's area belong to the host

std::uint64_t extended_mask() {
    unsigned low, high;
    asm("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    constexpr std::uint64_t on_request = std::uint64_t{3}
                                         << 17; // AMX: a process without a permission has none
    return (std::uint64_t{high} << 32 | low) & ~on_request;
}

} // namespace

// --- extended state
// ---------------------------------------------------------------------------------------------
std::size_t Fpu::size() {
    static const std::size_t size = [] {
        std::size_t end = 576;
        for (unsigned each = 2; each != 63; ++each) {
            unsigned a, b, c, d;
            if ((extended_mask() >> each & 1) != 0 && __get_cpuid_count(0xd, each, &a, &b, &c, &d))
                end = std::max(end, std::size_t{a} + b);
        }
        return (end + 63) & ~std::size_t{63};
    }();
    return size;
}

std::uint64_t Fpu::mask() {
    return extended_mask();
}

void Fpu::initialize(std::byte* area) {
    std::memset(area, 0, size());
    area[0] = std::byte{0x7f};
    area[1] = std::byte{0x03};
    area[24] = std::byte{0x80};
    area[25] = std::byte{0x1f};
    area[512] = std::byte{3};
}

void Fpu::save(std::byte* area) {
    Vcpu* vcpu = hosted::this_vcpu;
    if (!vcpu)
        return;
    if (vcpu->next_state_) {
        if (vcpu->next_state_ != area)
            std::memcpy(area, vcpu->next_state_, size());
        return;
    }
    Space* space = __atomic_load_n(&vcpu->live_, __ATOMIC_SEQ_CST);
    if (!space || !space->process().save(hosted::index_of(*vcpu), area))
        return initialize(area);
    std::memset(area + host_bytes, 0, host_bytes_end - host_bytes);
    // A BSD process can write anything there; what is kept is what a processor would take.
    std::uint64_t header[8];
    std::memcpy(header, area + 512, sizeof header);
    header[0] &= extended_mask();
    std::memset(header + 1, 0, sizeof header - sizeof *header);
    std::memcpy(area + 512, header, sizeof header);
    area[26] = area[27] = std::byte{0}; // reserved bits of MXCSR
}

bool Fpu::restore(const std::byte* area) {
    std::uint32_t mxcsr;
    std::uint64_t header[8];
    std::memcpy(&mxcsr, area + 24, sizeof mxcsr);
    std::memcpy(header, area + 512, sizeof header);
    bool good = !(mxcsr & ~0xffffu) && !(header[0] & ~extended_mask());
    for (unsigned i = 1; i < 8; ++i)
        good = good && header[i] == 0; // no compaction, nothing reserved
    alignas(64) static std::byte reset[16384];
    if (!good && reset[0] == std::byte{0})
        initialize(reset);
    if (hosted::this_vcpu)
        hosted::this_vcpu->next_state_ = good ? area : reset;
    return good;
}

// --- running
// ----------------------------------------------------------------------------------------------------
// A process that is gone looks like one whose next page cannot be had: that ends it.
static Trap gone(UserContext& context) {
    context.vector = 14;
    context.error = 4;
    context.fault_address = context.rip;
    return Trap::page_fault;
}

// The thread that ran last need not wait for its next turn: its processor goes to this one's, which has been
// woken and is waiting for one. The other way round the processor would be idle between the two.
void Vcpu::make_live(Space& space, unsigned cpu) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (live_)
        live_->process().rest(cpu);
    __atomic_store_n(&live_, &space, __ATOMIC_SEQ_CST);
}

Trap Vcpu::run(Space& space) {
    const unsigned cpu = hosted::index_of(*this);
    if (context_.rip >= abi::user_end || context_.fs_base >= abi::user_end ||
        context_.gs_base >= abi::user_end)
        return hosted::protection_fault(context_, 0);
    space.prepare();
    {
        std::lock_guard<std::mutex> lock(mutex_);
        if (pending())
            return Trap::event;
        guest_ = &space;
    }
    hosted::Process& process = space.process();
    const hosted::Turn turn{cpu, *this, deadline_, context_, next_state_};
    Trap trap = Trap::event;
    if (process.resume(turn)) {
        next_state_ = nullptr;
        if (__atomic_load_n(&live_, __ATOMIC_RELAXED) != &space)
            make_live(space, cpu);
        trap = process.trap(turn);
    }
    {
        std::lock_guard<std::mutex> lock(mutex_);
        guest_ = nullptr;
    }
    if (process.dead())
        return gone(context_);
    const bool late = deadline_ != no_deadline && Clock::ticks() >= deadline_;
    return trap == Trap::event && late && !pending() ? Trap::deadline : trap;
}

} // namespace glue
