# SPDX-License-Identifier: BSD-2-Clause
"""The demo box in small: real work in three jails beside the realtime task."""
from box import native_only, same_as_host
from demo import Demo


def test_pipeline():
    for os_name in ("freebsd", "dragonfly"):
        same_as_host(os_name, "pipeline", "4", options=["--memory", "256M"], limit=300)


def test_database_survives_the_end_of_its_process():
    """bbolt's writer is killed in mid-write, many times; every transaction that was committed is there each time."""
    for os_name in ("freebsd", "dragonfly"):
        same_as_host(os_name, "database", "25", options=["--memory", "256M"], limit=300)


def demo(**options):
    done = Demo(**options)
    for name in done.verdicts:
        assert done.good(name), f"{name}: {done.verdicts[name]} {done.stderr[-2500:]}"
    return done


@native_only
def test_demo_on_one_core():
    demo(cores=1, mib=4)


@native_only
def test_demo_on_two_cores():
    demo(cores=2, mib=4)


@native_only
def test_demo_on_four_cores():
    demo(cores=4, mib=4)


@native_only
def test_realtime_misses_nothing():
    done = demo(cores=1, mib=1, icount=True)
    assert done.pulse.get("missed") == "0" and int(done.pulse["activations"]) > 100, done.pulse
