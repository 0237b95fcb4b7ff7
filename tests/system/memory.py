# SPDX-License-Identifier: BSD-2-Clause
"""Rules of memory, one by one: tests/programs/memory judges, a topic a run."""
from box import run


def topic(name, *systems, cpus="1", options=()):
    for os_name in systems or ("freebsd", "dragonfly"):
        done = run(os_name, "/bin/memory", name, options=["--cpus", cpus, *options], limit=90)
        assert (done.returncode, done.stdout) == (0, b"all as it should be\n"), f"{os_name}: {done}"


def test_layout():
    topic("layout")


def test_mapping():
    topic("mapping")


def test_advice():
    topic("advice")


def test_locking():
    topic("locking")


def test_pages_shared_with_the_kernel():
    topic("userpages")
    topic("userpages", "dragonfly", cpus="2")
