#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Runs a command as on a host that grants less.

usage: poorer_host.py WHAT COMMAND…
WHAT: `notification`: no seccomp user notification; `listener`: somebody listens already, as a container's manager may;
`both`: no notification, and no ptrace."""
import ctypes
import os
import struct
import sys

PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 22, 38
SECCOMP, PTRACE = 317, 101
LOAD_NUMBER, JUMP_EQUAL, RETURN = (0x20, 0, 0, 0), 0x15, 6
ALLOW, REFUSE = 0x7fff0000, 0x00050000 | 22  # SECCOMP_RET_ERRNO, EINVAL
NEW_LISTENER = 1 << 3


def filter_against(numbers):
    code = [LOAD_NUMBER]
    for number in numbers:
        code += [(JUMP_EQUAL, 0, 1, number), (RETURN, 0, 0, REFUSE)]
    code.append((RETURN, 0, 0, ALLOW))
    return ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *each) for each in code)), len(code)


def main():
    what, *command = sys.argv[1:]
    libc = ctypes.CDLL(None, use_errno=True)
    code, size = filter_against({"notification": [SECCOMP], "both": [SECCOMP, PTRACE], "listener": []}[what])
    program = struct.pack("HxxxxxxQ", size, ctypes.addressof(code))
    assert libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    if what == "listener":
        listener = libc.syscall(SECCOMP, 1, NEW_LISTENER, program)
        assert listener >= 0, os.strerror(ctypes.get_errno())
        os.set_inheritable(listener, True)
    else:
        assert libc.prctl(PR_SET_SECCOMP, 2, program, 0, 0) == 0, os.strerror(ctypes.get_errno())
    os.execv(command[0], command)


main()
