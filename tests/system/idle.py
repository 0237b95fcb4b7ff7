# SPDX-License-Identifier: BSD-2-Clause
"""What idle processes cost: no instruction, and little memory. In instructions (--icount), where waiting takes no time."""
import re
import subprocess
import tempfile

from box import ROOT, native_only, run


def plugin():
    """executed.cpp, compiled for QEMU."""
    source, made = ROOT / "tests/system/executed.cpp", ROOT / "build/executed.so"
    if not made.exists() or made.stat().st_mtime < source.stat().st_mtime:
        subprocess.run(["g++", "-std=c++20", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", made, source], check=True)
    return made


def executed(os_name, *command):
    """Instructions and halts of the machine in a whole run of a jail."""
    with tempfile.NamedTemporaryFile() as counts:
        done = run(os_name, *command, options=["--icount", "--qemu=-plugin", f"--qemu={plugin()},counts={counts.name}"])
        assert done.returncode == 0 and b"64 idle processes" in done.stdout, done
        return [int.from_bytes(counts.read(8), "little") for _ in range(2)]


@native_only
def test_idle_processes_cost_no_time():
    """64 processes idle for two hours instead of a second. The one who waits has a timer, and the local APIC's counter of 32 bits
    needs a new start every 4.3 s on the way to it: nothing else wakes up, not even every ten seconds. How long the start takes
    varies by some hundred halts and millions of instructions with the serial line."""
    seconds = 7200
    for os_name in ("freebsd", "dragonfly"):
        short, long = (executed(os_name, "/bin/idle", "64", str(wait)) for wait in (1, seconds))
        instructions, halts = long[0] - short[0], long[1] - short[1]
        assert halts < seconds / 4.29 + 600 and instructions < halts * 1200 + 10_000_000, \
            f"{os_name}: {instructions} instructions, {halts} halts in two hours"


@native_only
def test_memory_of_an_idle_process():
    """At most 64 KiB for a Go program that does nothing, beyond its own pages."""
    for os_name in ("freebsd", "dragonfly"):
        done = run(os_name, "/bin/crowd", "64", options=["--icount", "--memory", "512M"])
        numbers = re.fullmatch(rb"running: wired (\d+) kernel (\d+)\nat rest: wired (\d+) kernel (\d+)\n", done.stdout)
        assert done.returncode == 0 and numbers, done
        running, at_rest = (int(numbers[i]) + int(numbers[i + 1]) for i in (1, 3))
        assert at_rest <= 64 << 10 and running <= 160 << 10, f"{os_name}: {running} bytes running, {at_rest} at rest"
