// SPDX-License-Identifier: BSD-2-Clause
#include "box/entropy.hpp"

#include "box/sha256.hpp"

namespace box {

namespace {

bool has_rdrand() {
    std::uint32_t a = 1;
    std::uint32_t b = 0;
    std::uint32_t c = 0;
    std::uint32_t d = 0;
    asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return (c & (1U << 30)) != 0;
}

bool rdrand(std::uint64_t& out) {
    // The processor may be out of numbers for a moment; ten tries is what its maker recommends.
    for (int attempt = 0; attempt < 10; attempt++) {
        bool ok = false;
        asm volatile("rdrand %0" : "=r"(out), "=@ccc"(ok));
        if (ok)
            return true;
    }
    return false;
}

} // namespace

bool Entropy::initialize(const proto::Manifest& manifest) {
    Sha256 hash;
    hash.update("libelle box", 11);
    hash.update(manifest.seed, manifest.seed_size);
    // With counted instructions a run is to repeat: the seed alone counts.
    bool processor = has_rdrand() && !(manifest.icount && manifest.seed_size != 0);
    for (int i = 0; i < 8 && processor; i++) {
        std::uint64_t word = 0;
        processor = rdrand(word);
        hash.update(&word, sizeof word);
    }
    hash.finish(secret_);
    return processor || manifest.seed_size != 0;
}

void Entropy::derive(proto::Text name, std::uint8_t (&out)[64]) const {
    for (std::uint8_t half = 0; half < 2; half++) {
        Sha256 hash;
        hash.update(secret_, sizeof secret_);
        hash.update(&half, 1);
        hash.update(name.data, name.size);
        std::uint8_t digest[32];
        hash.finish(digest);
        for (unsigned i = 0; i < 32; i++)
            out[32 * half + i] = digest[i];
    }
}

} // namespace box
