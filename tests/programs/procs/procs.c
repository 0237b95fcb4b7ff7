// SPDX-License-Identifier: BSD-2-Clause
// Rules of processes, one topic a run: what a program without a library sees of them. Prints what is not as it should be, then a
// verdict; status 1 if there was anything. usage: procs TOPIC
#include "../umtx/threads.h"

#include "common.h"

#include "forks.h"
#include "limits.h"
#include "scripts.h"

#include "ids.h"
#if defined(OS_FREEBSD)
#include "descriptors.h"
#include "fastblock.h"
#include "lending.h"
#include "sharedmemory.h"
#endif

static const struct {
    const char* name;
    void (*check)(void);
} topics[] = {
#if defined(OS_FREEBSD)
    {"descriptors", check_descriptors}, {"fastblock", check_fastblock}, {"barriers", check_barriers},
    {"lending", check_lending},
    {"shm", check_shared_memory},       {"seals", check_seals},         {"pages", check_pages},
#endif
    {"forks", check_forks},             {"scripts", check_scripts},
    {"limits", check_limits},           {"usage", check_usage},         {"ids", check_ids},
};

__attribute__((used)) void start(word* stack) {
    const char* what = stack[0] > 1 ? (const char*)stack[2] : "";
    if (*what == '/' || (what[0] == 's' && what[1] == 'a' && what[2] == 'y')) { // as an interpreter: what it was given
        for (word i = 2; i <= stack[0]; i++)
            print((const char*)stack[i]), print("\n");
        finish(0);
    }
    if (same(what, "whoami"))
        tell_ids(), finish(0);
    for (word i = 0; i < sizeof topics / sizeof *topics; i++)
        if (same(what, topics[i].name)) {
            topics[i].check();
            print(failures ? "there are failures\n" : "all as it should be\n");
            finish(failures != 0);
        }
    print("no such topic\n");
    finish(99);
}
