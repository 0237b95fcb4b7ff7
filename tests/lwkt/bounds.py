# SPDX-License-Identifier: BSD-2-Clause
"""The bounds that lwkt/README.md states, checked under -icount, where a tick is an instruction and figures repeat."""
from jail import root, run, run_on_one_core

BOUNDS = {  # name: (bound, what)
    "lwkt_loop_top_half_to_thread": (2000, "an interrupt thread preempts an endless LWKT thread"),
    "user_loop_top_half_to_thread": (2000, "an interrupt thread preempts an endless BSD process"),
    "lwkt_loop_due_to_thread": (3000, "from the timer to the interrupt thread, LWKT thread"),
    "user_loop_due_to_thread": (3000, "from the timer to the interrupt thread, BSD process"),
    "wait_token": (10000, "of 40 million, budget spent on a token whose holder is descheduled"),
    "wait_ipi_call": (5000, "of 40 million, budget spent on an IPI reply that a descheduled core owes"),
    "wait_full_queue": (200000, "of 40 million, budget spent on a full IPI queue of a descheduled core"),
}


def check():
    """(passed, failed)"""
    passed = failed = 0
    figures = {}
    status, outputs, errors = run_on_one_core(root / "build", "tests/lwkt/lwkt_bounds", 2)
    for status, output, errors in (run(root / "build", "tests/lwkt/lwkt_bounds", 1, "--icount"), (status, outputs[0], errors)):
        if status != 0:
            print(f"lwkt_bounds: status {status}\n{output}{errors}")
        figures.update((line.split()[0], int(line.split()[1])) for line in output.splitlines())
    for name, (bound, what) in BOUNDS.items():
        good = name in figures and figures[name] <= bound
        print(f"{what}: {figures.get(name, 'no figure')} instructions, at most {bound}: {'ok' if good else 'FAILED'}")
        passed += good
        failed += not good
    return passed, failed
