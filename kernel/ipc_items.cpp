// SPDX-License-Identifier: BSD-2-Clause
// What a message carries besides words: one page, one capability. An item that cannot be passed (nothing
// there, no right, no room with the receiver) is left out, and the receiver's tag says so; the message
// arrives all the same, because it cannot be taken back.
#include "kernel/flush.hpp"
#include "kernel/invocation.hpp"
#include "kernel/ipc.hpp"
#include "kernel/reclaim.hpp"

namespace kernel {

// A page item: one page of a region that the sender has bound for the receiver's space.
Error pass_page(const Thread& sender, const Thread& receiver, Word address) {
    abi::PageItem item = sender.buffer->item;
    Lookup<Binding> binding(sender, item.binding, abi::binding_right::map);
    if (!binding)
        return binding.error;
    if (binding->task != receiver.task)
        return Error::bad_argument;
    return map_page(*binding, address & ~(abi::page_size - 1), item.offset, item.flags);
}

// A capability item: a copy into the slot that the receiver has named. Both buffers can change at any time;
// each field is read once.
static Error pass_capability(const Thread& sender, const Thread& receiver) {
    abi::CapabilityItem item = sender.buffer->capability;
    Selector slot = __atomic_load_n(&receiver.buffer->receive_slot, __ATOMIC_RELAXED);
    LockGuard guard(structure_lock);
    Task& to = *receiver.task;
    if (to.dying)
        return Error::dead; // it is losing its table
    if (!to.table.has_page(slot))
        return Error::bad_argument; // to make one, beside a page's tables, is more than a step
    Capability* source = sender.task->table.slot(item.source);
    if (!source)
        return Error::bad_capability;
    return copy_capability(to, slot, *source, item.rights, item.badge);
}

Word pass_items(const Thread& sender, const Thread& receiver, Word tag, std::uint32_t rights) {
    if (tag & abi::tag_page_item && pass_page(sender, receiver, sender.buffer->item.address) != Error::ok)
        tag &= ~abi::tag_page_item;
    if (tag & abi::tag_capability_item &&
        (!(rights & abi::endpoint_right::grant) || pass_capability(sender, receiver) != Error::ok))
        tag &= ~abi::tag_capability_item;
    return tag;
}

} // namespace kernel
