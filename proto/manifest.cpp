// SPDX-License-Identifier: BSD-2-Clause
#include "proto/manifest.hpp"

#include "proto/text.hpp"

namespace proto {

const char* abi_name(Abi abi) {
    return abi == Abi::freebsd ? "freebsd" : "dragonfly";
}

namespace {

/// Names become file names of the control tree.
bool name_allowed(Text name) {
    if (name.empty() || name.size > 31 || name[0] == '.' || name[0] == '-')
        return false;
    for (std::size_t i = 0; i < name.size; i++) {
        const char c = name[i];
        const bool allowed = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                             c == '.' || c == '-' || c == '_';
        if (!allowed)
            return false;
    }
    return true;
}

enum class Section : std::uint8_t { none, box, jail, realtime };

/// Keys that may be there once; a bit each in Parser::seen_.
enum class Key : std::uint8_t {
    seed,
    epoch,
    icount,
    abi,
    image,
    argument,
    environment,
    directory,
    memory,
    cpus,
    cores,
    share,
    trace,
    terminal,
    restart,
    program,
    period,
    budget,
    priority,
    core,
};

struct KeyName {
    Section section;
    Text name;
    Key key;
    bool repeatable;
    bool required;
};

const KeyName key_names[] = {
    {Section::box, "seed", Key::seed, false, false},
    {Section::box, "epoch", Key::epoch, false, false},
    {Section::box, "icount", Key::icount, false, false},
    {Section::jail, "abi", Key::abi, false, true},
    {Section::jail, "image", Key::image, false, true},
    {Section::jail, "argument", Key::argument, true, true},
    {Section::jail, "environment", Key::environment, true, false},
    {Section::jail, "directory", Key::directory, false, false},
    {Section::jail, "memory", Key::memory, false, true},
    {Section::jail, "cpus", Key::cpus, false, false},
    {Section::jail, "cores", Key::cores, false, false},
    {Section::jail, "share", Key::share, false, false},
    {Section::jail, "trace", Key::trace, false, false},
    {Section::jail, "terminal", Key::terminal, false, false},
    {Section::jail, "restart", Key::restart, false, false},
    {Section::realtime, "program", Key::program, false, true},
    {Section::realtime, "period_ns", Key::period, false, true},
    {Section::realtime, "budget_ns", Key::budget, false, true},
    {Section::realtime, "priority", Key::priority, false, false},
    {Section::realtime, "core", Key::core, false, false},
};

class Parser {
public:
    explicit Parser(Manifest& out) : out_(out) {}

    const char* line(char* start, std::size_t size) {
        const Text text = trimmed({start, size});
        if (text.empty() || text[0] == '#')
            return nullptr;
        for (std::size_t i = 0; i < text.size; i++)
            if (text[i] == '\0')
                return "a NUL byte in the text";
        return text[0] == '[' ? header(text) : setting(start + (text.data - start), text.size);
    }

    /// What the section that ends here still lacks.
    const char* end_section() {
        for (const KeyName& known : key_names) {
            if (known.section == section_ && known.required && !(seen_ & bit(known.key))) {
                key = known.name;
                return "required key is missing";
            }
        }
        if (section_ == Section::jail) {
            const JailManifest& jail = out_.jails[out_.jail_count - 1];
            key = "cores";
            if (jail.core_count != 0 && jail.core_count != jail.cpus)
                return "the number of cores differs from cpus";
        }
        if (section_ == Section::realtime) {
            const RealtimeManifest& task = out_.tasks[out_.task_count - 1];
            key = "budget_ns";
            if (task.budget_ns > task.period_ns)
                return "the budget is larger than the period";
        }
        return nullptr;
    }

    Text key{}; ///< what the last error is about

private:
    static std::uint32_t bit(Key key) { return 1U << static_cast<unsigned>(key); }

    const char* header(Text text) {
        key = text;
        if (text[text.size - 1] != ']')
            return "a section header ends with ]";
        if (const char* reason = end_section())
            return reason;
        key = text;
        seen_ = 0;
        const Text inside = trimmed({text.data + 1, text.size - 2});
        if (inside == Text("box")) {
            if (box_seen_)
                return "a second [box]";
            box_seen_ = true;
            section_ = Section::box;
            return nullptr;
        }
        if (inside.starts_with("jail "))
            return begin_jail(trimmed({inside.data + 5, inside.size - 5}));
        if (inside.starts_with("realtime "))
            return begin_task(trimmed({inside.data + 9, inside.size - 9}));
        return "unknown section (known: box, jail NAME, realtime NAME)";
    }

    const char* begin_jail(Text name) {
        if (!name_allowed(name))
            return "a jail's name is 1 to 31 letters, digits, '.', '-' or '_'";
        if (out_.jail_count == manifest_max_jails)
            return "too many jails";
        for (std::uint32_t i = 0; i < out_.jail_count; i++)
            if (out_.jails[i].name == name)
                return "two jails of the same name";
        JailManifest& jail = out_.jails[out_.jail_count++];
        jail = JailManifest{};
        jail.name = name;
        jail.first_argument = out_.argument_count;
        jail.first_environment = out_.environment_count;
        section_ = Section::jail;
        return nullptr;
    }

    const char* begin_task(Text name) {
        if (!name_allowed(name))
            return "a task's name is 1 to 31 letters, digits, '.', '-' or '_'";
        if (out_.task_count == manifest_max_tasks)
            return "too many realtime tasks";
        for (std::uint32_t i = 0; i < out_.task_count; i++)
            if (out_.tasks[i].name == name)
                return "two realtime tasks of the same name";
        out_.tasks[out_.task_count] = RealtimeManifest{};
        out_.tasks[out_.task_count++].name = name;
        section_ = Section::realtime;
        return nullptr;
    }

    const char* setting(char* start, std::size_t size) {
        std::size_t equals = 0;
        while (equals < size && start[equals] != '=')
            equals++;
        key = trimmed({start, equals});
        if (equals == size)
            return "expected key = value";
        const KeyName* known = nullptr;
        for (const KeyName& candidate : key_names)
            if (candidate.section == section_ && candidate.name == key)
                known = &candidate;
        if (known == nullptr)
            return section_ == Section::none ? "a setting before the first section" : "unknown key";
        if (!known->repeatable && (seen_ & bit(known->key)))
            return "key is there twice";
        seen_ |= bit(known->key);
        Text value = trimmed({start + equals + 1, size - equals - 1});
        if (!value.empty() && value[0] == '"')
            if (const char* reason = unquote(start + (value.data - start), value.size, value))
                return reason;
        for (std::size_t i = 0; i < value.size; i++)
            if (value[i] == '\0')
                return "a NUL byte in the value";
        switch (section_) {
        case Section::box:
            return box_value(known->key, value);
        case Section::jail:
            return jail_value(known->key, value, out_.jails[out_.jail_count - 1]);
        case Section::realtime:
            return task_value(known->key, value, out_.tasks[out_.task_count - 1]);
        case Section::none:
            break;
        }
        return "a setting before the first section";
    }

    const char* box_value(Key which, Text value) {
        if (which == Key::epoch) {
            out_.has_epoch = true;
            return parse_number(value, out_.epoch_ns) ? nullptr : "not a number of nanoseconds";
        }
        if (which == Key::icount) {
            out_.icount = value == Text("yes");
            return out_.icount || value == Text("no") ? nullptr : "yes or no";
        }
        if (value.size < 64 || value.size > 2 * manifest_max_seed || value.size % 2 != 0)
            return "64 to 256 hexadecimal digits";
        for (std::size_t i = 0; i < value.size; i += 2) {
            const int high = hex_digit(value[i]);
            const int low = hex_digit(value[i + 1]);
            if (high < 0 || low < 0)
                return "64 to 256 hexadecimal digits";
            out_.seed[i / 2] = static_cast<std::uint8_t>(high * 16 + low);
        }
        out_.seed_size = static_cast<std::uint32_t>(value.size / 2);
        return nullptr;
    }

    const char* jail_value(Key which, Text value, JailManifest& jail) {
        std::uint64_t number = 0;
        switch (which) {
        case Key::abi:
            jail.abi = value == Text("dragonfly") ? Abi::dragonfly : Abi::freebsd;
            return value == Text(abi_name(jail.abi), __builtin_strlen(abi_name(jail.abi)))
                       ? nullptr
                       : "unknown ABI (known: freebsd, dragonfly)";
        case Key::image:
            jail.image = value;
            return name_allowed(value) ? nullptr : "not an image's name";
        case Key::argument:
            if (out_.argument_count == manifest_max_texts)
                return "too many arguments";
            out_.arguments[out_.argument_count++] = value;
            jail.argument_count++;
            return nullptr;
        case Key::environment:
            if (out_.environment_count == manifest_max_texts)
                return "too many environment strings";
            out_.environment[out_.environment_count++] = value;
            jail.environment_count++;
            return nullptr;
        case Key::directory:
            jail.directory = value;
            return !value.empty() && value[0] == '/' && value.size < 1024 ? nullptr : "not an absolute path";
        case Key::memory:
            if (!parse_number_between(value, 0, manifest_max_memory, jail.memory))
                return "not a number of bytes up to 1 TiB";
            return jail.memory >= manifest_min_memory ? nullptr
                                                      : "too small: a jail needs at least 8388608 bytes";
        case Key::cpus:
            if (!parse_number_between(value, 1, manifest_max_cpus, number))
                return "not a number from 1 to 16";
            jail.cpus = static_cast<std::uint32_t>(number);
            return nullptr;
        case Key::cores:
            return core_list(value, jail);
        case Key::trace:
            jail.trace = value == Text("yes");
            return jail.trace || value == Text("no") ? nullptr : "yes or no";
        case Key::share:
            if (!parse_number_between(value, 1, 100 * manifest_max_cpus, number))
                return "not a percentage from 1 to 1600";
            jail.share = static_cast<std::uint32_t>(number);
            return nullptr;
        case Key::terminal:
            jail.terminal = true;
            return parse_window(value, jail.rows, jail.columns) ? nullptr : "not ROWSxCOLUMNS";
        case Key::restart:
            return value == Text("never") ? nullptr : "only 'never' is known";
        default:
            return "unknown key";
        }
    }

    static const char* core_list(Text value, JailManifest& jail) {
        std::size_t start = 0;
        for (std::size_t i = 0; i <= value.size; i++) {
            if (i < value.size && value[i] != ',')
                continue;
            std::uint64_t number = 0;
            if (!parse_number_between(trimmed({value.data + start, i - start}), 0, manifest_max_cpus - 1,
                                      number))
                return "not a list of core numbers from 0 to 15";
            if (jail.core_count == manifest_max_cpus)
                return "too many cores";
            jail.cores[jail.core_count++] = static_cast<std::uint8_t>(number);
            start = i + 1;
        }
        return nullptr;
    }

    static const char* task_value(Key which, Text value, RealtimeManifest& task) {
        std::uint64_t number = 0;
        switch (which) {
        case Key::program:
            task.program = value;
            return name_allowed(value) ? nullptr : "not a program's name";
        case Key::period:
            // A second at most: the task's histogram counts in nanoseconds of one period.
            return parse_number_between(value, 10'000, 1'000'000'000, task.period_ns)
                       ? nullptr
                       : "not a number of nanoseconds from 10000 to 1000000000";
        case Key::budget:
            return parse_number_between(value, 1'000, 1'000'000'000, task.budget_ns)
                       ? nullptr
                       : "not a number of nanoseconds from 1000 to 1000000000";
        case Key::priority:
            if (!parse_number_between(value, 1, 255, number))
                return "not a number from 1 to 255";
            task.priority = static_cast<std::uint32_t>(number);
            return nullptr;
        case Key::core:
            if (!parse_number_between(value, 0, manifest_max_cpus - 1, number))
                return "not a core number from 0 to 15";
            task.core = static_cast<std::uint32_t>(number);
            return nullptr;
        default:
            return "unknown key";
        }
    }

    Manifest& out_;
    Section section_ = Section::none;
    std::uint32_t seen_ = 0;
    bool box_seen_ = false;
};

} // namespace

bool parse_window(Text text, std::uint16_t& rows, std::uint16_t& columns) {
    std::size_t cross = 0;
    while (cross < text.size && text[cross] != 'x')
        cross++;
    std::uint64_t first = 0, second = 0;
    if (cross == text.size || !parse_number_between({text.data, cross}, 0, 0xffff, first) ||
        !parse_number_between({text.data + cross + 1, text.size - cross - 1}, 0, 0xffff, second))
        return false;
    rows = static_cast<std::uint16_t>(first);
    columns = static_cast<std::uint16_t>(second);
    return true;
}

ManifestError parse_manifest(char* text, std::size_t size, Manifest& out) {
    // The tables need no clearing: what lies beyond their counts is never read.
    out.seed_size = 0;
    out.has_epoch = false;
    out.epoch_ns = 0;
    out.icount = false;
    out.jail_count = out.task_count = out.argument_count = out.environment_count = 0;
    Parser parser(out);
    std::uint32_t line = 0;
    std::size_t start = 0;
    while (start < size) {
        std::size_t end = start;
        while (end < size && text[end] != '\n')
            end++;
        line++;
        parser.key = Text();
        if (const char* reason = parser.line(text + start, end - start))
            return {line, parser.key, reason};
        start = end + 1;
    }
    if (const char* reason = parser.end_section())
        return {line, parser.key, reason};
    if (out.jail_count == 0)
        return {0, "jail", "no jail"};
    return {};
}

} // namespace proto
