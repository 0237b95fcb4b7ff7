# SPDX-License-Identifier: BSD-2-Clause
"""Runs a program on the kernel under watch.cpp, a plugin of QEMU's."""
import json, os, pathlib, re, subprocess, sys, tempfile

here = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(here.parent / "kernel"))
from boot import boot, counted


def nm(program: pathlib.Path, *options):
    return subprocess.run(["nm", *options, program], check=True, capture_output=True, text=True).stdout


def plugin(build: pathlib.Path) -> pathlib.Path:
    made, source = build / "watch.so", here / "watch.cpp"
    if not made.exists() or made.stat().st_mtime < source.stat().st_mtime:
        fresh = build / f"watch.{os.getpid()}.so"
        subprocess.run(["g++", "-std=c++20", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", fresh, source], check=True)
        fresh.rename(made)
    return made


def watch(build: pathlib.Path, program: str, marked=False, lines=False, machine=counted, kernel="native/kernel/kernel", **options):
    """(finished, console, observations): what was seen in each part of the run that the program marks by watch_begin() and
    watch_end(), or in all of it."""
    with tempfile.TemporaryDirectory() as directory:
        symbols, out = pathlib.Path(directory) / "symbols", pathlib.Path(directory) / "out"
        symbols.write_text(nm(build / kernel, "-C"))
        arguments = f"{plugin(build)},symbols={symbols},out={out},lines={int(lines)}"
        if marked:
            image = build / "native/tests" / (program if "/" in program else "kernel/" + program)
            marks = {line.split()[2]: line.split()[0] for line in nm(image).splitlines() if " watch_" in line}
            arguments += f",begin=0x{marks['watch_begin']},end=0x{marks['watch_end']}"
        finished, console = boot(build, program, [*machine, "-plugin", arguments], kernel=kernel, **options)
        return finished, console, [json.loads(line) for line in out.read_text().splitlines()]


def counts_of_rounds(build: pathlib.Path):
    """({row of kernel-bench: counts a round trip, and the functions it goes through}, console)"""
    finished, console, seen = watch(build, "kernel-bench", marked=True)
    marked = [line.split()[1:] for line in console.splitlines() if line.startswith("marked ")]
    if not finished or len(marked) != len(seen):
        return {}, console
    total, rounds = {}, {}
    for (name, count), part in zip(marked, seen):
        if not part: # ended before it began
            continue
        row = total.setdefault(name, {"lapic": {}, "ioapic": {}, "locked_in": {}})
        rounds[name] = rounds.get(name, 0) + int(count)
        row["executed"] = sorted({*row.get("executed", []), *part["executed"]})
        for event in ("cr3", "msr", "xsave", "iret", "lock"):
            row[event] = row.get(event, 0) + part[event]
        for kind in ("lapic", "ioapic", "locked_in"):
            for where, number in part[kind].items():
                row[kind][where] = row[kind].get(where, 0) + number

    def a_round(value, count):
        if isinstance(value, dict):
            return {key: a_round(v, count) for key, v in value.items()}
        return value if isinstance(value, list) else value / count
    return {name: a_round(row, rounds[name]) for name, row in total.items()}, console


def locking_functions(kernel: pathlib.Path):
    """Functions of the kernel that hold an instruction with a LOCK prefix or XCHG with memory, named as watch() does."""
    code = subprocess.run(["objdump", "-d", "--no-show-raw-insn", "-C", kernel], check=True, capture_output=True, text=True).stdout
    found, function = set(), ""
    for line in code.splitlines():
        if start := re.fullmatch(r"[0-9a-f]+ <(.*)>:", line):
            function = start[1].replace("(anonymous namespace)::", "").split("(")[0]
        elif re.search(r"\t(lock |xchg .*\()", line):
            found.add(function)
    return found
