// SPDX-License-Identifier: BSD-2-Clause
// The sysctl nodes about how programs' memory is laid out.
#include "bsd-personality/kern/sysctl.hpp"

namespace bsd {

namespace {

using Request = SysctlRequest;

// A flag that the superuser may set, to 0 or 1.
SysResult<void> flag(Request& request, bool& value) {
    TRY(request.put_value(std::int32_t{value}));
    if (!request.has_new())
        return {};
    std::int32_t wanted = 0;
    TRY(request.take(&wanted, sizeof wanted));
    value = wanted != 0;
    return {};
}

} // namespace

SysResult<void> sysctl_aslr(Request& request) {
    return flag(request, memory_settings.aslr);
}
SysResult<void> sysctl_aslr_pie(Request& request) {
    return flag(request, memory_settings.aslr_of_pie);
}
SysResult<void> sysctl_aslr_stack(Request& request) {
    return flag(request, memory_settings.aslr_of_stack);
}
SysResult<void> sysctl_aslr_shared_page(Request& request) {
    return flag(request, memory_settings.aslr_of_shared_page);
}
SysResult<void> sysctl_honor_break(Request& request) {
    return flag(request, memory_settings.honor_break);
}
SysResult<void> sysctl_imply_maximum(Request& request) {
    return flag(request, memory_settings.imply_maximum);
}
SysResult<void> sysctl_random_mmap(Request& request) {
    return flag(request, memory_settings.random_mmap);
}

// A power of two up to 64 KiB, 0, or less for a gap that is always the same.
SysResult<void> sysctl_stack_gap(Request& request) {
    constexpr std::int32_t most_gap = 65536;
    TRY(request.put_value(memory_settings.stack_gap));
    if (!request.has_new())
        return {};
    std::int32_t wanted = 0;
    TRY(request.take(&wanted, sizeof wanted));
    if (wanted > most_gap || wanted < -most_gap || (wanted > 0 && (wanted & (wanted - 1)) != 0))
        return Failure(Errno::einval);
    memory_settings.stack_gap = wanted;
    return {};
}

SysResult<void> sysctl_stack_base(Request& request) {
    return request.put_value(request.lwp.proc.user_stack);
}
SysResult<void> sysctl_process_strings(Request& request) {
    return request.put_value(request.lwp.proc.ps_strings);
}
SysResult<void> sysctl_stack_top(Request& request) {
    constexpr std::uint64_t size_of_strings = 32; // struct ps_strings, which begins the stack
    return request.put_value(request.lwp.proc.ps_strings + size_of_strings);
}

} // namespace bsd
