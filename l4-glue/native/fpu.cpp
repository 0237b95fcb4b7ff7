// SPDX-License-Identifier: BSD-2-Clause
#include "glue/fpu.hpp"

#include <cstring>

namespace glue {

void Fpu::initialize(std::byte* area) {
    std::memset(area, 0, size());
    area[0] = std::byte{0x7f};
    area[1] = std::byte{0x03};
    area[24] = std::byte{0x80};
    area[25] = std::byte{0x1f};
    area[512] = std::byte{3};
}

// XRSTOR faults on reserved bits: they are refused here, so that a hostile frame cannot stop the server.
bool Fpu::restore(const std::byte* area) {
    std::uint32_t mxcsr, mxcsr_mask = 0xffff;
    std::uint64_t header[8];
    std::memcpy(&mxcsr, area + 24, sizeof mxcsr);
    std::memcpy(header, area + 512, sizeof header);
    bool good = !(mxcsr & ~mxcsr_mask) && !(header[0] & ~information().xsave_mask);
    for (unsigned i = 1; i < 8; ++i)
        good = good && header[i] == 0; // no compaction, nothing reserved
    alignas(64) static const std::byte reset[576] = {};
    if (!good) {
        asm volatile("xrstor64 %0" ::"m"(*reset), "a"(mask_low()), "d"(mask_high()) : "memory");
        return false;
    }
    asm volatile("xrstor64 %0" ::"m"(*area), "a"(mask_low()), "d"(mask_high()) : "memory");
    return true;
}

} // namespace glue
