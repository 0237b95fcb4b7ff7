# SPDX-License-Identifier: BSD-2-Clause
"""Path lengths of LWKT in instructions, under -icount, and of what crosses cores in nanoseconds of plain emulation; the stages
of an interrupt on its way through a driver in another task (irq_…), of 95 in 100; beside them (hosted_…) the same on the hosted platform, a Linux process on this machine, in nanoseconds.
usage: run.py BUILD_DIRECTORY"""
import json, pathlib, subprocess, sys

tests = pathlib.Path(__file__).resolve().parent.parent.parent / "tests"
sys.path[:0] = [str(tests / "lwkt"), str(tests / "irq")]
from chain import counted_figures
from jail import run

build = pathlib.Path(sys.argv[1])
subprocess.run(["cmake", "--build", build / "tools", "--target", "lwkt_bench_hosted"], check=True, stdout=subprocess.DEVNULL)


def figures(name, status, output, errors):
    found = [line.split() for line in output.splitlines()]
    if status != 0 or not found:
        sys.exit(f"{name} ended with status {status}:\n{output}{errors}")
    return {name: float(value) for name, value in found}


def native(cpus, *options):
    return figures("lwkt_bench", *run(build, "tests/lwkt/lwkt_bench", cpus, *options))


def hosted(cpus):
    done = subprocess.run([build / "tools/tests/lwkt/lwkt_bench_hosted", str(cpus)], capture_output=True, text=True, timeout=300)
    return figures("lwkt_bench_hosted", done.returncode, done.stdout, done.stderr)


CROSSING = ("ipiq_call", "wakeup_other_core", "wakeup_to_run_other_core")
for name, value in native(1, "--icount").items():
    print(json.dumps({"name": name, "value": value, "unit": "instructions"}))
for name, value in counted_figures(build).items():
    print(json.dumps({"name": "irq_" + name, "value": value, "unit": "instructions"}))
for prefix, one, two in (("", {}, native(2)), ("hosted_", hosted(1), hosted(2))):
    for name, value in {**one, **{name: two[name] for name in CROSSING}}.items():
        print(json.dumps({"name": prefix + name, "value": value, "unit": "ns"}))
print(json.dumps({"note": "Instructions of one round under QEMU's -icount; what crosses cores is in nanoseconds of plain emulation with "
                          "two cores and scatters,\nlike what is hosted. None of it predicts cycles on hardware."}))
