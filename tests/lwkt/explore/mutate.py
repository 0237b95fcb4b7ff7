# SPDX-License-Identifier: BSD-2-Clause
"""Breaks a source of LWKT on purpose, for the explorer to find. usage: mutate.py MUTANT INPUT OUTPUT

A mutant replaces one text, which must be there exactly once: when the source changes, so must the mutant."""
import pathlib, sys

MUTANTS = {
    # A waiter does not look again after it has announced itself: a release in between is missed.
    "token_no_second_look": ("if (__atomic_load_n(&token.state_, __ATOMIC_SEQ_CST) == 0)\n        wake(token);", ""),
    # A thread that gets a part of its tokens keeps it while it waits for the rest.
    "token_keeps_part": ("            release_all(thread, r);\n", ""),
    # A releaser looks for waiters before it releases.
    "token_looks_first": (
        "        __atomic_exchange_n(&token.state_, 0, __ATOMIC_SEQ_CST);\n    } else {",
        "        if (__atomic_load_n(&token.waiters_, __ATOMIC_RELAXED) == nullptr)\n"
        "            return (void)__atomic_exchange_n(&token.state_, 0, __ATOMIC_SEQ_CST);\n"
        "        __atomic_exchange_n(&token.state_, 0, __ATOMIC_SEQ_CST);\n    } else {"),
    # The head moves before the entry is written.
    "ipiq_publishes_early": (
        "    queue.entries[head % ipiq_length] = {function, argument, word};\n"
        "    __atomic_store_n(&queue.head, head + 1, __ATOMIC_SEQ_CST);\n",
        "    __atomic_store_n(&queue.head, head + 1, __ATOMIC_SEQ_CST);\n    explore_point();\n"
        "    queue.entries[head % ipiq_length] = {function, argument, word};\n"),
    # A core says that it will look after it has looked.
    "ipiq_forgets_late": (
        "        __atomic_exchange_n(&gd.notified, 0, __ATOMIC_SEQ_CST); // before looking: a later push kicks again\n"
        "        drain_inbox(gd);\n        drain_messages(gd);\n        drain_ipiq(gd);\n",
        "        drain_inbox(gd);\n        drain_messages(gd);\n        drain_ipiq(gd);\n"
        "        __atomic_exchange_n(&gd.notified, 0, __ATOMIC_SEQ_CST);\n"),
    # An entry is given back before it is read.
    "ipiq_reuses_early": (
        "            IpiQueue::Entry entry = queue.entries[tail % ipiq_length];\n"
        "            __atomic_store_n(&queue.tail, tail + 1, __ATOMIC_RELEASE);\n",
        "            __atomic_store_n(&queue.tail, tail + 1, __ATOMIC_RELEASE);\n            explore_point();\n"
        "            IpiQueue::Entry entry = queue.entries[tail % ipiq_length];\n"),
    # Two senders to one core: the one that comes second forgets the first.
    "msgport_overwrites": (
        "    while (!__atomic_compare_exchange_n(&target.message_inbox, &head, &message, true, __ATOMIC_SEQ_CST,\n"
        "                                        __ATOMIC_RELAXED));",
        "    while (false);\n    __atomic_store_n(&target.message_inbox, &message, __ATOMIC_SEQ_CST);"),
    # The sleeper does not say that its core has sleepers.
    "sleep_mask_late": (
        "    if (gd.sleepers[bucket].empty())\n        __atomic_fetch_or(&sleep_mask[bucket], 1u << gd.cpu, __ATOMIC_SEQ_CST);\n"
        "    gd.sleepers[bucket].push_back(self);\n",
        "    gd.sleepers[bucket].push_back(self);\n    if (gd.sleepers[bucket].head != self)\n"
        "        __atomic_fetch_or(&sleep_mask[bucket], 1u << gd.cpu, __ATOMIC_SEQ_CST);\n"),
    # A waiter is on the queue only after it has looked.
    "serializer_no_second_look": (
        "        tsleep_interlock(this, sleep_plain);\n        if (try_enter())\n            break;\n",
        "        if (try_enter())\n            break;\n        tsleep_interlock(this, sleep_plain);\n"),
    # The lock is open before the waiter is on the queue.
    "condition_unlocks_early": (
        "    tsleep_interlock(this, flags);\n    lock.unlock();\n",
        "    lock.unlock();\n    tsleep_interlock(this, flags);\n"),
    # A soft interrupt forgets what was raised between its look and its sleep.
    "soft_looks_once": (
        "            while ((wishes = __atomic_exchange_n(&soft.wishes_, 0, __ATOMIC_SEQ_CST)) == 0)\n"
        "                lwkt_switch_blocked();\n",
        "            while ((wishes = __atomic_load_n(&soft.wishes_, __ATOMIC_SEQ_CST)) == 0)\n"
        "                lwkt_switch_blocked();\n"
        "            __atomic_store_n(&soft.wishes_, 0, __ATOMIC_SEQ_CST);\n"),
    # What arrives for a thread that has left is taken for its own by the core that it left.
    "move_forgets_the_inbox": (
        "            push_on_inbox(thread);\n            continue;\n",
        ""),
}

name, source, output = sys.argv[1:]
text = pathlib.Path(source).read_text()
old, new = MUTANTS[name]
if text.count(old) != 1:
    sys.exit(f"mutate.py: {source} contains what {name} replaces {text.count(old)} times, not once")
pathlib.Path(output).write_text(text.replace(old, new))
