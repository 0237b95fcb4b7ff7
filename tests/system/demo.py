# SPDX-License-Identifier: BSD-2-Clause
"""The demo box: three jails that do real work beside a realtime task, compared with the same programs on this host.
usage: demo.py     prints the box's BOX.conf"""
import json
import pathlib
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIBELLE = ROOT / "build" / "libelle"
IMAGES = ROOT / "build" / "images"

CONFIG = """
cores = {cores};
alpha {{ abi = freebsd; path = {images}/bundler; directory = /src; memory = 512M; cpus = {alpha_cpus};
        command = /bin/esbuild, index.js, --bundle, --minify, "--log-level=error"; }}
beta {{ abi = freebsd; path = {images}/freebsd; memory = 256M; command = /bin/pipeline, "{mib}"; }}
gamma {{ abi = dragonfly; path = {images}/dragonfly; memory = 256M; command = /bin/pipeline, "{mib}"; }}
realtime pulse {{ program = pulse; period = 1ms; budget = 100us; priority = 255; core = 0; }}
"""
WORK = {"alpha": "esbuild 0.28.2 bundles and minifies three, react-dom, lodash-es and d3",
        "beta": "compresses, hashes and verifies {mib} MiB (freebsd)",
        "gamma": "compresses, hashes and verifies {mib} MiB (dragonfly)"}


def box_config(cores, mib):
    return CONFIG.format(cores=cores, alpha_cpus=min(cores, 2), images=IMAGES, mib=mib)


def host_outputs(mib):
    """What the same programs, built for Linux, print here."""
    pipeline = subprocess.run([ROOT / "build/programs/linux/pipeline", str(mib)], capture_output=True, check=True).stdout
    return {"alpha": (ROOT / "build/expected/bundle.js").read_bytes(), "beta": pipeline, "gamma": pipeline}


def pulse_numbers(task):
    return {key: value for key, _, value in (line.partition(" ") for line in task["status"].splitlines())}


class Demo:
    """One run. `verdicts` maps jails to (identical, exit status text); `pulse` holds the realtime task's numbers."""

    def __init__(self, cores=2, mib=4, icount=False, crash=None, limit=900, iso=None):
        self.mib = mib
        expected = host_outputs(mib)
        with tempfile.TemporaryDirectory() as directory:
            config = pathlib.Path(directory) / "BOX.conf"
            config.write_text(box_config(cores, mib))
            command = [LIBELLE, "up", "--json", "--output", directory, "--log", f"{directory}/log", "--time-limit", str(limit)]
            command += ["--icount"] if icount else []
            command += ["--crash", crash] if crash else []
            command += ["--iso", iso] if iso else []
            done = subprocess.run(command + [config], stderr=subprocess.PIPE, text=True, timeout=limit + 120)
            self.stderr = done.stderr
            self.log = pathlib.Path(directory, "log").read_text(errors="replace") if pathlib.Path(directory, "log").exists() else ""
            self.started = done.stderr.splitlines()[0] if done.stderr else ""
            lines = [line for line in done.stderr.splitlines() if line.startswith("{")]
            self.result = json.loads(lines[-1]) if lines else None
            self.verdicts = {}
            self.pulse = {}
            for name, output in expected.items():
                path = pathlib.Path(directory, f"{name}.stdout")
                got = path.read_bytes() if path.exists() else b""
                wait = next((j["wait"] for j in self.result["jails"] if j["name"] == name), "?") if self.result else "no answer"
                self.verdicts[name] = (got == output, wait)
                if got != output:
                    error = pathlib.Path(directory, f"{name}.stderr")
                    self.stderr += f"\n{name}: {len(got)} of {len(output)} bytes; its stderr: " + (
                        error.read_text(errors="replace")[-2000:] if error.exists() else "")
            if self.result:
                self.pulse = pulse_numbers(self.result["realtime"][0])

    def good(self, name):
        return self.verdicts[name] == (True, "exit 0")

    def summary(self):
        for name, (identical, wait) in self.verdicts.items():
            yield f"{name}: {WORK[name].format(mib=self.mib)}: {wait}, {'identical' if identical else 'DIFFERENT'}"
        if self.pulse:
            yield ("pulse: {activations} activations, {missed} missed, median {median_ns} ns, p99 {p99_ns} ns, "
                   "maximum {maximum_ns} ns".format(**{"activations": "?", "missed": "?", "median_ns": "?", "p99_ns": "?",
                                                       "maximum_ns": "?", **self.pulse}))


if __name__ == "__main__":
    print(box_config(cores=2, mib=4))
