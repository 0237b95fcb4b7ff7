// SPDX-License-Identifier: BSD-2-Clause
// What the benchmark needs of the platform it runs on: native.cpp or hosted.cpp.
#pragma once

#include <cstdint>
#include <string_view>

namespace bench {

extern const unsigned rounds; // in a batch
void print(std::string_view text);
void print(std::uint64_t value);
void end(); // the last call of main()

void main(void*); // main.cpp; the first LWKT thread

} // namespace bench
