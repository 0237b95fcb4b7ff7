# SPDX-License-Identifier: BSD-2-Clause
"""Runs a program in place of the personality, in a jail of its own, through build/libelle."""
import os, pathlib, struct, subprocess, tempfile

root = pathlib.Path(__file__).resolve().parent.parent.parent


def minimal_executable():
    """The smallest static FreeBSD executable that the command accepts; it is never run."""
    header = struct.pack("<4sBBBBB7xHHIQQQIHHHHHH", b"\x7fELF", 2, 1, 1, 9, 0, 2, 62, 1, 0x400078, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, 0x400000, 0x400000, 4096, 4096, 4096)
    return (header + segment).ljust(4096, b"\xcc")


def run(build, program, cpus, *options, limit=120):
    """(exit status, stdout, stderr) of the program, a path below the native build."""
    build = pathlib.Path(build)
    with tempfile.TemporaryDirectory() as image:
        command = pathlib.Path(image, "none")
        command.write_bytes(minimal_executable())
        command.chmod(0o755)
        environment = dict(os.environ, LIBELLE_NATIVE=str(build / "native"), LIBELLE_PERSONALITY=str(build / "native" / program))
        done = subprocess.run([build / "libelle", "run", "--cpus", str(cpus), "--memory", "32M", "--time-limit", str(limit),
                               *options, image, "--", "/none"],
                              env=environment, capture_output=True, text=True, timeout=limit + 60)
        return done.returncode, done.stdout, done.stderr


def run_on_one_core(build, program, cpus, jails=1, limit=120, icount=True):
    """Several jails on one core, which all their vCPUs share, each running the program; under -icount, or in plain
    emulation. (exit status, [stdout of each], stderr)."""
    build = pathlib.Path(build)
    with tempfile.TemporaryDirectory() as folder:
        image = pathlib.Path(folder, "image")
        image.mkdir()
        command = image / "none"
        command.write_bytes(minimal_executable())
        command.chmod(0o755)
        config = pathlib.Path(folder, "BOX.conf")
        cpuset = ", ".join(["0"] * cpus)
        names = [f"jail{n}" for n in range(jails)]
        config.write_text("cores = 1;\n" + "".join(
            f"{name} {{ path = {image}; memory = 32M; cpus = {cpus}; cpuset = {cpuset}; command = /none; }}\n" for name in names))
        environment = dict(os.environ, LIBELLE_NATIVE=str(build / "native"), LIBELLE_PERSONALITY=str(build / "native" / program))
        done = subprocess.run([build / "libelle", "up", *(["--icount"] if icount else []), "--time-limit", str(limit),
                               "--output", folder, config],
                              env=environment, capture_output=True, text=True, timeout=limit + 60)
        outputs = [pathlib.Path(folder, f"{name}.stdout") for name in names]
        return done.returncode, [output.read_text() if output.exists() else "" for output in outputs], done.stderr
