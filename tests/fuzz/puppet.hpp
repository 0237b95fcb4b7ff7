// SPDX-License-Identifier: BSD-2-Clause
// Puppets: threads of child tasks that execute one command after the other for a modelled worker. Each has a
// page, seen by worker and child at the same address: mailbox below, stack above.
#pragma once

#include "tests/fuzz/worker.hpp"

namespace fuzz {

// Slots of a child's table that no fuzzed operation names.
enum ChildSlot : Selector { child_command = 1, child_barrier = 12, child_first = 16 };
inline constexpr Word guest_page = 0x4300'0000; // the worker's vCPU page, for probing

struct Mailbox {
    // the command
    Word sequence, kind, operation, selector, argument[5];
    Word tag, seed, deadline; // of an exchange
    abi::PageItem item;
    abi::CapabilityItem capability;
    Selector receive_slot;
    // what came of it
    Word taken, done, error, value, second, badge, received_tag, word[4], buffer[abi::message_words];
    Word command, buffer_address; // immutable while the puppet lives
};
static_assert(sizeof(Mailbox) <= 2048);
enum CommandKind : Word { command_invoke, command_exchange, command_touch };

inline Mailbox& mailbox(int puppet) {
    return *reinterpret_cast<Mailbox*>(puppet_address + static_cast<Word>(puppet) * page);
}
void post(int puppet);  // starts the command that is in the mailbox
void await(int puppet); // until it is done
// Between two looks at what another core does; false when it has been too long (some 40 s).
bool keep_waiting(Word& rounds);
Reply command(int puppet, Operation operation, Selector selector, Word a, Word b, Word c, Word d, Word e);
void puppet_main(Word mailbox_address); // in the child
void probe_main(Word address);          // guest code: loads or stores, then traps

} // namespace fuzz
