// SPDX-License-Identifier: BSD-2-Clause
#include "glue/console.hpp"
#include "lwkt/verify.hpp"

namespace lwkt {

void panic(const char* text, const char* file, int line) {
    glue::Console::write("panic: ");
    glue::Console::write(text);
    glue::Console::write(" (");
    glue::Console::write(file);
    glue::Console::write(":");
    glue::Console::write_decimal(static_cast<unsigned>(line));
    glue::Console::write(")\n");
    __builtin_trap(); // an illegal instruction: whoever supervises this task hears of it
}

} // namespace lwkt
