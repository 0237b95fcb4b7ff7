// SPDX-License-Identifier: BSD-2-Clause
// The ends of a part of the run that the plugin (watch.cpp) reports on: it knows these functions by their
// addresses. They do nothing, here and in children.
#pragma once

extern "C" void watch_begin();
extern "C" void watch_end();
