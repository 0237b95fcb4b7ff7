#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Hostile programs and sudden deaths on the hosted platform: nothing gets out, nothing is left behind.

usage: run_tests.py [SUBSTRING…]
This process is subreaper, so that whatever a jail leaves behind would become its child."""
import ctypes
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIBELLE = ROOT / "build" / "libelle"
IMAGES = ROOT / "build" / "images"
MARK = pathlib.Path("/tmp/libelle-escaped")  # what a program that got out would have made
PR_SET_CHILD_SUBREAPER = 36


def start(image, *command, cpus=2, memory="256M"):
    return subprocess.Popen([LIBELLE, "run", "--platform=hosted", "--cpus", str(cpus), "--memory", memory, IMAGES / image, "--",
                             *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def children_of(pid):
    def lines(what):  # none of who ends meanwhile
        try:
            return what()
        except OSError:
            return []
    tasks = lines(lambda: os.listdir(f"/proc/{pid}/task"))
    return [int(child) for task in tasks
            for child in lines(lambda: pathlib.Path(f"/proc/{pid}/task/{task}/children").read_text().split())]


def descendants(pid):
    return [each for child in children_of(pid) for each in (child, *descendants(child))]


def nothing_left():
    """Whatever was started has ended when libelle has; orphans would be ours."""
    assert not MARK.exists(), f"{MARK} was made from inside a jail"
    left = descendants(os.getpid())
    assert not left, f"left behind: {left}"


def run(image, *command, limit=300, **options):
    jail = start(image, *command, **options)
    try:
        output, errors = jail.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        jail.kill()
        jail.communicate()
        wait_until_nothing_is_left()
        raise
    assert jail.returncode == 0, (jail.returncode, output[-500:], errors[-500:])
    lines = output.decode().splitlines()
    assert lines and lines[-1] == "done", lines[-5:]
    nothing_left()
    return dict(line.split(": ", 1) for line in lines[:-1])


# By how FreeBSD answers a fault; a 64-bit sysenter is an invalid opcode on some processors.
ENTRIES = {
    "x32 openat": "exit 1", "x32 creat": "exit 1", "int 0x80": "signal 10", "sysenter": "signal 4|signal 10",
    "vsyscall gettimeofday": "signal 11", "vsyscall time": "signal 11", "vsyscall getcpu": "signal 11",
    "vsyscall elsewhere": "signal 10|signal 11", "32-bit int 0x80": "signal 10", "32-bit syscall": "signal 10|signal 4",
    "32-bit sysenter": "signal 10|signal 4|signal 11", "every number": "exit 0",
    "ud2": "signal 4", "int3": "signal 5", "divide": "signal 8", "hlt": "signal 10", "single step": "signal 5",
    "noncanonical": "signal 10", "wild pointer": "signal 11", "int 3": "signal 5", "kernel text": "signal 11", "in": "signal 10",
    "cr3": "signal 10", "SSE exception": "signal 8", "bad FS base": "signal 10", "null SS": "signal 10",
    "stack wraps": "signal 11|signal 10", "alignment": "signal 10", "segment bases": "exit 0", "user selectors": "exit 0",
    "null selectors": "exit 0", "vector registers": "exit 0",
}


def test_every_entry_and_fault():
    for cpus in (1, 2):
        said = run("escape", "/bin/entries", cpus=cpus)
        for what, wanted in ENTRIES.items():
            assert said.get(what) in wanted.split("|"), f"{what}: {said.get(what)}, wanted {wanted}"


def test_every_byte_of_the_stub():
    said = run("escape", "/bin/stub", "all")
    for what in ("mmap over the stub", "mmap across the stub", "read into the stub"):
        assert said[what] == "refused", (what, said[what])
    for what in ("write to the trampoline", "write to the set-up page", "write to the agent's page"):
        assert said[what] == "signal 11", (what, said[what])
    assert int(said["attacks"]) == 7 + 4 + 512 * 6, said["attacks"]


def test_every_signal():
    """Every BSD signal, by its default and onto stacks where no frame can lie; registers that no sigreturn may set."""
    said = run("escape", "/bin/signals")
    for number in range(1, 128):
        if number in (17, 18, 21, 22):  # would stop
            continue
        wanted = "exit 0" if number in (16, 19, 20, 23, 28, 29, 32, 33) else f"signal {number}"
        assert said[f"default {number}"] == wanted, (number, said[f"default {number}"])
    assert said["stacks"].split() == ["0", "survived,", str(6 * 126), "died"], said["stacks"]
    assert said["returns"] == "done", said


def test_every_signal_of_the_host():
    """What only the host can send: it ends the process that gets it, which may be the first one, or nothing."""
    jail = start("escape", "/bin/threads", "many", cpus=2, memory="512M")
    personality = personality_of(jail)
    while not children_of(personality) or len(children_of(children_of(personality)[0])) < 3:
        time.sleep(0.01)
    zygote = children_of(personality)[0]
    for number in list(range(1, 65)) * 2:
        if number in (32, 33, signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU):
            continue
        for process in children_of(zygote)[1:][:3]:
            try:
                os.kill(process, number)
            except ProcessLookupError:
                pass
    output, errors = jail.communicate(timeout=120)
    assert jail.returncode == 128 + signal.SIGKILL or output.endswith(b"done\n"), (jail.returncode, output[-300:], errors[-300:])
    nothing_left()


def test_mapping_from_a_second_thread():
    for cpus in (2, 3):
        said = run("escape", "/bin/threads", "race", cpus=cpus)
        assert said["race"].startswith("signal "), said


def test_thousands_of_threads_and_many_processes():
    said = run("escape", "/bin/threads", "many", cpus=2, memory="512M")
    assert said == {"many threads": "exit 0", "many processes": "exit 0"}, said


def test_without_privileges():
    """As another user than root everything works, in a user namespace where the host grants one."""
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        jail_program = os.environ.get("LIBELLE_JAIL", ROOT / "build" / "libelle-jail")
        for program in (LIBELLE, jail_program, IMAGES / "escape/bin/entries"):
            shutil.copy(program, place)
        image = pathlib.Path(place, "image")
        (image / "bin").mkdir(parents=True)
        shutil.move(pathlib.Path(place, "entries"), image / "bin/entries")
        command = [pathlib.Path(place, "libelle"), "run", "--platform=hosted", image, "--", "/bin/entries"]
        environment = {key: value for key, value in os.environ.items() if key != "LIBELLE_JAIL"}
        other = {"user": 65533, "group": 65533, "extra_groups": []} if os.getuid() == 0 else {}
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=120, env=environment, **other)
        assert done.returncode == 0 and done.stdout.endswith(b"done\n"), (done.returncode, done.stderr[-500:])
        nothing_left()


def on_poorer_host(lacks, *command):
    environment = {key: value for key, value in os.environ.items() if key != "LIBELLE_HOSTED"}
    done = subprocess.run([ROOT / "tests/hosted/poorer_host.py", lacks, LIBELLE, "run", "--platform=hosted", "--cpus", "2",
                           IMAGES / "freebsd", "--", *command], stdin=subprocess.DEVNULL, capture_output=True, timeout=120,
                          env=environment)
    nothing_left()
    return done.returncode, done.stdout, done.stderr.decode()


def test_host_without_notification():
    """What it lacks is said once, and processes run by ptrace."""
    said = "libelle: jail: this host has no seccomp user notification; processes run by ptrace, slower\n"
    for lacks in ("notification", "listener"):
        assert on_poorer_host(lacks, "/bin/bad", "exit") == (99, b"exit\n", said), lacks
        status, output, errors = on_poorer_host(lacks, "/bin/tree")
        assert status == 0 and output.startswith(b"processes 15\n") and errors == said, (lacks, status, output, errors)


def test_host_without_notification_and_ptrace():
    status, output, errors = on_poorer_host("both", "/bin/bad", "exit")
    assert status == 125 and output == b"", (status, output, errors)
    assert errors.startswith("libelle-jail: this host has no seccomp user notification, and does not let libelle trace its processes "
                             "(CAP_SYS_PTRACE, "), errors


def test_method_that_is_not_there():
    jail = subprocess.run([LIBELLE, "run", "--platform=hosted", IMAGES / "freebsd", "--", "/bin/bad", "exit"],
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=60, env=dict(os.environ, LIBELLE_HOSTED="magic"))
    assert jail.returncode == 125 and b"LIBELLE_HOSTED: known is ptrace" in jail.stderr, (jail.returncode, jail.stderr)


def test_traced_threads_are_traced():
    """With the slow kind each thread that has run is traced by its vCPU's thread; one that has not sleeps."""
    environment = dict(os.environ, LIBELLE_HOSTED="ptrace")
    with subprocess.Popen([LIBELLE, "run", "--platform=hosted", "--cpus", "2", IMAGES / "freebsd", "--", "/bin/bad", "spin"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as jail:
        assert jail.stdout.readline() == b"spin\n"
        personality = personality_of(jail)
        running = 0
        for process in children_of(children_of(personality)[0]):
            for task in pathlib.Path(f"/proc/{process}/task").iterdir():
                status = dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines() if ":\t" in line)
                traced = int(status["TracerPid"])
                assert traced == 0 or pathlib.Path(f"/proc/{personality}/task/{traced}").exists(), status
                assert traced != 0 or status["State"].startswith("S"), status
                assert status["Seccomp"] == "2" and status["NoNewPrivs"] == "1", status
                running += traced != 0
        assert running >= 1
        jail.kill()
    wait_until_nothing_is_left()


def personality_of(jail, limit=10):
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline and jail.poll() is None:
        for child in children_of(jail.pid):
            if pathlib.Path(f"/proc/{child}/comm").read_text().strip() == "libelle-jail":
                return child
    raise AssertionError("the personality did not start")


def wait_until_nothing_is_left(limit=30):
    deadline = time.monotonic() + limit
    while descendants(os.getpid()) and time.monotonic() < deadline:
        try:
            os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            pass
        time.sleep(0.01)
    nothing_left()


def test_stopped_and_continued():
    """As by Ctrl-Z and fg, in the midst of work, whole and in parts: nothing is lost by it."""
    seed = int(os.environ.get("SEED", time.time_ns() % 1_000_000))
    points = random.Random(seed)
    jail = start("freebsd", "/bin/tree", "5")
    stops = 0
    while jail.poll() is None:
        for process in points.sample([jail.pid, *descendants(jail.pid)], k=1) if stops % 2 else [jail.pid, *descendants(jail.pid)]:
            for number in (signal.SIGSTOP, signal.SIGCONT):
                try:
                    os.kill(process, number)
                except ProcessLookupError:
                    pass  # it had ended
        stops += 1
        time.sleep(points.uniform(0, 0.02))
    output, errors = jail.communicate(timeout=60)
    assert jail.returncode == 0 and output == b"63\n", f"seed {seed}: {jail.returncode} {output} {errors[-500:]}"
    assert stops > 3, stops
    nothing_left()


def killed_at_random(whom):
    seed = int(os.environ.get("SEED", time.time_ns() % 1_000_000))
    points = random.Random(seed)
    for n in range(12):
        jail = start("freebsd", "/bin/tree")
        victim = personality_of(jail) if whom == "personality" else jail.pid
        time.sleep(points.uniform(0, 0.4))
        try:
            os.kill(victim, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it had ended
        jail.communicate(timeout=60)
        allowed = (125, 0) if whom == "personality" else (-signal.SIGKILL, 0)
        assert jail.returncode in allowed, f"seed {seed}, run {n}: {jail.returncode}"
        if whom == "personality":
            nothing_left()  # libelle itself has waited for all
        else:
            wait_until_nothing_is_left()


def test_personality_killed_at_random():
    killed_at_random("personality")


def test_command_killed_at_random():
    killed_at_random("command")


def test_zygote_killed():
    """Without it no process can be made: programs are told so, the personality lives and ends as it should."""
    jail = start("freebsd", "/bin/bad", "spin")
    assert jail.stdout.readline() == b"spin\n"
    os.kill(children_of(personality_of(jail))[0], signal.SIGKILL)
    jail.communicate(timeout=60)
    assert jail.returncode == 128 + 9, jail.returncode
    nothing_left()


def main():
    wanted = sys.argv[1:]
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    MARK.unlink(missing_ok=True)
    passed, failed = 0, 0
    for name, test in list(globals().items()):
        if not name.startswith("test_") or (wanted and not any(each in name for each in wanted)):
            continue
        begin = time.monotonic()
        try:
            test()
            passed += 1
            verdict = "ok"
        except Exception as error:  # pylint: disable=broad-except
            failed += 1
            verdict = f"FAILED: {type(error).__name__}: {error}"
        print(f"{name}: {verdict} ({time.monotonic() - begin:.1f} s)", flush=True)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
