# SPDX-License-Identifier: BSD-2-Clause
"""Programs and personalities that misbehave: they suffer, nobody else does."""
from box import ECHO_JAIL, IMAGES, libelle, native_only, run
from demo import Demo


def dies_by(os_name, what, signal, options=()):
    done = run(os_name, "/bin/bad", what, options=options, limit=60)
    assert done.returncode == 128 + signal, f"{os_name} {what}: exit {done.returncode}: {done.stderr[-800:]!r}"
    assert done.stdout == what.encode() + b"\n", done.stdout


def both(what, signal):
    for os_name in ("freebsd", "dragonfly"):
        dies_by(os_name, what, signal)


def test_wild_pointer():
    both("wild", 11)


def test_noncanonical_pointer():
    both("noncanonical", 10)  # a protection fault without an address: SIGBUS on both systems


def test_ud2():
    both("ud2", 4)


def test_jump_to_kernel():
    both("kernel", 11)


def test_privileged_instruction():
    both("privileged", 10)


def test_stack_overflow():
    for os_name in ("freebsd", "dragonfly"):
        dies_by(os_name, "stack", 11, options=["--memory", "768M"])  # more than the stack's own limit of 512 MiB


def test_unknown_call():
    for os_name in ("freebsd", "dragonfly"):
        done = run(os_name, "/bin/bad", "badcall", limit=60)
        assert done.returncode in (0, 128 + 12), f"{os_name}: {done.returncode} {done.stderr[-500:]!r}"


def test_memory_hog():
    for os_name in ("freebsd", "dragonfly"):
        done = run(os_name, "/bin/bad", "hog", options=["--memory", "48M"], limit=90)
        assert done.returncode in (0, 128 + 9), f"{os_name}: {done.returncode} {done.stderr[-800:]!r}"


@native_only
def test_foreign_memory_is_refused():
    """A task that names what is not its own gets the documented error from the kernel."""
    done = libelle("run", IMAGES / "freebsd", "--", "/bin/count", "foreign", personality=ECHO_JAIL)
    said = dict(line.split(": ") for line in done.stdout.decode().splitlines()[1:])
    wanted = {
        "empty selector": "bad_capability", "selector outside the table": "bad_capability",
        "region as pool": "bad_capability", "bind another's region": "bad_capability", "bind own RAM": "ok",
        "map beyond own RAM": "bad_range", "map across the end": "bad_range", "carve beyond own RAM": "bad_range",
        "map at a kernel address": "bad_address", "image writable": "no_right", "ports": "bad_capability",
        "interrupts": "bad_capability",
    }
    for what, error in wanted.items():
        assert said.get(what) == error, f"{what}: {said.get(what)}, wanted {error}"


@native_only
def test_personality_crash_is_named():
    done = libelle("run", IMAGES / "freebsd", "--", "/bin/count", "fault", personality=ECHO_JAIL)
    assert done.returncode == 125 and b"the personality crashed: page fault" in done.stderr, done.stderr


@native_only
def test_killed_personality_leaves_the_others():
    for victim in ("alpha", "beta", "gamma"):
        demo = Demo(cores=1, mib=1, icount=True, crash=f"{victim}@4", limit=600)
        assert demo.result, demo.stderr[-2000:]
        for name in demo.verdicts:
            if name != victim:
                assert demo.good(name), f"{victim} killed: {name}: {demo.verdicts[name]} {demo.stderr[-1500:]}"
        assert demo.pulse.get("missed") == "0", f"{victim} killed: pulse {demo.pulse}"
