// SPDX-License-Identifier: BSD-2-Clause
// __sysctl, __sysctlbyname, getrandom.
#include "bsd-personality/kern/sysctl.hpp"
#include "bsd-personality/kern/ktrace.hpp"

#include "bsd-personality/kern/random.hpp"
#include "bsd-personality/sys/file_arguments.hpp"

namespace bsd {

namespace {

// *oldlenp is written also when the buffer was too short, which is ENOMEM with the part copied.
SysResult<Return> answer(Lwp& lwp, const SysctlNode* node, const std::int32_t* mib, unsigned depth,
                         UserAddress old_value, UserAddress old_length, UserAddress new_value,
                         std::uint64_t new_size) {
    if (!node)
        return Failure(Errno::enoent);
    VmSpace& space = *lwp.proc.vmspace;
    std::uint64_t capacity = 0;
    if (old_length.value != 0)
        capacity = TRY(copyin<std::uint64_t>(space, old_length));
    if (ktrace_wants(lwp, Ktr::sysctl))
        ktrace_write(lwp, Ktr::sysctl, {node->name, text(node->name).size});
    SysctlRequest request(lwp, old_value, capacity, new_value, new_size);
    TRY(ask_sysctl(*node, mib, depth, request));
    if (old_length.value != 0)
        TRY(copyout(space, old_length, request.length()));
    if (request.too_short())
        return Failure(Errno::enomem);
    return Return();
}

} // namespace

SysResult<Return> sys_sysctl(Lwp& lwp, const SystemCall& call) {
    std::uint32_t depth = call.natural(1);
    if (depth < 2 || depth > sysctl_depth)
        return Failure(Errno::einval);
    std::int32_t mib[sysctl_depth];
    TRY(copyin(*lwp.proc.vmspace, call.address(0), mib, depth * sizeof mib[0]));
    return answer(lwp, find_sysctl(lwp.proc.abi->kind, mib, depth), mib, depth, call.address(2),
                  call.address(3), call.address(4), call.word(5));
}

SysResult<Return> sys_sysctlbyname(Lwp& lwp, const SystemCall& call) {
    char name[256];
    std::uint64_t length = call.word(1);
    if (length >= sizeof name || length == 0)
        return Failure(length == 0 ? Errno::enoent : Errno::enametoolong);
    TRY(copyin(*lwp.proc.vmspace, call.address(0), name, length));
    if (name[length - 1] == '\0')
        length--;
    const SysctlNode* node = find_sysctl(lwp.proc.abi->kind, Text(name, length));
    if (!node)
        return Failure(Errno::enoent);
    return answer(lwp, node, node->number, node->depth, call.address(2), call.address(3), call.address(4),
                  call.word(5));
}

SysResult<Return> sys_getrandom(Lwp& lwp, const SystemCall& call) {
    constexpr std::uint32_t known_flags = 7; // nonblock, random, insecure: the generator is always seeded
    if (call.natural(2) & ~known_flags || call.word(1) > 0x7fff'ffff)
        return Failure(Errno::einval);
    std::uint64_t length = call.word(1), done = 0;
    std::byte chunk[256];
    while (done < length) {
        std::uint64_t count = least<std::uint64_t>(length - done, sizeof chunk);
        random_source.fill(chunk, count);
        TRY(copyout(*lwp.proc.vmspace, chunk, UserAddress{call.word(0) + done}, count));
        done += count;
    }
    return Return(done);
}

} // namespace bsd
