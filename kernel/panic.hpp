// SPDX-License-Identifier: BSD-2-Clause
// The kernel's serial console, and the end. A panic stops the other cores and prints the reason, registers,
// and every word on the stack that points into kernel text ("Backtrace: address ..."); `libelle` on the host
// turns the addresses into names.
#pragma once

#include "kernel/object.hpp"

namespace kernel {

void console_initialize();
void console_put(char c);
void console_write(const char* text);
void console_hex(Word value);
void console_decimal(Word value);

// Halts all other cores, once. Of several cores that come here at the same time one returns.
void stop_others();
bool is_stopping();
[[noreturn]] void panic(const char* reason);
[[noreturn]] void panic_with(const abi::Registers& registers, const char* reason);

} // namespace kernel
