# SPDX-License-Identifier: BSD-2-Clause
"""Path lengths of the kernel in instructions: runs kernel-bench as the root task under -icount and prints JSON lines.
seL4's figures are reference constants of QEMU 7.2, without budgets; they were not taken in this run.
usage: run.py BUILD_DIRECTORY"""
import json, pathlib, sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "tests/kernel"))
from boot import boot, counted

build = pathlib.Path(sys.argv[1])
sel4 = {"null_syscall": 83, "ipc_call_cross": 439, "ipc_call_same": 435, "ipc_call_64": 2242, "notify_pingpong": 2041,
        "notify_wake_high": 954, "vcpu_syscall": 1534, "vcpu_pagefault": 2048, "pager_pagefault": 2048, "irq_user": 386}


finished, console = boot(build, "kernel-bench", counted)
figures = {}
for line in console.splitlines():
    words = line.split()
    if len(words) == 2 and words[0] in sel4:
        figures[words[0]] = int(words[1])
if not finished or figures.keys() != sel4.keys():
    sys.exit(f"kernel-bench did not finish:\n{console}")
for name, value in figures.items():
    print(json.dumps({"name": name, "value": value, "unit": "instructions", "peer": sel4[name], "peer_is": "seL4 (reference)"}))
print(json.dumps({"note": "Instructions of one round under QEMU's -icount, user stubs on both sides included; seL4's are reference "
                          "constants of QEMU 7.2.\nNone of it predicts cycles on hardware."}))
