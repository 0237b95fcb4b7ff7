// SPDX-License-Identifier: BSD-2-Clause
// A personality that lives as long as the fuzzer, on one vCPU of the hosted glue: all of it runs but the
// processor's user mode, for which a Script stands. For each input there are a fresh file tree and one
// process, whose threads and children take events from the script until it is exhausted; then all end, and
// what they had must be given back.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fuzz {

/// Runs one input and returns when nothing is left of it. Ends the program when something is.
void run(const std::uint8_t* bytes, std::size_t size);

} // namespace fuzz
