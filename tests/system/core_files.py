# SPDX-License-Identifier: BSD-2-Clause
"""Core files: what a jail's processes find of them, and what debuggers on this host read in them."""
import pathlib
import re
import shutil
import struct
import subprocess
import tempfile

from box import ROOT, run

SYSTEMS = ("freebsd", "dragonfly")
REGISTERS = {"freebsd": "r15 r14 r13 r12 r11 r10 r9 r8 rdi rsi rbp rbx rdx rcx rax".split(),
             "dragonfly": "rdi rsi rdx rcx r8 r9 rax rbx rbp r10 r11 r12 r13 r14 r15".split()}
KNOWN = {"rax": 0xdead000, "rbx": 0x101, "rcx": 0x102, "rdx": 0x103, "rsi": 0x104, "rdi": 0x105, "rbp": 0x106, "r8": 0x108, "r9": 0x109,
         "r10": 0x10a, "r11": 0x10b, "r12": 0x10c, "r13": 0x10d, "r14": 0x10e, "r15": 0x10f}
MARKER = 0x1122334455667788


def test_core_files():
    """Where they are written, where not, and what is in them; the same on both platforms."""
    for os_name in SYSTEMS:
        done = run(os_name, "/bin/core", "report")
        assert done.returncode == 0 and b"FAILED" not in done.stdout, done


def dumped(os_name, *more):
    done = run(os_name, "/bin/core", "dump", *more)
    assert done.returncode == 0 and done.stdout[:4] == b"\x7fELF", (done.returncode, done.stdout[:300], done.stderr[-500:])
    return done.stdout


def symbols(os_name):
    listed = subprocess.run(["nm", ROOT / f"build/programs/{os_name}/core"], capture_output=True, check=True, text=True).stdout
    return {line.split()[2]: int(line.split()[0], 16) for line in listed.splitlines()}


def program_headers(core):
    start, count = struct.unpack_from("<Q", core, 32)[0], struct.unpack_from("<H", core, 56)[0]
    return [struct.unpack_from("<IIQQQQQQ", core, start + 56 * i) for i in range(count)]


def notes(core):
    kind, _, offset, _, _, size, _, _ = program_headers(core)[0]
    assert kind == 4
    end = offset + size
    while offset < end:
        name_size, length, note_type = struct.unpack_from("<III", core, offset)
        name = core[offset + 12:offset + 12 + name_size].rstrip(b"\0").decode()
        offset += 12 + (name_size + 3 & ~3)
        yield name, note_type, core[offset:offset + length]
        offset += length + 3 & ~3


def word_at(core, address):
    for kind, _, offset, start, _, size, _, _ in program_headers(core):
        if kind == 1 and start <= address < start + size:
            return struct.unpack_from("<Q", core, offset + address - start)[0]
    raise KeyError(hex(address))


def test_layout():
    """Registers and memory, read as each system's headers lay them out."""
    for os_name in SYSTEMS:
        core, names = dumped(os_name), symbols(os_name)
        status = next(body for _, kind, body in notes(core) if kind == 1)
        got = dict(zip(REGISTERS[os_name], struct.unpack_from("<15Q", status, 48)))
        assert got == KNOWN, (os_name, got)
        rip = struct.unpack_from("<Q", status, 48 + (136 if os_name == "freebsd" else 160))[0]
        assert rip == names["at_fault"], hex(rip)
        assert word_at(core, names["marker"]) == MARKER
        listed = subprocess.run(["readelf", "-hlnW", "-"], input=core, capture_output=True)
        if b"Reading from stdin" in listed.stderr or listed.returncode:
            with tempfile.NamedTemporaryFile(prefix="libelle-test-") as file:
                file.write(core)
                file.flush()
                listed = subprocess.run(["readelf", "-hlnW", file.name], capture_output=True)
        assert listed.returncode == 0 and not listed.stderr, listed.stderr
        said = listed.stdout.decode()
        for word in ["CORE (Core file)", "NT_PRPSINFO", "NT_PRSTATUS", "NT_FPREGSET"] + (
                ["NT_PROCSTAT_AUXV", "NT_PROCSTAT_VMMAP", "NT_PTLWPINFO", "NT_X86_XSTATE"] if os_name == "freebsd" else []):
            assert word in said, f"{word} is not in {said}"


def test_debugger():
    """LLDB opens FreeBSD's; no debugger of this host knows DragonFly's."""
    lldb = shutil.which("lldb") or shutil.which("lldb-14")
    assert lldb, "lldb is not there: scripts/deps"
    with tempfile.TemporaryDirectory(prefix="libelle-test-") as directory:
        core = pathlib.Path(directory) / "core.core"
        core.write_bytes(dumped("freebsd", "threads"))
        program = ROOT / "build/programs/freebsd/core"
        asked = ["thread list", "register read --all", "memory read -s8 -fx -c1 &marker"]
        done = subprocess.run([lldb, "--batch", "--no-lldbinit", "-c", core, program, *(word for ask in asked for word in ("-o", ask))],
                              capture_output=True, text=True, timeout=120)
    said = done.stdout
    for name, value in KNOWN.items():
        assert re.search(rf"\b{name} = 0x0*{value:x}\b", said), f"{name} is not {value:#x}: {said[-3000:]} {done.stderr[-500:]}"
    assert len(re.findall(r"^\s*\*? thread #\d", said, re.M)) >= 3, said[:1500]
    assert "at_fault" in said and f"{MARKER:#x}" in said, said[:1500]
    assert re.search(r"xmm7 = \{0x0f 0x01 0x00", said), said[-3000:]
