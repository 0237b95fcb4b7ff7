# SPDX-License-Identifier: BSD-2-Clause
"""Boots the kernel in QEMU with one program as its root task and returns what it wrote to the console.
usage: boot.py ELF FILE     makes the boot module alone"""
import pathlib, struct, subprocess, sys, tempfile, threading

plain = ["-accel", "tcg", "-cpu", "max"]
counted = ["-accel", "tcg,thread=single", "-cpu", "max,-erms,-fsrm", "-icount", "shift=0,sleep=off"]


def boot_module(elf: bytes) -> bytes:
    """kernel/abi/boot_module.hpp with a root task and no payload."""
    size = (len(elf) + 4095) // 4096 * 4096
    header = struct.pack("<5Q", 0x31454c4c4542494c, 4096, len(elf), 4096 + size, 0)
    return header.ljust(4096, b"\0") + elf.ljust(size, b"\0")


def run(what, machine, cores, timeout, memory=256):
    """Until QEMU ends, for `timeout` seconds at most (None: as long as it takes), or until the kernel panics."""
    command = ["qemu-system-x86_64", *machine, "-M", "q35", "-smp", str(cores), "-m", str(memory), *what,
               "-display", "none", "-no-reboot", "-serial", "stdio", "-device", "isa-debug-exit,iobase=0xf4"]
    machine = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    late = threading.Event()

    def end():
        late.set()
        machine.kill()
    timer = threading.Timer(timeout, end) if timeout else None
    if timer:
        timer.start()
    console = ""
    for line in machine.stdout:
        console += line.decode(errors="replace")
        if line.startswith(b"Backtrace:"): # the last line of a panic; the machine stands still then
            machine.kill()
    status = machine.wait()
    if timer:
        timer.cancel()
    return status == 1, console + (f"\n(no end after {timeout} s)\n" if late.is_set() else "")


def boot(build: pathlib.Path, program: str, machine=plain, cores=1, timeout=120, arguments="", memory=256, kernel="native/kernel/kernel", devices=()):
    """(finished, console). The program ends by QEMU's exit device; status 1 there means it wrote 0."""
    with tempfile.TemporaryDirectory() as directory:
        module = pathlib.Path(directory) / "module"
        module.write_bytes(boot_module((build / "native/tests" / (program if "/" in program else "kernel/" + program)).read_bytes()))
        return run(["-kernel", build / kernel, "-initrd", module, "-append", arguments, *devices], machine, cores, timeout, memory)


def boot_iso(iso: pathlib.Path, machine=plain, cores=1, timeout=120):
    """The same with an image of scripts/iso."""
    return run(["-cdrom", iso], machine, cores, timeout)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    pathlib.Path(sys.argv[2]).write_bytes(boot_module(pathlib.Path(sys.argv[1]).read_bytes()))
