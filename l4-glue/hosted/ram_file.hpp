// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>

namespace glue::hosted {

// A new file of `size` zero bytes that has no name; -1 when the host has no memory for it. Before there are
// threads.
int make_ram_file(std::uint64_t size);

} // namespace glue::hosted
