// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/core_name.hpp"

#include "bsd-personality/kern/sysctl.hpp"

namespace bsd {

constinit CoreSettings core_settings;

namespace {

constexpr std::int32_t most_indices = 100'000;

// Appends to a path; what does not fit is noticed.
class Writer {
public:
    explicit Writer(PathBuffer& path) : path_(path) { path.length = 0; }
    void put(char c) {
        if (path_.length + 1 < path_max)
            path_.bytes[path_.length++] = c;
        else
            whole_ = false;
    }
    void put(Text more) {
        for (std::size_t i = 0; i < more.size; i++)
            put(more[i]);
    }
    unsigned put_number(std::uint32_t value) {
        char digits[10];
        unsigned at = sizeof digits;
        do
            digits[--at] = static_cast<char>('0' + value % 10);
        while (value /= 10);
        put({digits + at, sizeof digits - at});
        return sizeof digits - at;
    }
    bool finish() {
        path_.bytes[path_.length] = '\0';
        return whole_ && path_.length != 0;
    }

private:
    PathBuffer& path_;
    bool whole_ = true;
};

} // namespace

void CoreName::set_index(unsigned index) {
    for (unsigned i = index_digits; i-- != 0; index /= 10)
        path.bytes[index_at + i] = static_cast<char>('0' + index % 10);
}

SysResult<void> expand_core_name(const Proc& proc, int signal, CoreName& to) {
    Writer writer(to.path);
    to.index_digits = 0;
    for (const char* at = core_settings.pattern; *at; at++) {
        if (*at != '%') {
            writer.put(*at);
            continue;
        }
        if (*++at == '\0')
            break;
        switch (*at) {
        case '%':
            writer.put('%');
            break;
        case 'N':
            writer.put(text(proc.command));
            break;
        case 'P':
            writer.put_number(static_cast<std::uint32_t>(proc.pid));
            break;
        case 'U':
            writer.put_number(proc.cred->uid);
            break;
        case 'H':
            writer.put(text(current_host_name()));
            break;
        case 'S':
            writer.put_number(static_cast<std::uint32_t>(signal));
            break;
        case 'I':
            if (to.index_digits) { // only the first one counts
                writer.put(Text("%I"));
                break;
            }
            to.index_at = to.path.length;
            to.index_digits = writer.put_number(static_cast<std::uint32_t>(core_settings.indices - 1));
            break;
        default:
            break; // an unknown letter stands for nothing
        }
    }
    if (!writer.finish())
        return Failure(Errno::enametoolong);
    return {};
}

namespace {

SysResult<void> flag(SysctlRequest& request, bool& value) {
    TRY(request.put_value(std::int32_t{value}));
    if (!request.has_new())
        return {};
    std::int32_t wanted;
    TRY(request.take(&wanted, sizeof wanted));
    value = wanted != 0;
    return {};
}

} // namespace

SysResult<void> sysctl_core_enabled(SysctlRequest& request) {
    return flag(request, core_settings.enabled);
}

SysResult<void> sysctl_core_set_id(SysctlRequest& request) {
    return flag(request, core_settings.set_id);
}

SysResult<void> sysctl_core_indices(SysctlRequest& request) {
    TRY(request.put_value(core_settings.indices));
    if (!request.has_new())
        return {};
    std::int32_t wanted;
    TRY(request.take(&wanted, sizeof wanted));
    core_settings.indices = most(1, least(wanted, most_indices));
    return {};
}

SysResult<void> sysctl_core_pattern(SysctlRequest& request) {
    TRY(request.put_text(text(core_settings.pattern)));
    if (!request.has_new())
        return {};
    PathBuffer wanted;
    std::uint64_t length = TRY(request.take(wanted.bytes, path_max - 1, true));
    wanted.bytes[length] = '\0';
    __builtin_memcpy(core_settings.pattern, wanted.bytes, length + 1);
    return {};
}

} // namespace bsd
