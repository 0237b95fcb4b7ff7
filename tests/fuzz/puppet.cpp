// SPDX-License-Identifier: BSD-2-Clause
#include "tests/fuzz/puppet.hpp"

extern "C" char child_section_start[];

namespace fuzz {

IN_CHILD void puppet_main(Word address) {
    auto& box = *reinterpret_cast<volatile Mailbox*>(address);
    auto* buffer = reinterpret_cast<volatile abi::MessageBuffer*>(box.buffer_address);
    for (;;) {
        while (!invoke(Operation::wait, static_cast<Selector>(box.command)).ok()) {
        }
        if (box.sequence == box.done)
            continue; // a signal that was left over
        __atomic_store_n(const_cast<Word*>(&box.taken), Word{box.sequence}, __ATOMIC_RELEASE);
        auto operation = static_cast<Operation>(box.operation);
        auto selector = static_cast<Selector>(box.selector);
        if (box.kind == command_touch) {
            (void)*reinterpret_cast<volatile char*>(box.argument[0]);
        } else if (box.kind == command_exchange) {
            Message message{box.tag, {}, 0};
            for (unsigned i = 0; i < 4; ++i)
                message.word[i] = message_word(box.seed, i);
            for (unsigned i = 4; i < abi::message_words; ++i)
                buffer->words[i] = message_word(box.seed, i);
            buffer->item.binding = box.item.binding;
            buffer->item.flags = box.item.flags;
            buffer->item.offset = box.item.offset;
            buffer->item.address = box.item.address;
            buffer->capability.source = box.capability.source;
            buffer->capability.rights = box.capability.rights;
            buffer->capability.badge = box.capability.badge;
            buffer->receive_slot = box.receive_slot;
            box.error = static_cast<Word>(exchange(operation, selector, message, box.deadline));
            box.received_tag = message.tag;
            box.badge = message.badge;
            for (unsigned i = 0; i < 4; ++i)
                box.word[i] = message.word[i];
            for (unsigned i = 4; i < abi::message_words; ++i)
                box.buffer[i] = buffer->words[i];
        } else {
            Reply reply = invoke(operation, selector, box.argument[0], box.argument[1], box.argument[2],
                                 box.argument[3], box.argument[4]);
            box.error = static_cast<Word>(reply.error);
            box.value = reply.value;
            box.second = reply.second;
        }
        __atomic_store_n(const_cast<Word*>(&box.done), Word{box.sequence}, __ATOMIC_RELEASE);
    }
}

void post(int puppet) {
    Mailbox& box = mailbox(puppet);
    __atomic_store_n(&box.sequence, ++model.puppets[puppet].sequence, __ATOMIC_RELEASE);
    unsigned core = model[model.puppets[puppet].thread].core;
    Reply reply =
        invoke(Operation::signal, golden_command + core * max_puppets + static_cast<Selector>(puppet));
    equal("signal to a puppet", static_cast<Word>(reply.error), 0);
}

bool keep_waiting(Word& rounds) {
    if (++rounds < 1000)
        asm volatile("pause");
    else // another core is busy, or its host is: meanwhile the hostile threads have this one
        (void)invoke(Operation::wait, sleep_notification,
                     glue::Clock::ticks().value + glue::Clock::ticks_per_second() / 10'000);
    return rounds < 400'000 && !control().failed;
}

void await(int puppet) {
    const Mailbox& box = mailbox(puppet);
    for (Word rounds = 0; __atomic_load_n(&box.done, __ATOMIC_ACQUIRE) != model.puppets[puppet].sequence;)
        if (!keep_waiting(rounds))
            disagree("a puppet's last command (it hangs)", box.done, model.puppets[puppet].sequence);
}

Reply command(int puppet, Operation operation, Selector selector, Word a, Word b, Word c, Word d, Word e) {
    Mailbox& box = mailbox(puppet);
    box.kind = command_invoke;
    box.operation = static_cast<Word>(operation);
    box.selector = selector;
    const Word arguments[] = {a, b, c, d, e};
    for (unsigned i = 0; i < 5; ++i)
        box.argument[i] = arguments[i];
    post(puppet);
    await(puppet);
    return {static_cast<Error>(box.error), box.value, box.second};
}

namespace {

Word kernel_state(Wait wait) {
    switch (wait) {
    case Wait::inactive:
        return static_cast<Word>(abi::ThreadState::inactive);
    case Wait::sending:
        return static_cast<Word>(abi::ThreadState::sending);
    case Wait::receiving:
        return static_cast<Word>(abi::ThreadState::receiving);
    case Wait::reply:
        return static_cast<Word>(abi::ThreadState::waiting_reply);
    case Wait::faulted:
        return static_cast<Word>(abi::ThreadState::faulted);
    default:
        return static_cast<Word>(abi::ThreadState::waiting);
    }
}

void check_outcome(int puppet, const Outcome& wanted) {
    const Mailbox& box = mailbox(puppet);
    if (wanted.or_would_block && box.error == static_cast<Word>(Error::would_block))
        return;
    equal("result of a puppet's command", box.error, static_cast<Word>(wanted.error));
    if (wanted.error != Error::ok)
        return;
    if (!wanted.exchange) {
        if (wanted.check_value)
            equal("value of a puppet's command", box.value, wanted.value);
        return;
    }
    if (wanted.badge_known)
        equal("badge", box.badge, wanted.badge);
    if (wanted.fault) {
        equal("tag of a fault", box.received_tag, wanted.tag);
        equal("fault address", box.word[0], wanted.fault_address);
        equal("fault code", box.word[2], wanted.fault_code);
        equal("fault vector", box.word[3], wanted.fault_vector);
        return;
    }
    if (wanted.check_value) { // a notification's bits
        equal("tag of a notification", box.received_tag, wanted.tag);
        equal("bits of a bound notification", box.word[0], wanted.value);
        return;
    }
    equal("tag", box.received_tag, wanted.tag);
    unsigned words = wanted.tag & 0x7f;
    for (unsigned i = 0; i < words && i < 4; ++i)
        equal("register word", box.word[i], message_word(wanted.seed, i));
    for (unsigned i = 4; i < words && i < abi::message_words; ++i)
        equal("buffer word", box.buffer[i], message_word(wanted.seed, i));
}

void settle_puppet(int i) {
    Puppet& puppet = model.puppets[i];
    Object& thread = model[puppet.thread];
    if (thread.wait == Wait::none && puppet.ended) {
        await(i);
        check_outcome(i, puppet.outcome);
    }
    puppet.ended = false;
    puppet.changed = false;
    Word rounds = 0;
    // Its command waits for a notification, and before it is taken so does the puppet: the states look alike.
    if (thread.wait == Wait::notification)
        while (__atomic_load_n(&mailbox(i).taken, __ATOMIC_ACQUIRE) != puppet.sequence)
            if (!keep_waiting(rounds))
                disagree("a puppet's command (it is not taken)", mailbox(i).taken, puppet.sequence);
    Word state = ~Word{0}, wanted = kernel_state(thread.wait);
    do
        state = invoke(Operation::thread_info, golden + static_cast<Selector>(puppet.thread)).value;
    while (state != wanted && keep_waiting(rounds));
    equal("state of a puppet", state, wanted);
    if (thread.wait != Wait::none && thread.wait != Wait::inactive && mailbox(i).done == puppet.sequence &&
        puppet.sequence != 0)
        disagree("a puppet that should be blocked has done command", mailbox(i).done, puppet.sequence - 1);
}

unsigned settled;

} // namespace

void settle() {
    bool all = ++settled % 32 == 0;
    for (int i = 0; i < static_cast<int>(max_puppets); ++i)
        if (model.puppets[i].thread != nobody && (all || model.puppets[i].changed))
            settle_puppet(i);
}

// In a round about messages: a puppet's task has capabilities to two endpoints of its core, which others have
// too.
static void share_endpoints(int task, unsigned core) {
    constexpr int round_pool = 0; // the first object of a round
    Task& to = model.tasks[task];
    int endpoints[2], found = 0;
    for (int i = 0; i < static_cast<int>(max_objects) && found < 2; ++i)
        if (model[i].alive && model[i].kind == Kind::endpoint && model[i].core == core &&
            model[i].pool == round_pool)
            endpoints[found++] = i;
    for (; found < 2; ++found) {
        int made = model.make(Kind::endpoint, round_pool);
        if (made == nobody || free_pages(round_pool) < 12) {
            if (made != nobody)
                model[made].alive = false;
            return;
        }
        equal("endpoint_create",
              static_cast<Word>(issue({}, Operation::endpoint_create, golden + round_pool,
                                      golden + static_cast<Selector>(made), core)
                                    .error),
              0);
        model[made].core = static_cast<std::uint8_t>(core);
        endpoints[found] = made;
    }
    for (int endpoint : endpoints)
        for (Selector i = 0; i < to.slots; ++i)
            if (to.slot[i].object == nobody) {
                Word badge = random.one_in(2) ? 1 + random.below(1 << 20) : 0;
                equal("copy of an endpoint",
                      static_cast<Word>(issue({}, Operation::capability_copy,
                                              golden + static_cast<Selector>(to.object), to.first + i,
                                              abi::root_task, golden + static_cast<Selector>(endpoint), ~0u,
                                              badge)
                                            .error),
                      0);
                to.slot[i] = {endpoint, abi::endpoint_right::all, badge, ++model.clock,
                              model[endpoint].origin};
                break;
            }
}

// A thread in a random modelled child task, with time of its own, running puppet_main.
void make_puppet() {
    int index = static_cast<int>(random.below(max_puppets));
    int task = 1 + static_cast<int>(random.below(max_tasks - 1));
    int object = model.tasks[task].object;
    if (model.puppets[index].thread != nobody || object == nobody)
        return;
    int pool = model[object].pool;
    if (!(model[pool].rights & abi::pool_right::schedule) || free_pages(pool) < 16)
        return;
    int thread = model.make(Kind::thread, pool), context = model.make(Kind::scheduling, pool);
    int text = model.make(Kind::binding, pool), pages = model.make(Kind::binding, pool);
    if (pages == nobody) {
        for (int made : {thread, context, text})
            if (made != nobody)
                model[made].alive = false;
        return;
    }
    auto core = static_cast<unsigned>(random.below(configuration.cores));
    Word place = static_cast<Word>(index) * page, buffer = puppet_buffer + place;
    auto at = [](int i) { return golden + static_cast<Selector>(i); };
    auto ok = [](const char* what, Reply reply) { equal(what, static_cast<Word>(reply.error), 0); };
    ok("bind of a puppet's text", issue({}, Operation::bind, at(object), at(text), at(pool), section_region));
    ok("bind of a puppet's page", issue({}, Operation::bind, at(object), at(pages), at(pool), puppet_region));
    Word start = reinterpret_cast<Word>(child_section_start);
    for (Word done = 0; done < configuration.section_pages;) {
        Reply reply =
            issue({}, Operation::map, at(text), start + done * page, done * page,
                  configuration.section_pages - done, abi::map_read | abi::map_execute | abi::map_replace);
        ok("map of a puppet's text", reply);
        done += reply.value;
    }
    ok("map of a puppet's page", issue({}, Operation::map, at(pages), puppet_address + place, place, 1,
                                       abi::map_read | abi::map_write | abi::map_replace));
    ok("thread_create of a puppet", issue({}, Operation::thread_create, at(pool), at(thread), at(object),
                                          core, buffer, random.one_in(2) ? Word{abi::thread_no_fpu} : 0));
    ok("scheduling_create of a puppet",
       issue({}, Operation::scheduling_create, at(pool), at(context), core, 0, 0, 56));
    Word priority = 55 + random.below(2);
    ok("thread_configure of a puppet",
       issue({}, Operation::thread_configure, at(thread), priority, at(context)));
    auto slot = child_command + static_cast<Selector>(index);
    (void)issue({}, Operation::capability_delete, at(object), slot);
    ok("copy of the command", issue({}, Operation::capability_copy, at(object), slot, abi::root_task,
                                    golden_command + core * max_puppets + static_cast<Selector>(index),
                                    abi::notification_right::receive));
    (void)issue({}, Operation::capability_delete, at(object), child_barrier);
    ok("copy of the barrier", issue({}, Operation::capability_copy, at(object), child_barrier, abi::root_task,
                                    barrier_notification, abi::notification_right::signal));
    Object& made = model[thread];
    made.task = object;
    made.core = static_cast<std::uint8_t>(core);
    made.context = context;
    made.priority = static_cast<unsigned>(priority);
    made.puppet = index;
    made.wait = Wait::inactive;
    model[text].task = model[pages].task = object;
    model.tasks[task].has_text = true;
    model[context].owner = thread;
    model[context].core = made.core;
    model[context].limit = 56;
    model.puppets[index] = {.thread = thread, .changed = true};
    Mailbox& box = mailbox(index);
    box = {};
    box.command = slot;
    box.buffer_address = buffer;
    if (model.about_ipc)
        share_endpoints(task, core);
}

} // namespace fuzz
