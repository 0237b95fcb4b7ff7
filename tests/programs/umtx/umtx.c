// SPDX-License-Identifier: BSD-2-Clause
// The rules of _umtx_op (FreeBSD) or of umtx_sleep and umtx_wakeup (DragonFly), one by one, as libthr and libthread_xu rely on them.
// Prints what is not as it should be, then how many operations were looked at; status 1 if there was anything.
#include "threads.h"

#if defined(OS_FREEBSD)
#include "freebsd.h"
#else
#include "dragonfly.h"
#endif

__attribute__((used)) void start(word* stack) {
    (void)stack;
    check_all();
    print(failures ? "there are failures\n" : "all as it should be\n");
    finish(failures != 0);
}
