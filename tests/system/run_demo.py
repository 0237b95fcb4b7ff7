#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What scripts/run shows: the demo box once as fast as it goes, and a shorter run that counts instructions, where the
realtime task is judged. Exit status 0 only if everything holds."""
import os
import sys

from demo import Demo


def main():
    cores = min(2, os.cpu_count() or 1)
    print(f"starting the demo box on {cores} cores", flush=True)
    first = Demo(cores=cores, mib=32, limit=1500)
    print(first.started, *first.summary(), sep="\n", flush=True)
    print("once more, counting instructions (one is a virtual nanosecond), 1 core", flush=True)
    second = Demo(cores=1, mib=1, icount=True, limit=1500)
    print(second.started, *second.summary(), sep="\n", flush=True)
    good = all(run.good(name) for run in (first, second) for name in run.verdicts)
    missed = second.pulse.get("missed")
    if not good:
        print(first.stderr[-3000:], second.stderr[-3000:], sep="\n", file=sys.stderr)
    print("realtime judged under -icount:", f"{missed} missed deadlines" if missed is not None else "no answer")
    return 0 if good and missed == "0" and int(second.pulse["activations"]) > 100 else 1


sys.exit(main())
