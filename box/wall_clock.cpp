// SPDX-License-Identifier: BSD-2-Clause
#include "box/wall_clock.hpp"

namespace box {

namespace {

std::uint32_t cmos(const glue::IoPort& port, std::uint8_t which) {
    port.out(0x70, which);
    return port.in(0x71);
}

std::uint32_t from_bcd(std::uint32_t value) {
    return (value >> 4) * 10 + (value & 15);
}

/// Days from 1970-01-01 to a date of the Gregorian calendar.
std::uint64_t days_until(std::uint32_t year, std::uint32_t month, std::uint32_t day) {
    static const std::uint16_t before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    const auto leap = [](std::uint32_t y) { return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0; };
    std::uint64_t days = before[month - 1] + day - 1 + (month > 2 && leap(year) ? 1 : 0);
    for (std::uint32_t y = 1970; y < year; y++)
        days += leap(y) ? 366 : 365;
    return days;
}

} // namespace

std::uint64_t read_cmos_clock(const glue::IoPort& port) {
    static const std::uint8_t registers[] = {0x00, 0x02, 0x04,
                                             0x07, 0x08, 0x09}; // s, min, h, day, month, year
    std::uint32_t now[6] = {};
    std::uint32_t last[6] = {1};
    // Twice the same: no update ran through it.
    for (int tries = 0; tries < 1000 && __builtin_memcmp(now, last, sizeof now) != 0; tries++) {
        __builtin_memcpy(last, now, sizeof now);
        for (int i = 0; i < 6; i++)
            now[i] = cmos(port, registers[i]);
    }
    if (!(cmos(port, 0x0b) & 4))
        for (std::uint32_t& value : now)
            value = from_bcd(value);
    if (now[0] > 59 || now[1] > 59 || now[2] > 23 || now[3] < 1 || now[3] > 31 || now[4] < 1 || now[4] > 12 ||
        now[5] > 99)
        return 0;
    const std::uint64_t seconds =
        days_until(2000 + now[5], now[4], now[3]) * 86400 + now[2] * 3600 + now[1] * 60 + now[0];
    return seconds * 1'000'000'000;
}

} // namespace box
