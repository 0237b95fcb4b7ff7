// SPDX-License-Identifier: BSD-2-Clause
#include "l4-glue/hosted/method.hpp"

#include "l4-glue/hosted/traced.hpp"
#include "l4-glue/hosted/zygote.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace glue::hosted {

namespace {

// Where something below us listens already, or a policy is in the way, only trying tells. A filter is for
// ever: a thread of its own, which ends before we go on, gets it.
int try_listener(void* granted) {
    sock_filter allow{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
    sock_fprog program{1, &allow};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    auto listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    *static_cast<bool*>(granted) = listener >= 0;
    if (listener >= 0)
        close(static_cast<int>(listener));
    return 0;
}

bool has_listeners() {
    bool granted = false;
    alignas(16) static char stack[64 << 10];
    int child = clone(try_listener, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &granted);
    if (child > 0)
        waitpid(child, nullptr, 0);
    return granted;
}

// What the host lacks for processes with an agent, or null.
const char* missing_for_agents() {
    constexpr unsigned long fsgsbase = 2; // HWCAP2_FSGSBASE, since Linux 5.9
    if ((getauxval(AT_HWCAP2) & fsgsbase) == 0)
        return "segment bases that programs may set (FSGSBASE)";
    if (!has_listeners())
        return "seccomp user notification";
    return nullptr;
}

} // namespace

const char* choose_method(Method& method) {
    static char line[256];
    const char* wish = std::getenv("LIBELLE_HOSTED");
    if (wish && std::strcmp(wish, "ptrace") != 0)
        return "LIBELLE_HOSTED: known is ptrace";
    const char* missing = wish ? nullptr : missing_for_agents();
    method = wish || missing ? Method::ptrace : Method::agent;
    if (method == Method::agent)
        return nullptr;
    if (const char* reason = cannot_trace(zygote.pid())) {
        std::snprintf(line, sizeof line, "this host %s%s%s%s", missing ? "has no " : "",
                      missing ? missing : "", missing ? ", and " : "", reason);
        return line;
    }
    if (missing)
        std::fprintf(stderr, "libelle: %s: this host has no %s; processes run by ptrace, slower\n",
                     start_information.name, missing);
    return nullptr;
}

} // namespace glue::hosted
