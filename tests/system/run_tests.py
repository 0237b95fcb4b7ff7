#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""System tests: runs jails with build/libelle and looks at them from outside, on the kernel and hosted.

usage: run_tests.py [SUBSTRING…]   only tests whose name contains one of the substrings; a name begins with its platform,
                                   such as hosted.programs.test_files
Each test is a function test_*; it fails by an exception. What ran on both platforms is compared at the end (same.py). The last
line printed is `N passed, N failed, N skipped`.
"""
import inspect
import sys
import time
import traceback

import bad_input
import box
import boxes
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


class Skip(Exception):
    pass


def main():
    wanted = sys.argv[1:]
    passed, failed, skipped = 0, [], 0
    for box.platform in ("native", "hosted"):
        for module in (bad_input, boxes, core_files, debugging, faults, hooks, idle, ktrace, memory, processes, programs, scheduling, terminals, trace, work):
            for function, test in inspect.getmembers(module, inspect.isfunction):
                name = f"{box.platform}.{module.__name__}.{function}"
                if not function.startswith("test_") or (wanted and not any(w in name for w in wanted)):
                    continue
                if hasattr(test, "native_only" if box.platform == "hosted" else "hosted_only"):
                    continue
                start = time.monotonic()
                box.test = f"{module.__name__}.{function}"
                try:
                    test()
                    passed += 1
                    verdict = "ok"
                except Skip as reason:
                    skipped += 1
                    verdict = f"skipped: {reason}"
                except Exception as error:
                    failed.append(name)
                    verdict = "FAILED: " + "".join(traceback.format_exception_only(type(error), error)).strip()
                print(f"{name}: {verdict} ({time.monotonic() - start:.1f} s)", flush=True)
    for test, difference in same.differences().items():
        print(f"same.{test}: {'FAILED: ' + difference if difference else 'ok'}", flush=True)
        passed += difference is None
        failed += [f"same.{test}"] if difference else []
    if not wanted:
        missing = same.missing_programs()
        print(f"same.every_program: {f'FAILED: not compared: {missing}' if missing else 'ok'}")
        passed += not missing
        failed += ["same.every_program"] if missing else []
    print(f"{passed} passed, {len(failed)} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
