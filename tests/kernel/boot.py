# SPDX-License-Identifier: BSD-2-Clause
"""Boots the kernel in QEMU with one program as its root task and returns what it wrote to the console.
usage: boot.py ELF FILE     makes the boot module alone"""
import pathlib, struct, subprocess, sys, tempfile

plain = ["-accel", "tcg", "-cpu", "max"]
counted = ["-accel", "tcg,thread=single", "-cpu", "max,-erms,-fsrm", "-icount", "shift=0,sleep=off"]


def boot_module(elf: bytes) -> bytes:
    """kernel/abi/boot_module.hpp with a root task and no payload."""
    size = (len(elf) + 4095) // 4096 * 4096
    header = struct.pack("<5Q", 0x31454c4c4542494c, 4096, len(elf), 4096 + size, 0)
    return header.ljust(4096, b"\0") + elf.ljust(size, b"\0")


def run(what, machine, cores, timeout):
    command = ["qemu-system-x86_64", *machine, "-M", "q35", "-smp", str(cores), "-m", "256", *what,
               "-display", "none", "-no-reboot", "-serial", "stdio", "-device", "isa-debug-exit,iobase=0xf4"]
    try:
        result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired as late:
        return False, (late.stdout or b"").decode(errors="replace") + f"\n(no end after {timeout} s)"
    return result.returncode == 1, result.stdout + result.stderr


def boot(build: pathlib.Path, program: str, machine=plain, cores=1, timeout=120, arguments=""):
    """(finished, console). The program ends by QEMU's exit device; status 1 there means it wrote 0."""
    with tempfile.TemporaryDirectory() as directory:
        module = pathlib.Path(directory) / "module"
        module.write_bytes(boot_module((build / "native/tests/kernel" / program).read_bytes()))
        return run(["-kernel", build / "native/kernel/kernel", "-initrd", module, "-append", arguments], machine, cores, timeout)


def boot_iso(iso: pathlib.Path, machine=plain, cores=1, timeout=120):
    """The same with an image of scripts/iso."""
    return run(["-cdrom", iso], machine, cores, timeout)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    pathlib.Path(sys.argv[2]).write_bytes(boot_module(pathlib.Path(sys.argv[1]).read_bytes()))
