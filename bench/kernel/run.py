# SPDX-License-Identifier: BSD-2-Clause
"""Path lengths of the kernel in instructions: runs kernel-bench as the root task under -icount and prints JSON lines.
seL4's figures are reference constants of QEMU 7.2, without budgets; they were not taken in this run.
usage: run.py BUILD_DIRECTORY"""
import json, pathlib, struct, subprocess, sys, tempfile

build = pathlib.Path(sys.argv[1])
sel4 = {"null_syscall": 83, "ipc_call_cross": 439, "ipc_call_same": 435, "ipc_call_64": 2242, "notify_pingpong": 2041,
        "notify_wake_high": 954, "vcpu_syscall": 1534, "vcpu_pagefault": 2048, "pager_pagefault": 2048, "irq_user": 386}


def boot_module(elf: bytes) -> bytes:
    """kernel/abi/boot_module.hpp with a root task and no payload."""
    size = (len(elf) + 4095) // 4096 * 4096
    header = struct.pack("<5Q", 0x31454c4c4542494c, 4096, len(elf), 4096 + size, 0)
    return header.ljust(4096, b"\0") + elf.ljust(size, b"\0")


with tempfile.TemporaryDirectory() as directory:
    module = pathlib.Path(directory) / "module"
    module.write_bytes(boot_module((build / "native/tests/kernel/kernel-bench").read_bytes()))
    result = subprocess.run(
        ["qemu-system-x86_64", "-accel", "tcg,thread=single", "-M", "q35", "-cpu", "max,-erms,-fsrm", "-icount",
         "shift=0,sleep=off", "-m", "256", "-kernel", build / "native/kernel/kernel", "-initrd", module, "-display", "none",
         "-no-reboot", "-serial", "stdio", "-device", "isa-debug-exit,iobase=0xf4"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
figures = {}
for line in result.stdout.splitlines():
    words = line.split()
    if len(words) == 2 and words[0] in sel4:
        figures[words[0]] = int(words[1])
if result.returncode != 1 or figures.keys() != sel4.keys():
    sys.exit(f"kernel-bench did not finish (status {result.returncode}):\n{result.stdout}{result.stderr}")
for name, value in figures.items():
    print(json.dumps({"name": name, "value": value, "unit": "instructions", "peer": sel4[name], "peer_is": "seL4 (reference)"}))
print(json.dumps({"note": "Instructions of one round under QEMU's -icount, user stubs on both sides included; seL4's are reference "
                          "constants of QEMU 7.2.\nNone of it predicts cycles on hardware."}))
