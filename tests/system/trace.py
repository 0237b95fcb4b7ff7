# SPDX-License-Identifier: BSD-2-Clause
"""libelle run --trace: the system calls of a jail, as truss(1) would show them."""
import pathlib
import re
import tempfile

import box
from box import host, libelle, refused, run

LINE = re.compile(r"\d+ \d+: (\w+)\(.*\)( = (0x[0-9a-f]+|\d+)| ERR#\d+ E[A-Z0-9]+| ERESTART|)$")


def traced(os_name, *command):
    """Its result, and the lines of the trace."""
    with tempfile.TemporaryDirectory(prefix="libelle-test-") as directory:
        file = pathlib.Path(directory) / "trace"
        done = run(os_name, *command, options=["--trace", file])
        return done, file.read_text().splitlines()


def test_trace_of_calls():
    for os_name in ("freebsd", "dragonfly"):
        done, lines = traced(os_name, "/bin/files")
        assert done.stdout == host("files").stdout, done
        assert all(LINE.fullmatch(line) for line in lines), [line for line in lines if not LINE.fullmatch(line)][:3]
        text = "\n".join(lines)
        for part in ('open', "ERR#2 ENOENT", 'write(1,"', "exit"):
            assert part in text, f"{part} is not in the trace of {os_name}"


def test_trace_of_a_fault():
    done, lines = traced("freebsd", "/bin/bad", "wild")
    assert done.returncode == 139, done
    assert re.search(r": SIGNAL 11 code 1 at 0x[0-9a-f]+, address 0x[0-9a-f]+$", lines[-1]), lines[-3:]


def test_more_trace_than_a_ring_holds():
    done, lines = traced("freebsd", "/bin/tree")
    assert done.returncode == 0, done
    assert sum(map(len, lines)) > 2 * 65536 and any("exit(" in line for line in lines[-100:]), lines[-10:]


def test_trace_to_a_place_that_is_not_there():
    refused(libelle("run", "--trace", "/nowhere/at/all", box.IMAGES / "freebsd", "--", "/bin/count"), "/nowhere/at/all",
            "No such file or directory")
