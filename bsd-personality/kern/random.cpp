// SPDX-License-Identifier: BSD-2-Clause
// ChaCha20 as in RFC 8439, with a 64-bit counter and a zero nonce.
#include "bsd-personality/kern/random.hpp"

#include <string.h>

namespace bsd {

constinit Random random_source;

namespace {
constexpr std::uint32_t rotate(std::uint32_t value, unsigned by) {
    return value << by | value >> (32 - by);
}
void quarter(std::uint32_t& a, std::uint32_t& b, std::uint32_t& c, std::uint32_t& d) {
    a += b, d = rotate(d ^ a, 16);
    c += d, b = rotate(b ^ c, 12);
    a += b, d = rotate(d ^ a, 8);
    c += d, b = rotate(b ^ c, 7);
}
} // namespace

void Random::block(std::uint32_t out[16]) {
    std::uint32_t start[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    memcpy(start + 4, key_, sizeof key_);
    start[12] = static_cast<std::uint32_t>(counter_);
    start[13] = static_cast<std::uint32_t>(counter_ >> 32);
    counter_++;
    std::uint32_t x[16];
    memcpy(x, start, sizeof x);
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 4; i++)
            quarter(x[i], x[4 + i], x[8 + i], x[12 + i]);
        for (int i = 0; i < 4; i++)
            quarter(x[i], x[4 + (i + 1) % 4], x[8 + (i + 2) % 4], x[12 + (i + 3) % 4]);
    }
    for (int i = 0; i < 16; i++)
        out[i] = x[i] + start[i];
}

void Random::add(const void* seed, std::size_t size) {
    auto* bytes = static_cast<const unsigned char*>(seed);
    while (size != 0) {
        std::uint32_t words[8] = {};
        std::size_t run = size < sizeof words ? size : sizeof words;
        memcpy(words, bytes, run);
        bytes += run;
        size -= run;
        for (int i = 0; i < 8; i++)
            key_[i] ^= words[i];
        std::uint32_t next[16];
        block(next);
        memcpy(key_, next, sizeof key_);
    }
}

void Random::fill(void* to, std::size_t size) {
    auto* bytes = static_cast<unsigned char*>(to);
    std::uint32_t out[16];
    while (size != 0) {
        block(out);
        std::size_t run = size < sizeof out ? size : sizeof out;
        memcpy(bytes, out, run);
        bytes += run;
        size -= run;
    }
    block(out);
    memcpy(key_, out, sizeof key_);
    memset(out, 0, sizeof out);
    asm volatile("" ::"r"(out) : "memory"); // the clearing above must happen
}

} // namespace bsd
