# SPDX-License-Identifier: BSD-2-Clause
"""Boots an ISO in Debian's bochs without a screen: its processor models have x2APIC, PCID and the TSC deadline timer,
which QEMU's emulation lacks."""
import os, pathlib, pty, subprocess, tempfile, time

# `ips` is how many instructions bochs counts as a second: its clocks then run by instructions, whatever the host's speed.
CONFIGURATION = """
display_library: term
romimage: file=/usr/share/bochs/BIOS-bochs-latest, options=fastboot
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
memory: guest=256, host=256
cpu: model={model}, count={cores}, ips=50000000, reset_on_triple_fault=0
clock: sync=none, time0=utc
boot: cdrom
ata0-master: type=cdrom, path={iso}, status=inserted
com1: enabled=1, mode=file, dev={directory}/serial
sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy
log: {directory}/log
panic: action=fatal
error: action=report
info: action=report
debug: action=ignore
"""


def debug(iso: pathlib.Path, model: str, commands: list, timeout=60):
    """What the debugger says to commands, the last of which should be q."""
    with tempfile.TemporaryDirectory() as directory:
        pathlib.Path(directory, "bochsrc").write_text(CONFIGURATION.format(model=model, cores=1, iso=iso, directory=directory))
        pathlib.Path(directory, "commands").write_text("\n".join(commands) + "\n")
        screen, terminal = pty.openpty()
        bochs = subprocess.Popen(["bochs", "-q", "-f", f"{directory}/bochsrc", "-rc", f"{directory}/commands"], stdin=terminal,
                                 stdout=terminal, stderr=terminal, env={**os.environ, "TERM": "vt100"}, start_new_session=True)
        os.close(terminal)
        os.set_blocking(screen, False)
        said, end = b"", time.monotonic() + timeout
        while time.monotonic() < end and bochs.poll() is None:
            time.sleep(0.05)
            try:
                said += os.read(screen, 1 << 16)
            except OSError:
                pass
        bochs.kill()
        bochs.wait()
        os.close(screen)
        return said.decode(errors="replace")


def boot(iso: pathlib.Path, model: str, cores: int, ends=("\nDONE", "\nFAILED", "\nkernel panic"), timeout=180):
    """(finished, console): runs until the serial line shows one of `ends`, whose first means success."""
    with tempfile.TemporaryDirectory() as directory:
        serial = pathlib.Path(directory, "serial")
        pathlib.Path(directory, "bochsrc").write_text(CONFIGURATION.format(model=model, cores=cores, iso=iso, directory=directory))
        pathlib.Path(directory, "commands").write_text("c\n")  # Debian's build starts in its debugger
        # The terminal display needs a terminal: one that nobody looks at, read so that it does not fill up.
        screen, terminal = pty.openpty()
        bochs = subprocess.Popen(["bochs", "-q", "-f", f"{directory}/bochsrc", "-rc", f"{directory}/commands"], stdin=terminal,
                                 stdout=terminal, stderr=terminal, env={**os.environ, "TERM": "vt100"}, start_new_session=True)
        os.close(terminal)
        os.set_blocking(screen, False)
        end = time.monotonic() + timeout
        console = ""
        try:
            while time.monotonic() < end and bochs.poll() is None and not any(mark in console for mark in ends):
                time.sleep(0.1)
                try:
                    os.read(screen, 1 << 16)
                except OSError:
                    pass
                console = serial.read_text(errors="replace") if serial.exists() else ""
        finally:
            bochs.kill()
            bochs.wait()
            os.close(screen)
        console = serial.read_text(errors="replace") if serial.exists() else ""
        if not any(mark in console for mark in ends):
            log = pathlib.Path(directory, "log")
            console += "\n(no end; bochs' log ends so:)\n" + (log.read_text(errors="replace")[-2000:] if log.exists() else "")
        return ends[0] in console, console
