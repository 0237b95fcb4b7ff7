# SPDX-License-Identifier: BSD-2-Clause
"""Any system calls with any arguments, by many processes and threads on two vCPUs (tests/programs/chaos): the jail withstands
them. SEED=N repeats the one with a fresh seed, but for the order in which threads come."""
import os
import time

from box import run


def withstands(os_name, seed):
    done = run(os_name, "/bin/chaos", str(seed), "3000", options=["--cpus", "2", "--memory", "256M"],
               limit=40 if seed % 2 else 60)
    assert b": failed: " not in done.stderr, f"{os_name}, seed {seed}: {done.stderr[-800:]!r}"
    if seed % 2 == 0:
        assert done.returncode == 0 and done.stdout.endswith(b"ok\n"), f"{os_name}, seed {seed}: {done.returncode} {done.stderr[-800:]!r}"


def test_chaos():
    for seed in (2, 3, int(os.environ.get("SEED", time.time_ns() % 1_000_000))):
        for os_name in ("freebsd", "dragonfly"):
            withstands(os_name, seed)
