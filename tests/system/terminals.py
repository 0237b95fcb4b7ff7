# SPDX-License-Identifier: BSD-2-Clause
"""Terminals: ptys and their line discipline, job control, and a shell whose script prints on a pty what it prints on the host's."""
import os
import subprocess
import tempfile

from box import ROOT, run

SYSTEMS = ("freebsd", "dragonfly")
ANSWERS = b"World\none two three four five\n\nthrough the pipe\nbelow\nyes\n"


def all_checks_pass(program):
    for os_name in SYSTEMS:
        done = run(os_name, program)
        assert done.returncode == 0 and done.stdout.endswith(b" checks, 0 failed\n"), (os_name, done.stdout[-1500:], done.stderr[-500:])


def test_ptys_and_termios():
    all_checks_pass("/bin/terminal")


def test_job_control():
    all_checks_pass("/bin/jobs")


def test_shell_on_a_pty():
    """A POSIX shell (mvdan.cc/sh) with a script of pipelines, here-documents, subshells, traps and questions."""
    linux = ROOT / "build/programs/linux"
    script = ROOT / "tests/programs/onpty/script.sh"
    environment = {"USER": "root", "HOME": "/"}
    with tempfile.TemporaryDirectory() as directory:
        wanted = subprocess.run([linux / "onpty", linux / "sh", script], input=ANSWERS, capture_output=True, timeout=60, cwd=directory,
                                env=os.environ | environment | {"PATH": str(linux)})
    assert wanted.returncode == 6 and b"the end" in wanted.stdout, wanted
    for os_name in SYSTEMS:
        settings = [f"--env={name}={value}" for name, value in (environment | {"PATH": "/bin"}).items()]
        done = run(os_name, "/bin/onpty", "/bin/sh", "/etc/script.sh", stdin=ANSWERS, options=["--directory", "/tmp", *settings])
        assert done.returncode == 6, (os_name, done.returncode, done.stdout[-500:], done.stderr[-500:])
        assert done.stdout == wanted.stdout, (os_name, done.stdout[-1000:], wanted.stdout[-1000:])
