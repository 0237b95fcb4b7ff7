# SPDX-License-Identifier: BSD-2-Clause
"""Rules of processes, one by one: tests/programs/procs judges, a topic a run."""
from box import run


def topic(name, *systems, cpus="1"):
    for os_name in systems or ("freebsd", "dragonfly"):
        done = run(os_name, "/bin/procs", name, options=["--cpus", cpus], limit=90)
        assert (done.returncode, done.stdout) == (0, b"all as it should be\n"), f"{os_name}: {done}"


def test_process_descriptors():
    topic("descriptors", "freebsd")


def test_signals_blocked_by_a_word():
    topic("fastblock", "freebsd")


def test_memory_barriers():
    topic("barriers", "freebsd", cpus="2")


def test_shared_memory():
    topic("shm", "freebsd")


def test_sealed_memory():
    topic("seals", "freebsd")


def test_pages_of_shared_words():
    topic("pages", "freebsd")


def test_forks():
    topic("forks")


def test_scripts():
    topic("scripts")


def test_limits():
    topic("limits")


def test_usage():
    topic("usage")


def test_ids():
    topic("ids")


def test_mutexes_lend_priorities():
    topic("lending", "freebsd")
