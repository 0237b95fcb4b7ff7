// SPDX-License-Identifier: BSD-2-Clause
// Extended register state of BSD threads (XSAVE). The personality never uses these registers itself: it saves
// and restores them when it changes BSD threads. The area is 64-byte aligned and Fpu::size() bytes long.
#pragma once

#include "l4-glue/start.hpp"

namespace glue {

class Fpu {
public:
    static std::size_t size() { return information().xsave_size; } // 576 and up
    // Which parts of the state there are: XCR0.
    static std::uint64_t mask() { return information().xsave_mask; }
    // Writes the state after reset (FCW 0x37f, MXCSR 0x1f80) into an area.
    static void initialize(std::byte* area);
    static void save(std::byte* area) {
        asm volatile("xsave64 %0" : "+m"(*area) : "a"(mask_low()), "d"(mask_high()) : "memory");
    }
    // Loads a state that may come from user memory: false (and a reset state) if the processor refuses it.
    static bool restore(const std::byte* area);

private:
    static std::uint32_t mask_low() { return static_cast<std::uint32_t>(information().xsave_mask); }
    static std::uint32_t mask_high() { return static_cast<std::uint32_t>(information().xsave_mask >> 32); }
    static const abi::InformationPage& information() {
        return *reinterpret_cast<const abi::InformationPage*>(information_address);
    }
};

} // namespace glue
