// SPDX-License-Identifier: BSD-2-Clause
// Parts of the stress test that lie in files of their own.
#pragma once

#include "tests/lwkt/support.hpp"

void report(const char* name, bool good);
void interrupts();
void soft_interrupts();
