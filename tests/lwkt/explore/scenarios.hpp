// SPDX-License-Identifier: BSD-2-Clause
// What scenarios share, and those that scenarios.cpp lists and other files define.
#pragma once

#include "explore.hpp"

namespace explore {

inline unsigned pick(unsigned below) {
    return static_cast<unsigned>(random() % below);
}

// scenarios_sleep.cpp
void sleep_wakeup();
void interlock();
void conditions();
void serializer();
void soft_interrupt();
void moves();

} // namespace explore
