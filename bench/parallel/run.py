# SPDX-License-Identifier: BSD-2-Clause
"""What two vCPUs gain over one, in plain emulation with two cores: programs of a jail that compute, and that make system calls.
usage: run.py BUILD_DIRECTORY"""
import json, pathlib, statistics, subprocess, sys

root = pathlib.Path(__file__).resolve().parent.parent.parent
build = pathlib.Path(sys.argv[1])
ROUNDS = {"cpu": 4000, "calls": 60000}
PAIRS = 5


def milliseconds(work, cpus):
    done = subprocess.run([build / "libelle", "run", "--cpus", str(cpus), "--qemu", "-smp", "--qemu", "2", "--time-limit", "200",
                           build / "images/freebsd", "--", "/bin/parallel", work, str(ROUNDS[work])], capture_output=True, text=True)
    words = done.stdout.split()
    if done.returncode or words[0] != str(cpus):
        sys.exit(f"parallel {work} on {cpus} vCPUs ended with status {done.returncode}:\n{done.stdout}{done.stderr}")
    return int(words[2])


subprocess.run([root / "rootfs/make-images"], check=True, stdout=subprocess.DEVNULL)
for work in ROUNDS:
    pairs = [(milliseconds(work, 1), milliseconds(work, 2)) for _ in range(PAIRS)]
    print(json.dumps({"name": f"{work}_gain", "value": round(statistics.median(one / two for one, two in pairs), 2),
                      "unit": "times as fast", "milliseconds": pairs}))
print(json.dumps({"note": "Median of five pairs of runs of the same work by one thread and by two. On a host with two cores that has nothing else "
                          "to do, 1.5 is expected."}))
