// SPDX-License-Identifier: BSD-2-Clause
// A hostile worker: threads of two child tasks on all cores invoke anything with anything, on objects that
// they share, each able to destroy all of them; meanwhile the worker stops, starts and finally destroys them.
// No result is checked but one: after a round all pages are back.
#include "tests/fuzz/fuzz.hpp"

extern "C" char child_section_start[];

namespace fuzz {

namespace {

constexpr unsigned threads = 6, tasks = 2, pool_pages = 330, table_slots = 64;
constexpr Word vcpu_address = 0x4500'0000, play_address = 0x5000'0000;

Selector next;
Selector task[tasks], thread[threads], sandbox;

// Half a gigabyte of nonsense that often means something: selectors, addresses, sizes, flags, extremes.
IN_CHILD Word any_argument(Word& state) {
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    Word x = state * 0x2545'f491'4f6c'dd1d >> 8, small = x >> 8 & 63;
    switch (x & 15) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
        return small;
    case 5:
    case 6:
        return play_address + small * page;
    case 7:
        return play_address + small * abi::large_page_size;
    case 8:
        return small * page;
    case 9:
        return ~Word{0} >> (x >> 8 & 63);
    case 10:
        return Word{1} << small;
    case 11:
        return puppet_address + (x >> 8 & 7) * page;
    case 12:
        return vcpu_address + (x >> 8 & 7) * page;
    case 13:
        return x;
    default:
        return x >> 8 & 7;
    }
}

IN_CHILD void hostile_main(Word index) {
    auto& count = *reinterpret_cast<volatile Word*>(puppet_address + index * page);
    auto& seed = *reinterpret_cast<volatile Word*>(puppet_address + index * page + 8);
    auto& vcpu = *reinterpret_cast<volatile abi::VcpuPage*>(vcpu_address + index * page);
    Word state = seed;
    for (;;) {
        seed = state;
        count = count + 1;
        auto operation = static_cast<Operation>(any_argument(state) % (abi::operation_count + 1));
        auto selector = static_cast<Selector>(any_argument(state) & 63);
        if (any_argument(state) % 32 == 0)
            selector = static_cast<Selector>(any_argument(state));
        bool waits = operation == Operation::wait || operation == Operation::vcpu_wait;
        bool message = operation == Operation::call || operation == Operation::receive ||
                       operation == Operation::reply_wait;
        bool destroys = operation == Operation::pool_destroy || operation == Operation::task_destroy ||
                        operation == Operation::thread_destroy;
        if ((waits || message || operation == Operation::thread_stop) && any_argument(state) % 4)
            continue;
        if (destroys && any_argument(state) % 64)
            continue;
        if (message) {
            Message sent{any_argument(state), {any_argument(state), any_argument(state)}, 0};
            (void)exchange(operation, selector, sent);
            continue;
        }
        if (operation == Operation::vcpu_run && any_argument(state) % 4 == 0) {
            vcpu.user.rip =
                any_argument(state) % 2 ? reinterpret_cast<Word>(&hostile_main) : any_argument(state);
            vcpu.user.rsp = puppet_address + index * page + page - 8;
            vcpu.user.rdi = index;
            vcpu.user.rflags = any_argument(state);
            vcpu.user.vector = any_argument(state) % 2 ? abi::vector_system_call : 0;
            vcpu.pending = 0;
            vcpu.deadline = any_argument(state);
            vcpu.fs_base = any_argument(state);
            vcpu.upcall_enable = any_argument(state) % 2;
            vcpu.upcall_entry = reinterpret_cast<Word>(&hostile_main);
            vcpu.upcall_stack = puppet_address + index * page + page - 8;
        }
        if (operation == Operation::vcpu_run) {
            (void)glue::native::run_vcpu(selector);
            continue;
        }
        (void)invoke(operation, selector, any_argument(state), any_argument(state), any_argument(state),
                     any_argument(state), any_argument(state));
    }
}

// Both tables get the same: all that the sandbox has, and what the workers share.
void share(Selector slot, Selector what, std::uint32_t rights, Word badge = 0) {
    for (Selector to : task)
        (void)invoke(Operation::capability_copy, to, slot, abi::root_task, what, rights, badge);
}

void make_sandbox() {
    auto must = [](const char* what, Reply reply) {
        if (!reply.ok()) {
            print("FAIL hostile worker: ");
            print(what);
            print("\n");
            control().failed = 1;
        }
    };
    next = first_free;
    sandbox = next++;
    must("pool_create", invoke(Operation::pool_create, abi::root_pool, sandbox, pool_pages));
    Selector slot = 1;
    for (unsigned i = 0; i < tasks; ++i) {
        task[i] = next++;
        must("task_create", invoke(Operation::task_create, sandbox, task[i], table_slots, 0));
        Selector text = next++, pages = next++;
        must("bind", invoke(Operation::bind, task[i], text, sandbox, section_region));
        must("bind", invoke(Operation::bind, task[i], pages, sandbox, puppet_region));
        for (Word done = 0; done < configuration.section_pages;) {
            Reply reply =
                invoke(Operation::map, text, reinterpret_cast<Word>(child_section_start) + done * page,
                       done * page, configuration.section_pages - done, abi::map_read | abi::map_execute);
            must("map", reply);
            done += reply.value;
        }
        must("map",
             invoke(Operation::map, pages, puppet_address, 0, threads, abi::map_read | abi::map_write));
    }
    for (unsigned i = 0; i < tasks; ++i) {
        Selector ram = next++;
        must("bind", invoke(Operation::bind, task[i], ram, sandbox, abi::root_ram));
        share(slot++, task[i], ~0u);
        share(slot++, ram, ~0u);
    }
    share(slot++, sandbox, abi::pool_right::create | abi::pool_right::destroy);
    Selector inner = next++, region = next++;
    must("inner pool", invoke(Operation::pool_create, sandbox, inner, pool_pages / 4));
    must("region", invoke(Operation::region_carve, abi::root_ram, region, sandbox, 0, ram_pages * page,
                          abi::region_right::all));
    share(slot++, inner, abi::pool_right::create | abi::pool_right::destroy);
    share(slot++, region, ~0u);
    Selector notification[abi::max_cores];
    for (unsigned core = 0; core < configuration.cores; ++core) {
        notification[core] = next++;
        Selector endpoint = next++, timer = next++;
        must("notification", invoke(Operation::notification_create, sandbox, notification[core], core));
        must("endpoint", invoke(Operation::endpoint_create, sandbox, endpoint, core));
        must("timer", invoke(Operation::timer_create, sandbox, timer, notification[core], 2));
        share(slot++, notification[core], ~0u, core == 0 ? 0 : 4);
        share(slot++, endpoint, ~0u, core == 0 ? 0 : 5);
        share(slot++, timer, ~0u);
        if (slot < 50)
            share(slot++, shared_notification + core, ~0u);
        if (slot < 50)
            share(slot++, shared_endpoint + core, ~0u);
    }
    for (unsigned i = 0; i < threads; ++i) {
        unsigned core = (configuration.core + i) % configuration.cores;
        Word address = puppet_address + i * page;
        *reinterpret_cast<volatile Word*>(address) = 0;
        *reinterpret_cast<volatile Word*>(address + 8) = random.next() | 1;
        thread[i] = next++;
        Selector time = next++, vcpu = next++, bits = next++;
        bool plain = random.one_in(2);
        must("thread", invoke(Operation::thread_create, sandbox, thread[i], task[i % tasks], core,
                              puppet_buffer + i * page, plain ? Word{abi::thread_no_fpu} : 0));
        Word period = random.one_in(2) ? 0 : 50'000 + random.below(2'000'000);
        must("time", invoke(Operation::scheduling_create, sandbox, time, core,
                            period ? 1 + random.below(period) : 0, period, 49));
        must("notification", invoke(Operation::notification_create, sandbox, bits, core));
        if (!plain) {
            must("vcpu",
                 invoke(Operation::vcpu_create, sandbox, vcpu, thread[i], vcpu_address + i * page, bits));
            share(slot++, vcpu, ~0u);
        }
        must("configure", invoke(Operation::thread_configure, thread[i], 10 + random.below(39), time, 0,
                                 plain && random.one_in(2) ? bits : 0));
        share(slot++, thread[i], ~0u);
        if (slot < 60)
            share(slot++, time, ~0u);
    }
    for (unsigned i = 0; i < threads; ++i)
        (void)invoke(Operation::thread_start, thread[i], reinterpret_cast<Word>(&hostile_main),
                     puppet_address + i * page + page - 8, i); // the first ones may have destroyed it
}

} // namespace

void run_hostile() {
    Selector alarm = 1000, timer = 1001;
    (void)invoke(Operation::notification_create, abi::root_pool, alarm, configuration.core);
    (void)invoke(Operation::timer_create, abi::root_pool, timer, alarm, 1);
    for (Selector at = first_free; at < 512; at += 64) { // the table's pages, once and for all
        (void)invoke(Operation::capability_copy, abi::root_task, at, abi::root_task, abi::root_task, 1);
        (void)invoke(Operation::capability_delete, abi::root_task, at);
    }
    Word before = invoke(Operation::pool_info, abi::root_pool).value, earlier = 0;
    Word millisecond = glue::Clock::ticks_per_second() / 1000;
    auto count = [&] {
        Word sum = 0;
        for (unsigned i = 0; i < threads; ++i)
            sum += *reinterpret_cast<volatile Word*>(puppet_address + i * page);
        control().hostile[configuration.index] = earlier + sum;
        return sum;
    };
    while (!control().stop && !control().failed) {
        make_sandbox();
        Word enough = 200 + random.below(5000), least = random.below(20);
        for (Word i = 0; i < 300 && (i < least || count() < enough) && !control().failed; ++i) {
            (void)invoke(Operation::timer_set, timer, glue::Clock::ticks().value + millisecond);
            (void)invoke(Operation::wait, alarm);
            // What got stuck is set free.
            unsigned which = static_cast<unsigned>(random.below(threads));
            (void)invoke(Operation::thread_stop, thread[which]);
            (void)invoke(Operation::thread_start, thread[which], reinterpret_cast<Word>(&hostile_main),
                         puppet_address + which * page + page - 8, which);
        }
        Reply reply = invoke(Operation::pool_destroy, sandbox);
        Word after = 0;
        for (unsigned i = 0; i < 20000 && after != before; ++i) {
            (void)invoke(Operation::yield, 0);
            after = invoke(Operation::pool_info, abi::root_pool).value;
        }
        if (after != before) {
            print("FAIL hostile worker ");
            print(configuration.index);
            print(": free pages after a round are ");
            print(after);
            print(", not ");
            print(before);
            print("; pool_destroy said ");
            print(abi::error_names[static_cast<unsigned>(reply.error)]);
            print("\n");
            control().failed = 1;
        }
        earlier += count();
    }
}

} // namespace fuzz
