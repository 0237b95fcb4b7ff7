# SPDX-License-Identifier: BSD-2-Clause
"""Running single commands in a jail: on the kernel in a box, or hosted, as run_tests.py says."""
import functools
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIBELLE = ROOT / "build" / "libelle"
IMAGES = ROOT / "build" / "images"
ECHO_JAIL = ROOT / "build" / "native" / "tests" / "echo_jail"


platform = "native"
test = ""  # the running test's name without its platform
outcomes = {}  # by platform, then by test: what each command of the running test came to, in order


def native_only(test):
    """For tests that are about the kernel or the box."""
    test.native_only = True
    return test


def hosted_only(test):
    """For tests that are about processes of the host."""
    test.hosted_only = True
    return test


def run_verb():
    """The verb and its platform, for tests that start the command themselves."""
    return ["run"] if platform == "native" else ["run", f"--platform={platform}"]


def libelle(*arguments, stdin=b"", limit=120, personality=None):
    """Runs the command; it may not hang."""
    if arguments[0] == "run" and personality is None:
        arguments = (*run_verb(), *arguments[1:])
    environment = dict(os.environ)
    if personality:
        environment["LIBELLE_PERSONALITY"] = str(personality)
    done = subprocess.run([LIBELLE, *map(str, arguments)], input=stdin, capture_output=True, timeout=limit, env=environment)
    if arguments[0] == "run":
        command = [str(each) for each in arguments if not str(each).startswith("--platform=")]
        outcomes.setdefault(platform, {}).setdefault(test, []).append((command, done.returncode, done.stdout))
    return done


@functools.cache
def image_file(directory):
    """One image for both platforms, and for tests that run beside this one."""
    file = directory.with_suffix(".img")
    made = directory.with_suffix(f".{os.getpid()}.img")
    subprocess.run([LIBELLE, "mkimage", directory, made], check=True)
    os.replace(made, file)
    return file


def run(os_name, *command, options=(), stdin=b"", limit=120, image=None):
    image = image_file(image or IMAGES / os_name)
    return libelle("run", "--abi", os_name, "--time-limit", limit - 20, *options, image, "--", *command, stdin=stdin, limit=limit)


def host(program, *arguments, stdin=b""):
    """The same program, built for Linux, on this host."""
    path = ROOT / "build/programs/linux" / program
    return subprocess.run([path, *arguments], input=stdin, capture_output=True, timeout=120)


def same_as_host(os_name, program, *arguments, stdin=b"", options=(), limit=180):
    got = run(os_name, f"/bin/{program}", *arguments, stdin=stdin, options=options, limit=limit)
    wanted = host(program, *arguments, stdin=stdin)
    assert got.returncode == wanted.returncode, f"exit {got.returncode}, wanted {wanted.returncode}: {got.stderr[-1500:]!r}"
    assert got.stdout == wanted.stdout, f"different output: {got.stdout[-500:]!r}, wanted {wanted.stdout[-500:]!r}"


def refused(result, *words):
    """One clear line that contains the words, and a status that is not zero."""
    assert result.returncode != 0, "exit status 0"
    lines = result.stderr.decode().strip().splitlines()
    assert lines, "nothing was said"
    for word in words:
        assert word in lines[-1], f"{word!r} is not in {lines[-1]!r}"
    assert len([line for line in lines if line.startswith("libelle: ")]) >= 1, lines
