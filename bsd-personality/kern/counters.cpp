// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/counters.hpp"

#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/kern/jail.hpp"
#include "glue/console.hpp"

#include <cstdarg>

namespace bsd {

namespace {

struct UnknownCall {
    const char* name; // of a table: lives for ever; null: a number outside the tables
    std::uint32_t number;
    std::uint32_t count;
};
constexpr unsigned most_unknown = 64;
UnknownCall unknown[most_unknown]; // guarded by giant
unsigned unknown_count = 0;

void put_decimal(std::int64_t value) {
    if (value < 0)
        glue::Console::write("-");
    glue::Console::write_decimal(static_cast<std::uint64_t>(value < 0 ? -value : value));
}

const char* decimal(std::uint32_t value, char (&buffer)[12]) {
    unsigned at = sizeof buffer - 1;
    buffer[at] = '\0';
    do
        buffer[--at] = static_cast<char>('0' + value % 10);
    while (value /= 10);
    return buffer + at;
}

} // namespace

void console_print(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    for (const char* at = format; *at; at++) {
        if (*at != '%') {
            glue::Console::write({at, 1});
            continue;
        }
        switch (*++at) {
        case 's': {
            const char* string = va_arg(arguments, const char*);
            Text view = text(string ? string : "(null)");
            glue::Console::write({view.data, view.size});
            break;
        }
        case 'd':
            put_decimal(va_arg(arguments, std::int64_t));
            break;
        case 'x':
            glue::Console::write_hex(va_arg(arguments, std::uint64_t));
            break;
        default:
            break;
        }
    }
    va_end(arguments);
}

void count_unknown_call(const Lwp& lwp, std::uint32_t number, const char* name) {
    if (jail.status)
        jail.status->unknown_calls++;
    for (unsigned i = 0; i < unknown_count; i++)
        if (unknown[i].number == number && unknown[i].name == name) {
            unknown[i].count++;
            return;
        }
    if (unknown_count == most_unknown)
        return;
    unknown[unknown_count++] = {name, number, 1};
    char digits[12];
    note(lwp.proc.command, ": missing system call ", name ? name : decimal(number, digits));
}

void note_out_of_memory(const Lwp& lwp) {
    note(lwp.proc.command, ": killed, the jail's memory is exhausted");
}

} // namespace bsd
