# SPDX-License-Identifier: BSD-2-Clause
"""The hosted platform beside the host itself and beside gVisor: esbuild's bundle against the same esbuild for Linux, and
operations of an operating system (operations.c) against runsc --platform=ptrace.
usage: run.py BUILD_DIRECTORY"""
import json, mmap, os, pathlib, shutil, statistics, subprocess, sys, time

root = pathlib.Path(__file__).resolve().parent.parent.parent
build = pathlib.Path(sys.argv[1]).resolve()
OPERATIONS = {"null": ("null system call", 50000, 0.2), "pipe": ("pipe round trip", 4000, 1 / 3), "exec": ("fork+exec+wait", 200, 0.5)}
PAIRS = 7
FLAGS = ["-O2", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-fno-stack-protector", "-fno-pic", "-fno-pie", "-fcf-protection=none",
         "-nostdlib", "-static", "-no-pie", "-Wl,--build-id=none"]
BUNDLE = ["index.js", "--bundle", "--minify", "--log-level=error"]


def output_of(command, **options):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, **options)
    if done.returncode:
        sys.exit(f"{command} ended with status {done.returncode}:\n{done.stdout[-500:]}\n{done.stderr[-2000:]}")
    return done.stdout


def priority():
    """Both sides run before everything else, where that is allowed: figures are about them, not about who else runs."""
    if shutil.which("chrt") and subprocess.run(["chrt", "-r", "1", "true"], capture_output=True).returncode == 0:
        return ["chrt", "-r", "1"]
    return []


def find_runsc():
    if not shutil.which("runsc") and os.getuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "runsc"], capture_output=True)
    return shutil.which("runsc")


def compile_operations():
    image = build / "images/operations"
    (image / "bin").mkdir(parents=True, exist_ok=True)
    linux, bsd = build / "programs/linux/operations", image / "bin/operations"
    source = root / "bench/hosted/operations.c"
    subprocess.run(["gcc", *FLAGS, "-DOS_LINUX", "-o", linux, source], check=True)
    subprocess.run(["gcc", *FLAGS, "-DOS_FREEBSD", "-o", bsd, source], check=True)
    subprocess.run(["elfedit", "--output-osabi", "FreeBSD", bsd], check=True)
    return linux, image


def seconds(command, expected, **options):
    begin = time.monotonic()
    output = output_of(command, **options)
    took = time.monotonic() - begin
    if output != expected:
        sys.exit(f"{command}: a different bundle")
    return took


def warm_memory():
    """A virtual machine's host may take back memory that is free for seconds. To get 2 MiB again takes 5 ms then instead of 0.1, for
    whichever side comes first. Touched and given back, it is there for both."""
    with mmap.mmap(-1, 512 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        memory.madvise(mmap.MADV_HUGEPAGE)
        for page in range(0, len(memory), mmap.PAGESIZE):
            memory[page] = 1


subprocess.run([root / "rootfs/make-images"], check=True, stdout=subprocess.DEVNULL)
first = priority()
hosted = [*first, build / "libelle", "run", "--platform=hosted"]
# The image is made once, as one would for use.
image_file = build / "images/bundler.img"
output_of([build / "libelle", "mkimage", build / "images/bundler", image_file])
expected = (build / "expected/bundle.js").read_bytes()
esbuild = build / "esbuild/node_modules/@esbuild/linux-x64/bin/esbuild"
cpus = min(2, len(os.sched_getaffinity(0)))
for name, goal, prepare in (("esbuild_bundle", 1.3, warm_memory), ("esbuild_bundle_memory_as_it_comes", None, lambda: None)):
    pairs = []
    for _ in range(PAIRS):
        prepare()
        host = seconds([*first, esbuild, *BUNDLE], expected, cwd=build / "images/bundler/src")
        ours = seconds([*hosted, "--memory", "512M", "--cpus", str(cpus), "--directory", "/src", image_file, "--", "/bin/esbuild",
                        *BUNDLE], expected)
        pairs.append((ours, host))
    ratio = statistics.median(a / b for a, b in pairs)
    print(json.dumps({"name": name, "value": round(ratio, 2), "unit": "times the host's", "goal": goal,
                      "seconds": [[round(a, 3), round(b, 3)] for a, b in pairs]}))

linux, image = compile_operations()
runsc = find_runsc()
for name, (what, count, goal) in OPERATIONS.items():
    ours, peers = [], []
    for _ in range(PAIRS):
        ours.append(int(output_of([*hosted, image, "--", "/bin/operations", name, str(count)])))
        if runsc:  # whichever priority suits it better
            command = [runsc, "--ignore-cgroups", "--rootless", "--platform=ptrace", "--network=none", "do", linux, name,
                       str(max(count // 10, 20))]
            peers.append(min(int(output_of(before + command)) for before in (first, [])))
    host = statistics.median(int(output_of([*first, linux, name, str(count)])) for _ in range(3))
    row = {"name": f"{name}_ns", "value": round(statistics.median(ours)), "unit": f"ns, {what}", "host_itself": host}
    if peers:
        row |= {"peer": round(statistics.median(peers)), "peer_is": f"runsc --platform=ptrace, goal {goal:.2f}",
                "median_of_ratios": round(statistics.median(a / b for a, b in zip(ours, peers)), 3)}
    print(json.dumps(row))
note = "Ratios are medians of pairs in this run. Before the first pairs, memory is touched and given back, so that neither side waits "
note += "for a host of this machine that has taken it; the second ones take it as it comes. "
note += "With realtime priority; runsc with or without, whichever was faster. " if first else "Both sides with the priority of everybody else. "
note += "" if runsc else "runsc is not there and could not be installed: no peer for the operations."
print(json.dumps({"note": note}))
