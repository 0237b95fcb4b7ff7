// SPDX-License-Identifier: BSD-2-Clause
// The common call and reply_wait: the partner is there, nothing else is to be done, no item. Up to four words
// stay in r12 .. r15 from the sender's SYSCALL to the receiver's SYSRET, because C++ preserves them; longer
// messages are copied between the buffers. Nothing is changed before all is known to fit: otherwise the entry
// takes the general path (ipc.cpp), which answers every case, with the registers it had.
#include "kernel/invocation.hpp"
#include "kernel/ipc.hpp"
#include "kernel/switch.hpp"

namespace kernel {

namespace {

// What the receiver gets besides the words, as entry.S expects it in rax and rdx.
struct Delivered {
    Word tag;
    Word badge;
};
constexpr Word tag_slow = 0x80;
constexpr Delivered slow{tag_slow, 0};

// A live endpoint of this core behind a capability with `right`, or nullptr.
[[gnu::always_inline]] inline Endpoint* find_endpoint(Core& core, Thread& thread, Word selector,
                                                      std::uint32_t right, Word& badge,
                                                      std::uint32_t& rights) {
    auto found = thread.task->table.find(static_cast<Selector>(selector));
    badge = found.badge;
    rights = found.rights;
    if (!(found.rights & right) || !is_live(*found.object, core.endpoint_head)) // no object, no right
        return nullptr;
    return static_cast<Endpoint*>(found.object);
}

// No items, no reserved bit, no more words than a message has.
[[gnu::always_inline]] inline bool is_plain(Word tag) {
    return (tag & 0xffff'ffff) <= abi::message_words;
}

[[gnu::always_inline]] inline void copy_buffer(const Thread& from, Thread& to, Word tag) {
    Word words = tag & 0x7f;
    if (words <= abi::register_words) [[likely]]
        return;
    words -= abi::register_words;
    void *source = from.buffer->words + abi::register_words, *target = to.buffer->words + abi::register_words;
    asm volatile("rep movsq" : "+S"(source), "+D"(target), "+c"(words)::"memory");
}

} // namespace

extern "C" Delivered call_fast(Word selector, Word tag) {
    Core& core = this_core();
    Thread& caller = *core.current;
    Word badge;
    std::uint32_t rights;
    Endpoint* endpoint = find_endpoint(core, caller, selector, abi::endpoint_right::send, badge, rights);
    if (!endpoint || !is_plain(tag)) [[unlikely]]
        return slow;
    Thread* server = endpoint->receivers.first;
    if (!server || server->timer.queued || caller.depth >= max_call_depth) [[unlikely]]
        return slow;
    endpoint->receivers.pop_first();
    caller.sent_rights = rights;
    lend(caller, *server, ThreadState::waiting_reply);
    server->state = ThreadState::ready;
    copy_buffer(caller, *server, tag);
    switch_threads(core, caller, *server);
    return {tag, badge};
}

extern "C" Delivered reply_wait_fast(Word selector, Word tag) {
    Core& core = this_core();
    Thread& server = *core.current;
    Word badge;
    std::uint32_t rights;
    Endpoint* endpoint = find_endpoint(core, server, selector, abi::endpoint_right::receive, badge, rights);
    Thread* caller = server.caller;
    if (!endpoint || !caller || !is_plain(tag)) [[unlikely]]
        return slow;
    if (caller->state != ThreadState::waiting_reply || caller->fault_pending || endpoint->senders.first ||
        endpoint->posts.first || (server.notification && server.notification->bits) ||
        caller->priority < core.ready.highest() || server.context == server.own_context ||
        server.service != endpoint) [[unlikely]]
        return slow;
    give_back(server);
    caller->state = ThreadState::ready;
    endpoint->receivers.push(server);
    server.state = ThreadState::receiving;
    copy_buffer(server, *caller, tag);
    switch_threads(core, server, *caller);
    return {tag, 0};
}

} // namespace kernel
