// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/exec_script.hpp"

#include "lwkt/slab.hpp"

#include <cstring>

namespace bsd {

namespace {

constexpr std::uint64_t longest = 4096; // of what is looked at

struct Line {
    char bytes[longest];
    std::uint64_t length = 0; // of the file, cut
};

constexpr bool is_blank(char c) {
    return c == ' ' || c == '\t';
}
constexpr bool is_end(char c) {
    return c == '\n' || c == '\0';
}

std::uint64_t skip_blanks(const Line& line, std::uint64_t at) {
    while (at < line.length && is_blank(line.bytes[at]))
        at++;
    return at;
}

// The words are put together in place, NUL after each; `size` bytes in all.
struct Words {
    std::uint64_t size = 0;
    std::uint32_t count = 0;
};

// The interpreter and the rest of the line, without blanks around it.
SysResult<Words> freebsd_words(Line& line) {
    std::uint64_t start = skip_blanks(line, 2), stop = start;
    while (stop < line.length && !is_blank(line.bytes[stop]) && !is_end(line.bytes[stop]))
        stop++;
    if (start == stop)
        return Failure(Errno::enoexec);
    std::uint64_t option = skip_blanks(line, stop), end = option;
    while (end < line.length && !is_end(line.bytes[end]))
        end++;
    while (end > option && is_blank(line.bytes[end - 1]))
        end--;
    Words words{stop - start + 1, 1};
    std::memmove(line.bytes, line.bytes + start, stop - start); // at least two bytes to the left
    line.bytes[stop - start] = '\0';
    if (end > option) {
        std::memmove(line.bytes + words.size, line.bytes + option, end - option);
        line.bytes[words.size + (end - option)] = '\0';
        words = {words.size + (end - option) + 1, 2};
    }
    return words;
}

// Words up to the end of the line or a '#'. Each becomes no longer than it was with the blank before it.
SysResult<Words> dragonfly_words(Line& line) {
    Words words;
    std::uint64_t at = 2;
    auto ends = [&] { return at == line.length || is_end(line.bytes[at]) || line.bytes[at] == '#'; };
    for (at = skip_blanks(line, at); !ends(); at = skip_blanks(line, at)) {
        while (!ends() && !is_blank(line.bytes[at]))
            line.bytes[words.size++] = line.bytes[at++];
        line.bytes[words.size++] = '\0';
        words.count++;
    }
    if (words.count == 0)
        return Failure(Errno::enoexec);
    if (at == longest)
        return Failure(Errno::enametoolong);
    return words;
}

} // namespace

bool is_script(const ElfSource& file) {
    char magic[2];
    return file.read(0, magic, sizeof magic) && magic[0] == '#' && magic[1] == '!';
}

SysResult<void> expand_script(const ElfSource& file, AbiKind rules, Text name, ExecStrings& strings,
                              char* interpreter, std::uint64_t capacity) {
    struct Holder {
        Line* line = lwkt::construct<Line>();
        ~Holder() { lwkt::destroy(line); }
    } holder;
    if (!holder.line)
        return Failure(Errno::enomem);
    Line& line = *holder.line;
    line.length = least(file.size(), longest);
    if (!file.read(0, line.bytes, line.length))
        return Failure(Errno::enoexec);
    Words words = TRY(rules == AbiKind::freebsd ? freebsd_words(line) : dragonfly_words(line));
    Text first = text(line.bytes);
    if (first.size >= capacity)
        return Failure(Errno::enametoolong);
    std::memcpy(interpreter, first.data, first.size);
    interpreter[first.size] = '\0';
    return strings.replace_first({line.bytes, words.size}, words.count, name);
}

} // namespace bsd
