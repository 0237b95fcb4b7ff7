// SPDX-License-Identifier: BSD-2-Clause
#include "glue/console.hpp"
#include "glue/clock.hpp"
extern "C" void libelle_main() {
    glue::Console::write("hello\n");
    auto a = glue::Clock::ticks();
    for (int i=0;i<1000;i++) (void)glue::native::invoke(abi::Operation::null, 0);
    glue::Console::write_decimal((glue::Clock::ticks()-a).value/1000);
    glue::Console::write("\n");
    asm volatile("ud2");
}
