// SPDX-License-Identifier: BSD-2-Clause
// The jail's random numbers: ChaCha20 keyed by the seed that the box gave this jail alone; the key is
// replaced from the output after every request, so that what was handed out cannot be computed from a later
// state. Under the giant token.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bsd {

class Random {
public:
    /// Mixes `size` bytes into the key (64 at boot; /dev/random's writers add more).
    void add(const void* seed, std::size_t size);
    void fill(void* to, std::size_t size);

private:
    void block(std::uint32_t out[16]);
    std::uint32_t key_[8] = {};
    std::uint64_t counter_ = 0;
};

extern Random random_source;

} // namespace bsd
