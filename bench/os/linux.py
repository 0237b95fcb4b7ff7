# SPDX-License-Identifier: BSD-2-Clause
"""A Linux guest to measure beside: Debian's cloud kernel and an initial RAM disk with BusyBox and the programs."""
import os, pathlib, shutil, subprocess, sys

QEMU = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-M", "q35", "-m", "2048M", "-smp", "1", "-display", "none", "-no-reboot",
        "-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off", "-cpu", "max,-erms,-fsrm", "-serial", "stdio"]
INIT = """#!/bin/busybox sh
/bin/busybox mount -t devtmpfs none /dev
/bin/busybox mount -t proc none /proc
/bin/busybox mount -t tmpfs none /tmp
/bin/busybox ip link set lo up
export PATH=/bin HOME=/ GOMAXPROCS=1
cd /
{command}
echo "@status $?"
/bin/busybox poweroff -f
"""


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def unpack(package, into):
    """A Debian package's files, without installing it."""
    if not into.exists():
        work = into.with_suffix(".part")
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        as_user = [] if os.getuid() else ["-o", "APT::Sandbox::User=root"]
        subprocess.run(["apt-get", *as_user, "-qq", "download", package], cwd=work, check=True, capture_output=True)
        run("dpkg-deb", "-x", next(work.glob("*.deb")), work / "files")
        (work / "files").rename(into)
        shutil.rmtree(work)
    return into


class Guest:
    """Files are those of the programs' directory, in /bin, and of `more`, a list of (directory, where)."""

    def __init__(self, build, programs, more=()):
        cache = build / "linux"
        name = run("apt-cache", "depends", "linux-image-cloud-amd64")
        image = next(line.split()[-1] for line in name.splitlines() if "Depends: linux-image-" in line)
        self.version = image.removeprefix("linux-image-")
        self.kernel = next(unpack(image, cache / image).glob("boot/vmlinuz-*"))
        busybox = unpack("busybox-static", cache / "busybox") / "bin/busybox"
        self.root = cache / "root"
        shutil.rmtree(self.root, ignore_errors=True)
        for directory in ("bin", "dev", "proc", "tmp"):
            (self.root / directory).mkdir(parents=True)
        shutil.copy(busybox, self.root / "bin/busybox")
        for program in programs.iterdir():
            shutil.copy(program, self.root / "bin")
        for directory, where in more:
            shutil.copytree(directory, self.root / where, dirs_exist_ok=True)
        self.archive = cache / "initrd"

    def output(self, command, seconds):
        """What the shell command prints to the console."""
        init = self.root / "init"
        init.write_text(INIT.format(command=command))
        init.chmod(0o755)
        files = subprocess.run(["find", ".", "-print0"], cwd=self.root, capture_output=True, check=True).stdout
        with open(self.archive, "wb") as out:
            subprocess.run(["cpio", "--null", "--create", "--format=newc", "--quiet", "--owner=0:0"], cwd=self.root, input=files,
                           stdout=out, check=True)
        append = "console=ttyS0 quiet mitigations=off init_on_alloc=0 panic=-1 rdinit=/init"
        done = subprocess.run([*QEMU, "-kernel", self.kernel, "-initrd", self.archive, "-append", append], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=seconds)
        if "@status 0" not in done.stdout:
            sys.exit(f"Linux guest: {command} failed:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
        return done.stdout
