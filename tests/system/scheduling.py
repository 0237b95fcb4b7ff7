# SPDX-License-Identifier: BSD-2-Clause
"""How processes of a jail share its vCPUs: tests/programs/sched judges, by the work that is done beside other work."""
from box import run


def both(what, cpus):
    for os_name in ("freebsd", "dragonfly"):
        done = run(os_name, "/bin/sched", what, options=["--cpus", str(cpus)])
        assert done.returncode == 0 and done.stdout == b"ok\n", f"{os_name}: {done.stdout!r} {done.returncode} {done.stderr[-800:]!r}"


def test_nice():
    both("nice", 1)


def test_idprio():
    both("idle", 1)


def test_rtprio():
    both("realtime", 1)


def test_interactive_beside_hogs():
    both("interactive", 1)


def test_affinity():
    both("affinity", 2)


def test_three_on_two_take_turns():
    both("turns", 2)


def test_signals_at_ends_of_slices():
    both("signals", 1)


def test_calls():
    both("calls", 1)
