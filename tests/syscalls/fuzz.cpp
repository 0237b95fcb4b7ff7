// SPDX-License-Identifier: BSD-2-Clause
// libFuzzer's entry; tests/syscalls/run builds and starts it.
#include "tests/syscalls/world.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    fuzz::run(bytes, size);
    return 0;
}
