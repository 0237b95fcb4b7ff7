// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/abi/dragonfly/registers.hpp"

#include <cstring>

namespace bsd::dragonfly {

void fill_registers(const Lwp& lwp, std::byte* out) {
    const UserContext& c = *lwp.frame;
    RegisterSet r{};
    r.general = get_registers(c);
    r.address = c.fault_address, r.error = c.error;
    r.rip = c.rip, r.cs = user_code_selector, r.rflags = c.rflags, r.rsp = c.rsp, r.ss = user_data_selector;
    std::memcpy(out, &r, sizeof r);
}

SysResult<void> set_registers(Lwp& lwp, const std::byte* in) {
    RegisterSet r;
    std::memcpy(&r, in, sizeof r);
    if (!acceptable(r.rflags, r.cs))
        return Failure(Errno::einval);
    UserContext& c = *lwp.frame;
    bsd::set_registers(c, r.general);
    c.rip = r.rip, c.rsp = r.rsp;
    c.rflags = clean_flags(r.rflags);
    return {};
}

} // namespace bsd::dragonfly
