# SPDX-License-Identifier: BSD-2-Clause
"""A QEMU under a test's hand: the serial line, the monitor (`nmi`, `mce`, registers) and the debugger's stub."""
import os, pathlib, select, socket, subprocess, sys, tempfile, time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "kernel"))
from boot import boot_module, plain

ROOT = pathlib.Path(__file__).resolve().parents[2]


def symbols(kernel=ROOT / "build/native/kernel/kernel"):
    lines = subprocess.run(["nm", kernel], capture_output=True, text=True, check=True).stdout.splitlines()
    return {name: int(address, 16) for address, _, name in (line.split() for line in lines)}


class Qemu:
    """Runs `program` as the root task; use as a context."""

    def __init__(self, program, machine=plain, cores=1, arguments="", kernel=None, debug=False, extra=()):
        self.directory = tempfile.TemporaryDirectory()
        path = pathlib.Path(self.directory.name)
        module = path / "module"
        module.write_bytes(boot_module(pathlib.Path(program).read_bytes()))
        command = ["qemu-system-x86_64", *machine, "-M", "q35", "-smp", str(cores), "-m", "256", "-kernel", kernel or ROOT / "build/native/kernel/kernel",
                   "-initrd", module, "-append", arguments, "-display", "none", "-no-reboot", "-serial", "stdio",
                   "-device", "isa-debug-exit,iobase=0xf4", "-monitor", f"unix:{path}/monitor,server=on,wait=off", *extra]
        if debug:  # stopped until the debugger lets it go
            command += ["-gdb", f"unix:{path}/debug,server=on,wait=off", "-S"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.console = ""
        self.monitor = self._connect(path / "monitor")
        self._until_prompt()
        if debug:
            self.stub = self._connect(path / "debug")
            self.packet("qXfer:features:read:target.xml:0,ffb")  # single registers only for who has asked

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.directory.cleanup()

    def _connect(self, path):
        end = time.monotonic() + 20
        while True:
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(str(path))
                connection.settimeout(30)
                return connection
            except OSError:
                connection.close()
                if time.monotonic() > end or self.process.poll() is not None:
                    raise RuntimeError("QEMU did not start: " + self.read())
                time.sleep(0.02)

    def read(self):
        while select.select([self.process.stdout], [], [], 0)[0]:
            data = os.read(self.process.stdout.fileno(), 1 << 16)
            if not data:
                break
            self.console += data.decode(errors="replace")
        return self.console

    def wait_for(self, *texts, timeout=60):
        """Until the console has one of the texts, or QEMU ends; False if neither comes."""
        end = time.monotonic() + timeout
        while not any(text in self.read() for text in texts):
            if self.process.poll() is not None:
                return any(text in self.read() for text in texts)
            if time.monotonic() > end:
                return False
            select.select([self.process.stdout], [], [], 0.1)
        return True

    def _until_prompt(self):
        answer = b""
        while not answer.endswith(b"(qemu) "):
            part = self.monitor.recv(1 << 16)
            if not part:
                raise EOFError
            answer += part
        return answer.decode(errors="replace")

    def command(self, line):
        """A monitor command's answer; None once QEMU has ended."""
        try:
            self.monitor.sendall(line.encode() + b"\n")
            return self._until_prompt()
        except (OSError, EOFError):
            return None

    # The debugger's remote protocol, as much as is needed.
    def packet(self, text, answer=True):
        self.stub.sendall(b"$%s#%02x" % (text.encode(), sum(text.encode()) & 255))
        return self.answer() if answer else None

    def answer(self):
        data = b""
        while True:
            data += self.stub.recv(1)
            if data.endswith(b"+") and b"$" not in data:
                data = b""
            if len(data) > 3 and data[-3:-2] == b"#":
                self.stub.sendall(b"+")
                return data[data.index(b"$") + 1:-3].decode()

    def run_to(self, address):
        """Lets the machine run until a core is about to execute `address`; that core's registers can be set then."""
        self.packet(f"Z1,{address:x},1")
        reason = self.packet("c")
        self.packet(f"z1,{address:x},1")
        return reason

    def resume(self):
        self.packet("c", answer=False)

    # rax 0, rbx 1, rcx 2, rdx 3, rsi 4, rdi 5, rbp 6, rsp 7, r8 .. r15, rip 16, flags 17 (four bytes)
    def register(self, number):
        return int.from_bytes(bytes.fromhex(self.packet(f"p{number:x}")), "little")

    def set_register(self, number, value, size=8):
        return self.packet(f"P{number:x}={value.to_bytes(size, 'little').hex()}")

    def write(self, address, value, size=8):
        return self.packet(f"M{address:x},{size:x}:{value.to_bytes(size, 'little').hex()}")
