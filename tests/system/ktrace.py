# SPDX-License-Identifier: BSD-2-Clause
"""ktrace(2) and utrace(2): what a program finds in the file about itself and its child."""
from box import run

# The calls of tests/programs/ktraced between KTROP_SET and KTROP_CLEAR.
FREEBSD = """self CTOR
self RET 45 error 0
self CALL 5 of 3
self NAMI "/nowhere"
self RET 5 error 2
self CALL 5 of 3
self NAMI "/tmp/data"
self RET 5 error 0
self CALL 4 of 3
self WRITE "some bytes"
self RET 4 error 0
self CALL 6 of 1
self RET 6 error 0
self CALL 335 of 2
self USER "a mark"
self RET 335 error 0
self CALL 552 of 4
self NAMI "/tmp/data"
self STRU stat
self RET 552 error 0
self CALL 97 of 3
self RET 97 error 0
self CALL 98 of 3
self NAMI "/tmp/nobody"
self STRU sockaddr
self RET 98 error 2
self CALL 6 of 1
self RET 6 error 0
self CALL 20 of 0
self RET 20 error 0
self CALL 37 of 2
self RET 37 error 0
self PSIG 30 handled
self CALL 417 of 1
self RET 417 error -2
self CALL 2 of 0
""".splitlines()


def common(lines):
    """What both systems have, with DragonFly's number of sigreturn."""
    skip, kept = False, []
    for line in lines:
        if line in ("self CALL 552 of 4", "self CALL 97 of 3"):
            skip = True
        if not skip and "CTOR" not in line:
            kept.append(line.replace("417", "344"))
        if skip and line.startswith("self RET 6 ") or line.startswith("self RET 552"):
            skip = False
    return kept


def test_sequence():
    for os_name in ("freebsd", "dragonfly"):
        done = run(os_name, "/bin/ktraced")
        said = done.stdout.decode()
        assert done.returncode == 0 and "FAILED" not in said, (os_name, done.returncode, said[-1500:], done.stderr[-300:])
        lines = said.splitlines()
        wanted = FREEBSD if os_name == "freebsd" else common(FREEBSD)
        assert lines[:len(wanted)] == wanted, (os_name, [pair for pair in zip(lines, wanted) if pair[0] != pair[1]][:3])
        rest = lines[len(wanted):]
        for line in ["child CALL 39 of 0", "child RET 39 error 0", "child CALL 1 of 1", "self CALL 7 of 4", "self RET 7 error 0", "self CALL 45 of 4"]:
            assert line in rest, (os_name, line, rest)
        assert not any(line.startswith("self CALL 24") for line in lines), "traced after KTROP_CLEAR"
        assert ("child CTOR" in rest and "child DTOR" in rest) == (os_name == "freebsd"), rest


def test_on_two_processors():
    for os_name in ("freebsd", "dragonfly"):
        done = run(os_name, "/bin/ktraced", options=["--cpus", "2"])
        assert done.returncode == 0 and b"FAILED" not in done.stdout, (os_name, done.returncode, done.stdout[-1500:])
