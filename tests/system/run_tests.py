#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""System tests: boots boxes with build/libelle and looks at them from outside.

usage: run_tests.py [SUBSTRING…]   only tests whose name contains one of the substrings
Each test is a function test_*; it fails by an exception. The last line printed is `N passed, N failed, N skipped`.
"""
import inspect
import sys
import time
import traceback

import bad_input
import faults
import programs
import work


class Skip(Exception):
    pass


def main():
    wanted = sys.argv[1:]
    passed, failed, skipped = 0, [], 0
    for module in (bad_input, faults, programs, work):
        for name, test in inspect.getmembers(module, inspect.isfunction):
            if not name.startswith("test_") or (wanted and not any(w in name for w in wanted)):
                continue
            start = time.monotonic()
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
            print(f"{module.__name__}.{name}: {verdict} ({time.monotonic() - start:.1f} s)", flush=True)
    print(f"{passed} passed, {len(failed)} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
