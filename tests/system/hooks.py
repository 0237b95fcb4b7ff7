# SPDX-License-Identifier: BSD-2-Clause
"""lefthook as npm publishes it for FreeBSD: commands one after the other and side by side, groups, scripts, files chosen by patterns,
environments, failures. What it prints is what its Linux build prints here, but for times and the order of hooks it installs."""
import os
import re
import shutil
import subprocess
import tempfile

from box import IMAGES, ROOT, run


def told(output):
    lines = re.sub(rb"\(\d+\.\d\d seconds\)", b"(time)", output).splitlines()
    return [line for line in lines if not line.startswith(b"sync hooks:")]


def test_lefthook():
    subprocess.run([ROOT / "tests/lefthook/make-image"], check=True)
    image = IMAGES / "lefthook/linux"
    with tempfile.TemporaryDirectory() as directory:
        shutil.copytree(image / "repository", directory, dirs_exist_ok=True)
        wanted = subprocess.run([image / "bin/sh", "work"], cwd=directory, env={"PATH": str(image / "bin"), "HOME": directory},
                                stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert wanted.returncode == 0 and wanted.stdout.count(b"script 5") == 1 and b"broken: 1" in wanted.stdout, wanted
    got = run("freebsd", "/bin/sh", "work", image=IMAGES / "lefthook/freebsd",
              options=["--directory", "/repository", "--memory", "512M", "--env", "PATH=/bin", "--env", "HOME=/tmp"], limit=200)
    assert got.returncode == 0, (got.returncode, got.stderr[-2000:])
    assert told(got.stdout) == told(wanted.stdout), (got.stdout[-3000:].decode(), got.stderr[-1500:].decode())
