# SPDX-License-Identifier: BSD-2-Clause
"""Boxes of several jails, described in a file: on the kernel and hosted."""
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time

import box
from box import IMAGES, LIBELLE, host, hosted_only, libelle, refused

JAILS = """
cores = 2;
memory = 128M;
alpha {{ path = {images}/freebsd; command = /bin/pipeline, "1"; cpus = 2; }}
beta {{ path = {images}/dragonfly; command = /bin/tree; cpuset = 0; }}
gamma {{ path = {images}/dragonfly; command = /bin/bad, exit; }}
delta {{ path = {images}/freebsd; command = /bin/bad, wild; }}
"""


def config(text):
    path = pathlib.Path(tempfile.mkdtemp(prefix="libelle-test-"), "BOX.conf")
    path.write_text(text.format(images=IMAGES))
    return path


def up(text, *options, limit=240):
    hosted = ["--platform=hosted"] if box.platform == "hosted" else []
    return libelle("up", *hosted, "--json", "--time-limit", limit - 20, *options, config(text), limit=limit)


def ends(done):
    result = json.loads(done.stderr.decode().splitlines()[-1])
    return {jail["name"]: (jail["wait"], jail["stdout_bytes"]) for jail in result["jails"]}


def test_consoles_and_exit_status():
    """Each line with its jail's name in front, each end as the jail's own; ours is the first that is not 0."""
    done = up(JAILS)
    said = {name: [] for name in ("alpha", "beta", "gamma", "delta")}
    for line in done.stdout.decode().splitlines():
        name, _, text = line.partition("| ")
        said[name].append(text)
    wanted = {"alpha": host("pipeline", "1").stdout, "beta": host("tree").stdout, "gamma": b"exit\n", "delta": b"wild\n"}
    for name, text in wanted.items():
        assert said[name] == text.decode().splitlines(), (name, said[name], done.stderr[-800:])
    assert ends(done) == {"alpha": ("exit 0", len(wanted["alpha"])), "beta": ("exit 0", len(wanted["beta"])),
                          "gamma": ("exit 99", 5), "delta": ("signal 11", 5)}, done.stderr
    assert done.returncode == 99, done.returncode
    for line in (b"libelle: jail alpha: exit 0", b"libelle: jail delta: signal 11"):
        assert line in done.stderr.splitlines(), done.stderr


def test_consoles_into_files():
    with tempfile.TemporaryDirectory() as directory:
        done = up("one {{ path = {images}/freebsd; memory = 64M; command = /bin/bad, exit; }}", "--output", directory)
        assert done.returncode == 99 and done.stdout == b"", (done.returncode, done.stdout, done.stderr)
        assert pathlib.Path(directory, "one.stdout").read_bytes() == b"exit\n"
        assert pathlib.Path(directory, "one.stderr").read_bytes() == b""


@hosted_only
def test_memory_is_each_jails_own():
    """The same program in two jails: it reaches its stack's limit, or the end of its jail's memory before."""
    done = up("command = /bin/bad, stack; path = {images}/freebsd;\nlarge {{ memory = 768M; }} small {{ memory = 96M; }}")
    assert {name: wait for name, (wait, _) in ends(done).items()} == {"large": "signal 11", "small": "signal 9"}, done.stderr


@hosted_only
def test_killed_personality_leaves_the_others():
    done = up("path = {images}/freebsd; memory = 64M;\n"
              "victim {{ command = /bin/bad, spin; }} other {{ command = /bin/pipeline, \"1\"; }}", "--crash", "victim@1")
    assert ends(done)["victim"][0] == "failed: the personality crashed: signal 9", done.stderr
    assert ends(done)["other"][0] == "exit 0" and done.returncode == 125, (done.returncode, done.stderr)


@hosted_only
def test_interrupted():
    """Ctrl-C ends all jails; nothing is left of them when the command has ended."""
    one = "path = {images}/freebsd; memory = 64M; command = /bin/bad, spin;"
    with subprocess.Popen([LIBELLE, "up", "--platform=hosted", config(one + "\na {{ }} b {{ }}")], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        lines = {running.stdout.readline() for _ in range(2)}
        assert lines == {b"a| spin\n", b"b| spin\n"}, lines
        below = pathlib.Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
        assert len(below) == 2, below
        running.send_signal(signal.SIGINT)
        assert running.wait(60) == 130
        deadline = time.monotonic() + 10
        while any(os.path.exists(f"/proc/{pid}") for pid in below) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not any(os.path.exists(f"/proc/{pid}") for pid in below)


@hosted_only
def test_what_cannot_be_hosted_is_named():
    """Before anything has started: the jail in front of it says nothing."""
    first = "first {{ path = {images}/freebsd; memory = 64M; command = /bin/bad, exit; }}\n"
    for text, *words in [
        ("realtime pulse {{ period = 1ms; budget = 100us; }}", "realtime pulse", "cannot be hosted"),
        ("second {{ path = {images}/freebsd; command = /bin/bad; share = 50; }}", "jail second", "share 50", "cannot be hosted"),
        ("second {{ path = {images}/freebsd; command = /bin/bad; cpuset = 15; }} cores = 2;", "jail second", "cpuset 15"),
        ("second {{ path = {images}/freebsd; command = /bin/bad; cpus = 3; }} cores = 2;", "jail second", "cpus 3", "2 cores"),
        ("icount;", "icount", "cannot be hosted"),
        ("second {{ path = {images}/freebsd; command = /bin/nothing; }}", "/bin/nothing", "not in the image"),
        ("second {{ path = {images}/nowhere; command = /bin/bad; }}", "nowhere", "does not exist"),
    ]:
        done = up(first + text)
        refused(done, *words)
        assert done.returncode == 2 and done.stdout == b"", (text, done.stdout, done.stderr)
    refused(up(first, "--crash", "second@1"), "--crash second", "no such jail")
    refused(up(first, "--iso", "/dev/null"), "--platform=hosted", "--iso")
