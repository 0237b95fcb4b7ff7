// SPDX-License-Identifier: BSD-2-Clause
// The memory functions that the compiler and the kernel call.
#include <cstddef>
#include <cstdint>

extern "C" {

void* memcpy(void* to, const void* from, std::size_t n) {
    void* result = to;
    std::size_t words = n / 8, rest = n % 8;
    asm volatile("rep movsq; mov %3, %2; rep movsb"
                 : "+D"(to), "+S"(from), "+c"(words)
                 : "r"(rest)
                 : "memory");
    return result;
}

void* memset(void* to, int value, std::size_t n) {
    void* result = to;
    asm volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(value) : "memory");
    return result;
}

int memcmp(const void* a, const void* b, std::size_t n) {
    const auto *x = static_cast<const std::uint8_t*>(a), *y = static_cast<const std::uint8_t*>(b);
    for (; n > 0; --n, ++x, ++y)
        if (*x != *y)
            return *x - *y;
    return 0;
}

char* strncpy(char* to, const char* from, std::size_t n) {
    std::size_t i = 0;
    for (; i < n && from[i]; ++i)
        to[i] = from[i];
    for (; i < n; ++i)
        to[i] = 0;
    return to;
}

} // extern "C"
