# SPDX-License-Identifier: BSD-2-Clause
"""The machine of the tests of IRQ threads, and the figures of the chain through a driver."""
import pathlib, sys

root = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(root / "tests/kernel"))
from boot import boot, counted

# Two that share a line (their slots are four apart), and one with a vector a queue.
devices = ["-nic", "none", "-device", "edu,addr=0x4", "-device", "edu,addr=0x8", "-device", "e1000e,addr=0x5"]


def figures(console):
    """{stage: ticks} of what irq-chain printed."""
    return {words[1]: int(words[2]) for words in map(str.split, console.splitlines()) if words[:1] == ["figure"]}


def counted_figures(build):
    """The same in instructions."""
    finished, console = boot(pathlib.Path(build), "irq/irq-chain", counted, 1, devices=devices)
    if not finished:
        sys.exit(f"irq-chain did not end well:\n{console}")
    return figures(console)
