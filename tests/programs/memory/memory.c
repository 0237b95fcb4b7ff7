// SPDX-License-Identifier: BSD-2-Clause
// Rules of memory, one topic a run: where programs lie, and what each call of mmap's family does and refuses. Prints what is not as
// it should be, then a verdict; status 1 if there was anything. usage: memory TOPIC
#include "../umtx/threads.h"

#include "../procs/common.h"

#include "calls.h"

#include "layout.h"
#include "mapping.h"

#include "advice.h"
#include "userpages.h"

static const struct {
    const char* name;
    void (*check)(void);
} topics[] = {
    {"layout", check_layout},
    {"mapping", check_mapping},
    {"advice", check_advice},
    {"locking", check_locking},
    {"userpages", check_user_pages},
};

__attribute__((used)) void start(word* stack) {
    const char* what = stack[0] > 1 ? (const char*)stack[2] : "";
    if (same(what, "tell"))
        tell_places(stack), finish(0);
    for (word i = 0; i < sizeof topics / sizeof *topics; i++)
        if (same(what, topics[i].name)) {
            topics[i].check();
            print(failures ? "there are failures\n" : "all as it should be\n");
            finish(failures != 0);
        }
    print("no such topic\n");
    finish(99);
}
