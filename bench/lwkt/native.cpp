// SPDX-License-Identifier: BSD-2-Clause
// In a jail on the kernel, in place of the personality.
#include "bench/lwkt/bench.hpp"

#include "tests/lwkt/support.hpp"

namespace bench {

const unsigned rounds = 100;
void print(std::string_view text) {
    lwkt::native::print(text);
}
void print(std::uint64_t value) {
    lwkt::native::print(value);
}
void end() {
    lwkt::native::end(0);
}

} // namespace bench

extern "C" void libelle_main() {
    (void)lwkt::start(bench::main, nullptr, lwkt::native::Pages::provider());
}
