# SPDX-License-Identifier: BSD-2-Clause
"""Jails beside a Linux guest: the same programs in the same emulated machine, in instructions (virtual nanoseconds).
usage: run.py BUILD_DIRECTORY"""
import json, math, pathlib, shutil, subprocess, sys

import linux

root = pathlib.Path(__file__).resolve().parent.parent.parent
build = pathlib.Path(sys.argv[1]).resolve()
RAW = "0.1"  # of the iterations that the programs do by themselves: counted runs repeat
OS = ["-f", "0.05", "-skip", "^tcp_", "-noop", "/bin/noop", "-dir", "/tmp"]
SHELL = "rawbench {raw} /bin/rawbench && osbench {os}"
BUNDLE = ["/tmp/bundle.js", "/bin/esbuild", "index.js", "--bundle", "--minify", "--log-level=error"]
ONE_THREAD = ["GOMAXPROCS=1", "GOGC=off"]
LIMIT = 1800


COMPUTE = {"sha256_1m", "fnv_1m", "gzip_1m", "alloc_tree"}  # osbench's class of what a system should not change


def figures(text):
    """name -> nanoseconds of the lines `name, iterations, nanoseconds`; None of those that say SKIP."""
    found = {}
    for words in (line.strip().split("\t") for line in text.splitlines()):
        if len(words) == 3 and words[1] == "SKIP":
            found[words[0]] = None
            print(f"{words[0]}: {words[2]}", file=sys.stderr)
        elif len(words) == 3 and words[1].isdigit():
            found[words[0]] = float(words[2])
    return found


def jail(image, *command, environment=(), options=()):
    words = [build / "libelle", "run", "--icount", "--memory", "1G", "--time-limit", str(LIMIT), *options]
    for setting in environment:
        words += ["--env", setting]
    done = subprocess.run([*words, image, "--", *command], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} ended with status {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def geometric_mean(ratios):
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


subprocess.run([root / "rootfs/make-images"], check=True, stdout=subprocess.DEVNULL)
subprocess.run([root / "bench/os/build", build / "programs/os"], check=True)
programs = build / "programs/os"
source = build / "images/bundler/src"
shutil.copy(build / "esbuild/node_modules/@esbuild/linux-x64/bin/esbuild", programs / "linux/esbuild")
guest = linux.Guest(build, programs / "linux", [(source, "src")])
peer = figures(guest.output(SHELL.format(raw=RAW, os=" ".join(OS)), LIMIT))
peer_bundle = figures(guest.output(f"cd /src && {' '.join(ONE_THREAD)} stopwatch {' '.join(BUNDLE)}", LIMIT))["stopwatch"]

for system in ("freebsd", "dragonfly"):
    image = build / f"images/os-{system}"
    shutil.rmtree(image, ignore_errors=True)
    shutil.copytree(programs / system, image / "bin")
    (image / "tmp").mkdir()
    ours = figures(jail(image, "/bin/rawbench", RAW, "/bin/rawbench")) | \
        figures(jail(image, "/bin/osbench", *OS, environment=["GOMAXPROCS=1"]))
    ratios = {}
    for name, value in ours.items():
        row = {"name": name, "system": system, "value": value, "unit": "virtual ns", "peer": peer.get(name), "peer_is": "Linux guest"}
        print(json.dumps(row), flush=True)
        if value and peer.get(name):
            ratios[name] = value / peer[name]
    raw = [r for n, r in ratios.items() if n.startswith("raw_")]
    others = [r for n, r in ratios.items() if not n.startswith("raw_") and n not in COMPUTE]
    for name, goal, value in (("geomean_raw", 0.55, geometric_mean(raw)), ("geomean_osbench", 0.8, geometric_mean(others)),
                              ("compute_worst", 1.01, max(ratios[n] for n in COMPUTE))):
        print(json.dumps({"name": name, "system": system, "value": round(value, 3), "unit": f"of Linux, goal {goal}"}), flush=True)

image = build / "images/os-bundler"
shutil.rmtree(image, ignore_errors=True)
shutil.copytree(build / "images/bundler", image)
shutil.copy(programs / "freebsd/stopwatch", image / "bin")
bundle = figures(jail(image, "/bin/stopwatch", *BUNDLE, environment=ONE_THREAD, options=["--directory", "/src"]))["stopwatch"]
print(json.dumps({"name": "esbuild", "system": "freebsd", "value": bundle, "unit": "virtual ns", "peer": peer_bundle, "peer_is": "Linux guest"}))
print(json.dumps({"note": f"Instructions (virtual ns) under QEMU's -icount, one core, beside Debian's {guest.version} in the same machine with "
                          "mitigations=off init_on_alloc=0.\nOurs has no mitigations and no PCID either; it "
                          "clears every page that it hands out. Files are in memory on both sides.\nNone of it predicts cycles on hardware."}))
