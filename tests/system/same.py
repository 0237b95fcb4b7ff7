# SPDX-License-Identifier: BSD-2-Clause
"""The same image gives the same results on both platforms: what the system tests ran natively and hosted is compared, command
by command: standard output and exit status, byte for byte. Files that a program makes are in the output of tests/programs/leaves.
"""
import os

from box import ROOT

# Tests whose results may differ, and why.
MAY_DIFFER = {
    "chaos.test_chaos": "it prints anything",
    "core_files.test_layout": "core files have the times and the extended state of their processes in them",
    "core_files.test_debugger": "the same",
    "faults.test_memory_hog": "whether mmap refuses or a fault kills depends on how much memory a fault gives, which is the platform's",
    "hooks.test_lefthook": "it prints how many seconds each command took",
}
ONE_SYSTEM = {"wander": {"freebsd"}, "esbuild": {"freebsd"}, "clock": {"freebsd"}}  # programs that are not there for both
NOT_COMPARED = {"idle", "crowd", "chaos"}  # what they measure is the kernel's, or their output is anything


def differences(outcomes):
    """{test: what differs} of the tests that ran on both platforms; None for none."""
    native, hosted = outcomes["native"], outcomes["hosted"]
    return {test: first_difference(native[test], hosted[test]) for test in native if test in hosted and test not in MAY_DIFFER}


def first_difference(native, hosted):
    if len(native) != len(hosted):
        return f"{len(native)} commands natively, {len(hosted)} hosted"
    for (command, status, output), (hosted_command, hosted_status, hosted_output) in zip(native, hosted):
        if command != hosted_command:
            # A directory of a test's own has another name each time.
            if [each for each in command if "/libelle-test-" not in each] != [each for each in hosted_command if "/libelle-test-" not in each]:
                return f"{command} natively, {hosted_command} hosted"
        if status != hosted_status:
            return f"{command}: exit {status} natively, {hosted_status} hosted"
        if output != hosted_output:
            at = next((i for i, (a, b) in enumerate(zip(output, hosted_output)) if a != b), min(len(output), len(hosted_output)))
            return f"{command}: at byte {at} {output[at:at + 60]!r} natively, {hosted_output[at:at + 60]!r} hosted"
    return None


def missing_programs(outcomes):
    """Test programs that no compared test ran to an output on both platforms, for each system they are for."""
    ran = set()
    for test in differences(outcomes):
        for command, _, output in outcomes["native"][test]:
            if not output or "--" not in command or "--abi" not in command:
                continue
            system = command[command.index("--abi") + 1]
            ran.update((os.path.basename(word), system) for word in command[command.index("--") + 1:])
    programs = [path.name for path in (ROOT / "tests/programs").iterdir() if path.is_dir() and path.name not in NOT_COMPARED] + ["esbuild"]
    wanted = {(program, system) for program in programs for system in ONE_SYSTEM.get(program, {"freebsd", "dragonfly"})}
    return sorted(wanted - ran)
