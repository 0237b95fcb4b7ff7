# SPDX-License-Identifier: BSD-2-Clause
"""ptrace(2): a debugger in a jail and what it does to other processes, the same on both platforms."""
from box import run


def test_debugger_in_a_jail():
    for os_name in ("freebsd", "dragonfly"):
        done = run(os_name, "/bin/debug", limit=180)
        assert done.returncode == 0 and b"FAILED" not in done.stdout, (os_name, done.returncode, done.stdout[-1500:], done.stderr[-500:])


def test_debugger_on_two_processors():
    for os_name in ("freebsd", "dragonfly"):
        done = run(os_name, "/bin/debug", options=["--cpus", "2"], limit=180)
        assert done.returncode == 0 and b"FAILED" not in done.stdout, (os_name, done.returncode, done.stdout[-1500:], done.stderr[-500:])
