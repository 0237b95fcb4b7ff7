// SPDX-License-Identifier: BSD-2-Clause
// From the first instruction to libelle_main: constructors run, and the windows that the box prepared are in
// place.
#include "glue/console.hpp"
#include "glue/invoke.hpp"

extern "C" void libelle_main();
extern "C" void (*__init_array_start[])();
extern "C" void (*__init_array_end[])();

extern "C" void glue_start() {
    for (auto* constructor = __init_array_start; constructor != __init_array_end; ++constructor)
        (*constructor)();
    libelle_main();
    glue::Console::write("libelle_main returned\n");
    for (;;)
        asm volatile("ud2");
}

// What the compiler may ask for and must never happen here.
extern "C" void __cxa_pure_virtual() {
    asm volatile("ud2");
}
void operator delete(void*) noexcept {
    asm volatile("ud2");
}
void operator delete(void*, unsigned long) noexcept {
    asm volatile("ud2");
}
