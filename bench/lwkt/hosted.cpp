// SPDX-License-Identifier: BSD-2-Clause
// As a Linux process: hosted NUMBER-OF-VCPUS.
#include "bench/lwkt/bench.hpp"

#include "lwkt/slab.hpp"
#include "lwkt/thread.hpp"

#include <cstdio>
#include <cstdlib>

namespace bench {

const unsigned rounds = 10'000;
void print(std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
}
void print(std::uint64_t value) {
    std::printf("%lu", static_cast<unsigned long>(value));
}
void end() {
    lwkt::shutdown();
}

} // namespace bench

int main(int, char** argv) {
    glue::hosted::set_up(1 << 20, argv[1] ? static_cast<unsigned>(std::atoi(argv[1])) : 1);
    lwkt::PageProvider provider{[](std::size_t pages) {
                                    return std::aligned_alloc(pages * glue::page_size,
                                                              pages * glue::page_size);
                                },
                                [](void* block, std::size_t) { std::free(block); }};
    return lwkt::start(bench::main, nullptr, provider).ok() ? 0 : 1;
}
