# SPDX-License-Identifier: BSD-2-Clause
"""Terminals: ptys and their line discipline, job control, and a shell whose script prints on a pty what it prints on the host's."""
import fcntl
import os
import pty
import signal
import struct
import subprocess
import tempfile
import termios
import time

from box import IMAGES, LIBELLE, ROOT, run, run_verb

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
        at = len(os.path.commonprefix([done.stdout, wanted.stdout]))
        assert done.stdout == wanted.stdout, (os_name, at, done.stdout[at - 100:at + 300], wanted.stdout[at - 100:at + 300])


class Screen:
    """The command on a terminal of this host, with somebody who watches and types."""

    def __init__(self, os_name, *command):
        self.master, slave = pty.openpty()
        self.resize(33, 101)
        self.before = termios.tcgetattr(self.master)
        self.process = subprocess.Popen([LIBELLE, *run_verb(), "--abi", os_name, "--time-limit", "100", "-it", IMAGES / os_name, "--", *command],
                                        stdin=slave, stdout=slave, stderr=subprocess.PIPE)
        self.slave = slave
        self.shown = b""

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        if hasattr(self, "process"):
            self.process.send_signal(signal.SIGWINCH)  # as a controlling terminal would

    def until(self, text):
        os.set_blocking(self.master, False)
        end = time.monotonic() + 100
        while text not in self.shown:
            ended = self.process.poll() is not None  # asked first: what it has shown by then is there
            try:
                self.shown += os.read(self.master, 4096)
            except BlockingIOError:
                assert not ended and time.monotonic() < end, (text, self.shown[-500:], self.process.poll())
                time.sleep(0.02)

    def type(self, text):
        os.write(self.master, text)


def test_console_is_a_terminal():
    for os_name in SYSTEMS:
        screen = Screen(os_name, "/bin/console")
        screen.until(b"a line?\r\n")
        assert termios.tcgetattr(screen.master)[3] & termios.ICANON == 0, "the host's terminal is not raw"
        screen.type(b"hellp\x7fo\r")
        screen.until(b"another size?\r\n")
        screen.resize(44, 132)
        screen.until(b"an interrupt?\r\n")
        screen.type(b"\3")
        screen.until(b"interrupts 1\r\n")
        assert screen.process.wait(timeout=60) == 3, screen.process.stderr.read()
        assert termios.tcgetattr(screen.master)[:4] == screen.before[:4], "the host's terminal is left changed"
        assert screen.shown == (b"terminal 0\r\n" * 3 + b"its group is in the foreground 1\r\nby way of /dev/tty\r\nby way of /dev/console\r\n"
                                b"rows 33\r\ncolumns 101\r\na line?\r\nhellp\b \bo\r\nread hello\r\nanother size?\r\n"
                                b"rows 44\r\ncolumns 132\r\nan interrupt?\r\n^Cinterrupts 1\r\n"), screen.shown
        os.close(screen.master), os.close(screen.slave)


def test_terminal_without_a_terminal_here():
    for os_name in SYSTEMS:
        done = run(os_name, "/bin/sh", "-c", "[ -t 0 ] && [ -t 2 ] && while read -r line; do echo \"<$line>\"; done", stdin=b"one\ntwo\n",
                   options=["-t"])
        assert done.returncode == 0 and b"<one>\r\n" in done.stdout and b"<two>\r\n" in done.stdout, (os_name, done)
