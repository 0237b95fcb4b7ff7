// SPDX-License-Identifier: BSD-2-Clause
// sigfastblock (FreeBSD): a thread tells where the word lies by which it blocks its signals, and asks for
// those that were held up.
#include "bsd-personality/kern/proc.hpp"
#include "bsd-personality/vm/usermem.hpp"

namespace bsd {

// sigfastblock(command, pointer). Errors: EBUSY (there is a word; it still blocks), EINVAL, EFAULT.
SysResult<Return> sys_sigfastblock(Lwp& lwp, const SystemCall& call) {
    enum : int { set_pointer = 1, unblock = 2, unset_pointer = 3 };
    VmSpace& space = *lwp.proc.vmspace;
    const int command = call.integer(0);
    const bool known = lwp.fast_block != no_fast_block;
    if (command == set_pointer) {
        if (known)
            return Failure(Errno::ebusy);
        if (call.word(1) % sizeof(std::uint32_t) != 0)
            return Failure(Errno::einval);
        lwp.fast_block = call.word(1);
        return Return(0);
    }
    if (!known || (command != unblock && command != unset_pointer))
        return Failure(Errno::einval);
    UserAddress word{lwp.fast_block};
    if (command == unblock) {
        auto seen = user_exchange32(space, word, fast_block_pending, 0);
        if (!seen) {
            lwp.fast_block = no_fast_block;
            return Failure(Errno::efault);
        }
        if (seen.value() != fast_block_pending)
            return Failure(Errno::ebusy);
    } else {
        auto seen = user_load32(space, word);
        if (seen && (seen.value() & ~std::uint32_t{fast_block_pending}) != 0)
            return Failure(Errno::ebusy);
        lwp.fast_block = no_fast_block;
        if (!seen)
            return Failure(Errno::efault);
    }
    set_signal_mask(lwp, lwp.mask); // notices what can be delivered now
    return Return(0);
}

} // namespace bsd
