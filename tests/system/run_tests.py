#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""System tests: runs jails with build/libelle and looks at them from outside, on the kernel and hosted.

usage: run_tests.py [SUBSTRING…]   only tests whose name contains one of the substrings; a name begins with its platform,
                                   such as hosted.programs.test_files
Each test is a function test_*; it fails by an exception. What ran on both platforms is compared at the end (same.py). The last
line printed is `N passed, N failed, N skipped`.
"""
import concurrent.futures
import inspect
import multiprocessing
import sys
import time
import traceback

import bad_input
import box
import boxes
import chaos
import core_files
import debugging
import faults
import hooks
import idle
import ktrace
import memory
import processes
import programs
import same
import scheduling
import terminals
import trace
import work


MODULES = (bad_input, boxes, chaos, core_files, debugging, faults, hooks, idle, ktrace, memory, processes, programs, scheduling, terminals,
           trace, work)
ALONE = (scheduling,)  # they judge who got how much of a processor


def run_one(platform, module, function):
    """(name, what went wrong or None, seconds, what its commands came to)"""
    box.platform, box.test = platform, f"{module}.{function}"
    box.outcomes.clear()
    start = time.monotonic()
    try:
        getattr(sys.modules[module], function)()
        wrong = None
    except Exception as error:
        wrong = "".join(traceback.format_exception_only(type(error), error)).strip()
    return f"{platform}.{box.test}", wrong, time.monotonic() - start, dict(box.outcomes)


def chosen(platform, alone, wanted):
    excluded = "native_only" if platform == "hosted" else "hosted_only"
    return [(platform, module.__name__, function) for module in MODULES if (module in ALONE) == alone
            for function, test in inspect.getmembers(module, inspect.isfunction)
            if function.startswith("test_") and not hasattr(test, excluded)
            and (not wanted or any(each in f"{platform}.{module.__name__}.{function}" for each in wanted))]


def main():
    wanted = sys.argv[1:]
    passed, failed = 0, []
    outcomes = {"native": {}, "hosted": {}}

    def done(result):
        nonlocal passed
        name, wrong, seconds, results = result
        for platform, tests in results.items():
            outcomes[platform].update(tests)
        print(f"{name}: {'FAILED: ' + wrong if wrong else 'ok'} ({seconds:.1f} s)", flush=True)
        passed += not wrong
        failed.extend([name] if wrong else [])

    # On the kernel a jail rarely keeps two processors busy: two tests at a time.
    with concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context("fork")) as pool:
        for each in concurrent.futures.as_completed([pool.submit(run_one, *each) for each in chosen("native", False, wanted)]):
            done(each.result())
    for each in chosen("native", True, wanted) + chosen("hosted", False, wanted) + chosen("hosted", True, wanted):
        done(run_one(*each))
    for test, difference in same.differences(outcomes).items():
        print(f"same.{test}: {'FAILED: ' + difference if difference else 'ok'}", flush=True)
        passed += difference is None
        failed += [f"same.{test}"] if difference else []
    if not wanted:
        missing = same.missing_programs(outcomes)
        print(f"same.every_program: {f'FAILED: not compared: {missing}' if missing else 'ok'}")
        passed += not missing
        failed += ["same.every_program"] if missing else []
    print(f"{passed} passed, {len(failed)} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
