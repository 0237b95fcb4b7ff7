# SPDX-License-Identifier: BSD-2-Clause
"""Small programs of different kinds print in a jail what they print on the host."""
import hashlib
import pathlib
import shutil
import signal
import subprocess
import time

import box as platform_of
from box import ECHO_JAIL, IMAGES, LIBELLE, ROOT, libelle, native_only, run, run_verb, same_as_host

CLOCK_SOURCE = pathlib.Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")
TEXT = b"".join(b"line %d of some words\n" % i for i in range(20000))


def both(program, *arguments, **options):
    for os_name in ("freebsd", "dragonfly"):
        same_as_host(os_name, program, *arguments, **options)


def test_files():
    both("files")


def test_files_that_are_left():
    try:
        both("leaves", "/tmp/files-test", "files", "keep")
    finally:
        shutil.rmtree("/tmp/files-test", ignore_errors=True)  # of the host's run


def test_process_tree():
    both("tree")


def test_signals():
    both("signals")


def as_it_should_be(program, *vcpus):
    for os_name in ("freebsd", "dragonfly"):
        for count in vcpus:
            done = run(os_name, f"/bin/{program}", options=["--cpus", count], limit=60)
            assert (done.returncode, done.stdout) == (0, b"all as it should be\n"), f"{os_name}, {count} vCPUs: {done}"


def test_umtx():
    as_it_should_be("umtx", "1", "2")


def test_signal_frames():
    as_it_should_be("frames", "1")


def test_timers():
    both("timers")


def test_clock_without_calls():
    done = run("freebsd", "/bin/clock", options=["--cpus", "2"])
    if done.stdout == b"no page\n":  # only a host whose own clock is not the counter
        assert platform_of.platform == "hosted" and CLOCK_SOURCE.read_text().strip() != "tsc", done
        return
    wanted = b"".join(b"between calls " + each + b"\n" for each in (b"at the start", b"after a sleep", b"after a computation"))
    assert (done.returncode, done.stdout) == (0, wanted), done


def test_go_reads_the_clock_without_calls():
    if platform_of.platform == "native" or CLOCK_SOURCE.read_text().strip() != "tsc":
        return  # there the trace shows what is called
    done = run("freebsd", "/bin/timers", options=["--trace", "-"])
    assert done.returncode == 0 and b"nanosleep" in done.stderr and b"clock_gettime" not in done.stderr, done


def test_sortjson():
    both("sortjson")


def test_digest():
    both("digest")


def test_digest_on_two_cores():
    both("digest", options=["--cpus", "2"])


def test_shared_files_and_pipes():
    both("parallel", "check", "8000", options=["--cpus", "2"])


def test_sockets():
    both("sockets", options=["--cpus", "2"])


def test_socket_interface():
    """Layouts, flags and errors of the socket calls, as a program without a library sees them."""
    for os_name in ("freebsd", "dragonfly"):
        done = run(os_name, "/bin/sockabi")
        assert done.returncode == 0 and b", 0 failed" in done.stdout, (os_name, done)


def test_memory_of_two_gibibytes():
    """The kernel's own pool grows with the machine: the box must be made large enough for both."""
    done = run("freebsd", "/bin/count", options=["--memory", "2G"])
    assert done.returncode == 0 and done.stdout.startswith(b"0 0 0\n"), done


def test_threads_born_while_their_process_ends():
    for os_name in ("freebsd", "dragonfly"):
        done = run(os_name, "/bin/births", "100", options=["--cpus", "4"], limit=100)
        assert done.returncode == 0 and done.stdout == b"ok\n", f"{os_name}: {done.stdout!r} {done.stderr[-800:]!r}"


def test_threads_go_to_a_free_processor():
    done = run("freebsd", "/bin/wander", options=["--cpus", "2"])
    assert done.returncode == 0 and done.stdout.splitlines()[-1] == b"they part when the other one is free", done


def test_interrupts_are_counted():
    """What vmstat -i shows: the box's doorbell, which announces input, and timers."""
    for os_name, names in (("freebsd", b"irq1: box          \ncpu0:timer         \n"), ("dragonfly", b"box\ntimer\n")):
        done = run(os_name, "/bin/vmstat", stdin=TEXT)
        assert done.returncode == 0 and done.stdout == names, done


def test_stdin_arguments_and_exit_status():
    both("count", "one", "", "three words here", stdin=TEXT)


def test_environment():
    done = run("freebsd", "/bin/count", options=["--env", "COUNT_NOTE=a b=c"])
    assert done.stdout.splitlines()[1] == b'[] "a b=c"', done.stdout
    assert b"to the standard error" in done.stderr


def descendants(pid):
    found = subprocess.run(["ps", "--ppid", str(pid), "-o", "pid="], capture_output=True, text=True).stdout.split()
    return found + [each for child in found for each in descendants(child)]


def test_interrupt_stops_cleanly():
    command = [LIBELLE, *run_verb(), IMAGES / "freebsd", "--", "/bin/bad", "spin"]
    box = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert box.stdout.readline() == b"spin\n"
    children = descendants(box.pid)
    assert children
    box.send_signal(signal.SIGINT)
    _, errors = box.communicate(timeout=30)
    assert box.returncode == 130, (box.returncode, errors)
    time.sleep(0.2)
    for child in children:
        assert subprocess.run(["ps", "-p", child], capture_output=True).returncode != 0, "something is still there"


def test_bundler():
    """A big Go program from the npm registry: its bundle is the one that its Linux build makes here, printed and as a file."""
    expected = (ROOT / "build/expected/bundle.js").read_bytes()
    command = ["/bin/esbuild", "index.js", "--bundle", "--minify", "--log-level=error"]
    for cpus in ("1", "2"):
        prefix, result = ([], []) if cpus == "1" else (["/bin/leaves", "/tmp/out"], ["--outfile=/tmp/out/bundle.js"])
        done = run("freebsd", *prefix, *command, *result, image=IMAGES / "bundler",
                   options=["--memory", "512M", "--directory", "/src", "--cpus", cpus], limit=300)
        assert done.returncode == 0, (cpus, done.returncode, done.stderr[-800:])
        if cpus == "1":
            assert done.stdout == expected, "a different bundle"
        else:
            line = f"/tmp/out/bundle.js -rw-r--r-- {len(expected)} {hashlib.sha256(expected).hexdigest()}"
            assert done.stdout.decode().splitlines()[1:] == [line], done.stdout[-500:]


@native_only
def test_consoles_carry_everything():
    """The box and the command alone: a stand-in personality copies a megabyte from stdin to stdout."""
    data = b"".join(b"%07d\n" % i for i in range(60000))
    done = libelle("run", IMAGES / "freebsd", "--", "/bin/count", "cat", "exit", "3", stdin=data, personality=ECHO_JAIL)
    assert done.returncode == 3 and done.stdout == b"/bin/count\n" + data, (done.returncode, len(done.stdout))


@native_only
def test_exit_and_signal_statuses():
    for arguments, wanted in ((["exit", "0"], 0), (["exit", "255"], 255), (["signal", "9"], 137)):
        done = libelle("run", IMAGES / "freebsd", "--", "/bin/count", *arguments, personality=ECHO_JAIL)
        assert done.returncode == wanted, (arguments, done.returncode)
