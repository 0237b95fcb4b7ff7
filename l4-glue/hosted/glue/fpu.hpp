// SPDX-License-Identifier: BSD-2-Clause
// Extended register state on the hosted platform: it lies in the signal frame of the vCPU's thread in the BSD
// process (l4-glue/hosted/enter.cpp). The area has XSAVE's standard form, is 64-byte aligned and Fpu::size()
// bytes long. In unit tests areas have the smallest legal size, and nothing is saved or restored.
#pragma once

#include "l4-glue/start.hpp"

namespace glue {

class Fpu {
public:
    static std::size_t size();
    // Which parts of the state there are: XCR0.
    static std::uint64_t mask();
    // Writes the state after reset (FCW 0x37f, MXCSR 0x1f80) into an area.
    static void initialize(std::byte* area);
    // Of the BSD thread that ran last on this vCPU.
    static void save(std::byte* area);
    // For the BSD thread that runs next on this vCPU: the area is read when it does. False, and a reset
    // state, for a state that the processor would refuse.
    static bool restore(const std::byte* area);
};

} // namespace glue
