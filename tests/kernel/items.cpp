// SPDX-License-Identifier: BSD-2-Clause
// Capability items in messages and in replies. (Page items: test_ipc and the pager's benchmark.)
#include "tests/kernel/check.hpp"

namespace laboratory {

namespace {

enum Slot : Selector { slot_endpoint = 10, slot_taken = 20 };
enum Cell : unsigned { cell_tag = 64, cell_signal };

// Takes one capability with each request, uses it, and passes it back.
IN_CHILD void take_and_return(Word) {
    auto* buffer = reinterpret_cast<abi::MessageBuffer*>(child_buffer);
    buffer->receive_slot = slot_taken;
    buffer->capability = {slot_taken, abi::notification_right::signal, 0};
    Message message{};
    (void)exchange(Operation::receive, slot_endpoint, message);
    for (;;) {
        shared<Word>(cell_tag) = message.tag;
        shared<Word>(cell_signal) = static_cast<Word>(invoke(Operation::signal, slot_taken).error);
        message.tag = abi::make_tag(0, 0, abi::tag_capability_item);
        (void)exchange(Operation::reply_wait, slot_endpoint, message);
    }
}

// Sends the capability that it sends through.
IN_CHILD void send_own(Word slot) {
    auto* buffer = reinterpret_cast<abi::MessageBuffer*>(child_buffer + page);
    buffer->capability = {static_cast<Selector>(slot), ~0u, 0};
    Message message{abi::make_tag(3, 0, abi::tag_capability_item), {}, 0};
    (void)exchange(Operation::send, static_cast<Selector>(slot), message);
    asm volatile("ud2");
}

} // namespace

void test_capability_items() {
    auto* buffer = reinterpret_cast<abi::MessageBuffer*>(abi::root_buffer_address);
    Child child = make_child();
    Selector endpoint = make_endpoint(), plain = new_selector(), given = make_notification();
    give(child, slot_endpoint, endpoint, abi::endpoint_right::receive);
    must("copy", invoke(Operation::capability_copy, abi::root_task, plain, abi::root_task, endpoint,
                        abi::endpoint_right::send));
    Selector server = make_thread(child.task, 0, 120, child_buffer);
    start(server, take_and_return, 0, child_stack);

    Message message{};
    auto call = [&](Selector through, Selector source, Word badge, Selector receive_slot,
                    Word flags = abi::tag_capability_item) {
        buffer->capability = {source, ~0u, badge};
        buffer->receive_slot = receive_slot;
        message.tag = abi::make_tag(0, 0, flags);
        return exchange(Operation::call, through, message);
    };
    auto came = [](Word tag) { return (tag & abi::tag_capability_item) != 0; };
    auto take_back = [&] { (void)invoke(Operation::capability_delete, child.task, slot_taken); };

    // There with a badge, and back with less rights.
    Selector back = new_selector();
    CHECK_EQ(call(endpoint, given, 6, back), Error::ok);
    CHECK(came(shared<Word>(cell_tag)));
    CHECK_EQ(shared<Word>(cell_signal), Error::ok);
    CHECK_EQ(invoke(Operation::poll, given).value, 6);
    CHECK(came(message.tag));
    CHECK_ERROR(invoke(Operation::signal, back), ok);
    CHECK_EQ(invoke(Operation::poll, given).value, 6);
    CHECK_ERROR(invoke(Operation::poll, back), no_right);

    // What was passed is derived from what it was made of.
    CHECK_ERROR(invoke(Operation::capability_revoke, abi::root_task, given), ok);
    CHECK_ERROR(invoke(Operation::signal, back), bad_capability);
    CHECK_EQ(call(endpoint, given, 0, 0), Error::ok);
    CHECK_EQ(shared<Word>(cell_signal), Error::ok); // the server's slot was empty again

    // Left out, while the message arrives: the slot is taken, nobody names one, nothing is passed, a second
    // badge.
    CHECK_EQ(call(endpoint, given, 0, 0), Error::ok);
    CHECK(!came(shared<Word>(cell_tag)));
    CHECK(!came(message.tag));
    take_back();
    CHECK_EQ(call(endpoint, new_selector(), 0, back), Error::ok);
    CHECK(!came(shared<Word>(cell_tag)));
    CHECK_EQ(shared<Word>(cell_signal), Error::bad_capability);
    CHECK(!came(message.tag));
    Selector badged = new_selector();
    must("badge", invoke(Operation::capability_copy, abi::root_task, badged, abi::root_task, given,
                         abi::notification_right::signal, 4));
    CHECK_EQ(call(endpoint, badged, 8, 0), Error::ok);
    CHECK(!came(shared<Word>(cell_tag)));

    // Nor where no slot of the page has been used: the kernel makes none for a message.
    CHECK_EQ(call(endpoint, given, 0, 50'000), Error::ok);
    CHECK(came(shared<Word>(cell_tag)));
    CHECK(!came(message.tag));
    take_back();

    // Not without the right to grant, in either direction.
    CHECK_EQ(call(plain, given, 0, back), Error::no_right);
    CHECK_EQ(exchange(Operation::send, plain, message), Error::no_right);
    CHECK_EQ(call(endpoint, given, 0, 0), Error::ok);
    CHECK(came(shared<Word>(cell_tag)));
    CHECK_EQ(call(plain, 0, 0, back, 0), Error::ok);
    CHECK(!came(message.tag));
    CHECK_ERROR(invoke(Operation::signal, back), bad_capability);

    // One-way, and queued before it is received: the item is passed when the message is.
    take_back();
    CHECK_ERROR(invoke(Operation::thread_stop, server), ok);
    Selector own = make_endpoint(), sender = make_thread(child.task, 0, 120, child_buffer + page);
    give(child, slot_endpoint + 1, own, abi::endpoint_right::all);
    start(sender, send_own, slot_endpoint + 1, child_stack - 512);
    CHECK_EQ(invoke(Operation::thread_info, sender).value, abi::ThreadState::sending);
    buffer->receive_slot = back;
    CHECK_EQ(exchange(Operation::receive, own, message), Error::ok);
    CHECK_EQ(message.tag, abi::make_tag(3, 0, abi::tag_capability_item));
    CHECK_EQ(invoke(Operation::thread_info, sender).value, abi::ThreadState::faulted);
    message.tag = 0;
    CHECK_EQ(exchange(Operation::send, back, message, 1), Error::would_block); // it names `own`
    buffer->receive_slot = 0;
    CHECK_ERROR(invoke(Operation::task_destroy, child.task), ok);
    CHECK_ERROR(invoke(Operation::signal, back), bad_capability);
}

} // namespace laboratory
