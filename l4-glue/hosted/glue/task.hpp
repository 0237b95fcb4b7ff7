// SPDX-License-Identifier: BSD-2-Clause
// A jail's task and its box on the hosted platform: the memory that they share and their doorbells. The start
// code is l4-glue/hosted/start.cpp.
#pragma once

#include "l4-glue/start.hpp"

namespace glue {

// What the box shares with this task (proto/jail.hpp).
void* shared_memory();
void ring_box();
// Nothing is left to run; the box has been told why.
[[noreturn]] void wait_for_ever();

} // namespace glue
