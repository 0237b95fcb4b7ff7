# SPDX-License-Identifier: BSD-2-Clause
"""Path lengths of LWKT in instructions, under -icount, and of what crosses cores in nanoseconds of plain emulation.
usage: run.py BUILD_DIRECTORY"""
import json, pathlib, sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "tests/lwkt"))
from jail import run

build = sys.argv[1]


def figures(cpus, *options):
    status, output, errors = run(build, "tests/lwkt/lwkt_bench", cpus, *options)
    found = [line.split() for line in output.splitlines()]
    if status != 0 or not found:
        sys.exit(f"lwkt_bench ended with status {status}:\n{output}{errors}")
    return {name: int(value) for name, value in found}


for name, value in figures(1, "--icount").items():
    print(json.dumps({"name": name, "value": value, "unit": "instructions"}))
crossing = figures(2)
for name in ("ipiq_call", "wakeup_other_core"):
    print(json.dumps({"name": name, "value": crossing[name], "unit": "ns"}))
print(json.dumps({"note": "Instructions of one round under QEMU's -icount; what crosses cores is in nanoseconds of plain emulation with "
                          "two cores and scatters.\nNone of it predicts cycles on hardware."}))
