# SPDX-License-Identifier: BSD-2-Clause
"""Path lengths of the kernel in instructions: runs kernel-bench as the root task under -icount and prints JSON lines. A second
run counts what emulation prices at one instruction, a third one measures two cores that have nothing to do with each other.
seL4's figures are reference constants of QEMU 7.2, without budgets; they were not taken in this run.
usage: run.py BUILD_DIRECTORY"""
import json, pathlib, sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "tests/watch"))
from watch import counts_of_rounds
from boot import boot, counted

build = pathlib.Path(sys.argv[1])
sel4 = {"null_syscall": 83, "ipc_call_cross": 439, "ipc_call_same": 435, "ipc_call_64": 2242, "notify_pingpong": 2041,
        "notify_wake_high": 954, "vcpu_syscall": 1534, "vcpu_pagefault": 2048, "pager_pagefault": 2048, "irq_user": 386}


finished, console = boot(build, "kernel-bench", [*counted, "-rtc", "clock=vm"]) # the clock that interrupts, too
figures = {}
for line in console.splitlines():
    words = line.split()
    if len(words) == 2 and words[0] in sel4:
        figures[words[0]] = int(words[1])
if not finished or figures.keys() != sel4.keys():
    sys.exit(f"kernel-bench did not finish:\n{console}")
counts, console = counts_of_rounds(build)
if counts.keys() != figures.keys():
    sys.exit(f"kernel-bench did not finish while it was watched:\n{console}")


def dear(name):
    row = counts[name]
    seen = {event: row[event] for event in ("cr3", "msr", "xsave", "iret")} | {"lapic": sum(row["lapic"].values())}
    return {event: int(count) if count == int(count) else round(count, 2) for event, count in seen.items()}


for name, value in figures.items():
    print(json.dumps({"name": name, "value": value, "unit": "instructions", "peer": sel4[name], "peer_is": "seL4 (reference)",
                      "counts": dear(name)}))

parallel = ["-accel", "tcg,thread=multi", "-cpu", "max"]
finished, console = boot(build, "kernel-bench", parallel, 2)
both = [line.split()[1:] for line in console.splitlines() if line.startswith("cores ")]
if not finished or len(both) != 4:
    sys.exit(f"kernel-bench did not finish on two cores:\n{console}")
for name, one, two in both:
    print(json.dumps({"name": f"{name}_2_cores", "value": int(two), "unit": "rounds/s", "peer": int(one), "peer_is": "one core alone"}))
print(json.dumps({"note": "Two cores against one, in plain emulation with a thread of the host for each core, the best of five: 1.6 or "
                          "better is expected\non a host of two cores that does nothing else; it was not made sure that this one did nothing else."}))
print(json.dumps({"note": "Instructions of one round under QEMU's -icount, user stubs on both sides included; seL4's are reference "
                          "constants of QEMU 7.2.\nBeside them how many of these were writes of CR3 and of MSRs, XSAVE or XRSTOR, IRET, and writes "
                          "to the local APIC.\nNone of it predicts cycles on hardware."}))
