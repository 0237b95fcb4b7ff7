// SPDX-License-Identifier: BSD-2-Clause
// The controller: reads the command line, makes the workers, waits until they have done enough, destroys them
// and looks whether the kernel has all its memory back.
// Command line: seed=N invocations=N seconds=N hostile=0|1 modelled=0|1
#include <cstring>

#include "tests/fuzz/fuzz.hpp"

extern "C" char __executable_start[], _end[];

namespace fuzz {

Configuration configuration;
Random random;

namespace {

using namespace laboratory;

constexpr unsigned worker_priority = 50, hostile_priority = 60;
constexpr Word worker_pool_pages = 420, image_map = 0x4c00'0000;
alignas(4096) std::byte worker_stack[16384];
const auto& boot_information = *reinterpret_cast<const abi::BootInformation*>(abi::root_boot_address);

Word option(const char* name, Word otherwise) {
    std::size_t length = std::strlen(name);
    for (const char* at = boot_information.command_line; *at; ++at)
        if (std::strncmp(at, name, length) == 0 && at[length] == '=') {
            Word value = 0;
            for (at += length + 1; *at >= '0' && *at <= '9'; ++at)
                value = value * 10 + static_cast<Word>(*at - '0');
            return value;
        }
    return otherwise;
}

Word image_pages;
Selector next_selector; // counted here, so that a second set of workers has the slots of the first
Selector shared_notifications[abi::max_cores], shared_endpoints[abi::max_cores];

void worker_main(Word hostile) {
    random.seed(configuration.seed * max_workers + configuration.index);
    hostile ? run_hostile() : run_modelled();
    control().finished[configuration.index] = 1;
    for (;;)
        (void)invoke(Operation::wait, shared_notification + configuration.core);
}

void map_all(Selector binding, Word address, Word pages, Word flags) {
    for (Word done = 0; done < pages;) {
        Reply reply =
            invoke(Operation::map, binding, address + done * page, done * page, pages - done, flags);
        must("map", reply);
        done += reply.value;
    }
}

Selector carve(Selector pool, Word offset, Word pages, Word rights) {
    Selector made = next_selector++;
    must("carve", invoke(Operation::region_carve, abi::root_ram, made, pool, offset, pages * page, rights));
    return made;
}

Selector bind(Selector task, Selector pool, Selector region) {
    Selector made = next_selector++;
    must("bind", invoke(Operation::bind, task, made, pool, region));
    return made;
}

struct Ram {
    Word worker, image, puppets;
};

// A task with a copy of this image, as it is now. The pool pays for all of it.
Selector make_worker(unsigned index, unsigned core, bool hostile, const Ram& ram) {
    constexpr Word all = abi::map_read | abi::map_write | abi::map_execute;
    Selector pool = next_selector++, task = next_selector++, thread = next_selector++, time = next_selector++;
    must("pool", invoke(Operation::pool_create, abi::root_pool, pool, worker_pool_pages));
    must("task", invoke(Operation::task_create, pool, task, 1024, abi::root_information_address));
    configuration.index = index;
    configuration.core = core;
    Selector image = carve(pool, ram.image, image_pages, abi::region_right::all);
    Word image_start = reinterpret_cast<Word>(__executable_start) & ~(page - 1);
    map_all(bind(task, pool, image), image_start, image_pages, all);
    Selector here = bind(abi::root_task, pool, image);
    map_all(here, image_map, image_pages, abi::map_read | abi::map_write);
    std::memcpy(reinterpret_cast<void*>(image_map), reinterpret_cast<void*>(image_start), image_pages * page);
    for (Word done = 0; done < image_pages;) {
        Reply reply = invoke(Operation::unmap, abi::root_task, image_map + done * page, image_pages - done);
        must("unmap", reply);
        done += reply.value;
    }

    Selector memory = carve(pool, ram.worker, ram_pages, abi::region_right::all);
    Selector section =
        carve(pool, section_offset, section_pages, abi::region_right::read | abi::region_right::execute);
    Selector puppets = carve(pool, ram.puppets, puppet_pages, abi::region_right::all);
    map_all(bind(task, pool, memory), ram_address, ram_pages, abi::map_read | abi::map_write);
    map_all(bind(task, pool, puppets), puppet_address, puppet_pages, abi::map_read | abi::map_write);
    Child child{task, bind(task, pool, abi::root_ram)};
    must("control page",
         invoke(Operation::map, child.ram, child_data, data_offset, 1, abi::map_read | abi::map_write));
    must("thread", invoke(Operation::thread_create, pool, thread, task, core, child_buffer, 0));
    // A third of a core: hostile threads of lower priority want to run as well.
    Word period = glue::Clock::ticks_per_second() / 200;
    must("time", invoke(Operation::scheduling_create, pool, time, core, hostile ? 0 : period * 2 / 3,
                        hostile ? 0 : period, 255));
    must("configure",
         invoke(Operation::thread_configure, thread, hostile ? hostile_priority : worker_priority, time));
    give(child, abi::root_task, task, abi::task_right::all);
    give(child, abi::root_thread, thread, abi::thread_right::all);
    give(child, abi::root_pool, pool, abi::pool_right::create | abi::pool_right::schedule);
    give(child, abi::root_console, abi::root_console, abi::console_right::all);
    give(child, abi::root_ram, memory, abi::region_right::all);
    give(child, section_region, section, abi::region_right::all);
    give(child, puppet_region, puppets, abi::region_right::all);
    if (hostile)
        give(child, abi::root_irqs, abi::root_irqs, abi::irqs_right::all);
    for (unsigned i = 0; i < configuration.cores; ++i) {
        give(child, shared_notification + i, shared_notifications[i], abi::notification_right::all,
             index + 1);
        give(child, shared_endpoint + i, shared_endpoints[i], abi::endpoint_right::all, index + 1);
    }
    start(thread, worker_main, hostile, reinterpret_cast<Word>(worker_stack + sizeof worker_stack));
    return pool;
}

// Free pages of the root pool, once they are `wanted` or do not change any more.
Word wait_for_pages(Word wanted) {
    Word free = 0;
    for (unsigned i = 0; i < 100 && free != wanted; ++i) {
        (void)invoke(Operation::yield, 0);
        free = invoke(Operation::pool_info, abi::root_pool).value;
    }
    return free;
}

Word total(const volatile Word (&counts)[max_workers]) {
    Word sum = 0;
    for (Word count : counts)
        sum += count;
    return sum;
}

// Sleeps in steps until enough was done; false if some worker made no progress for a minute.
bool wait_for_workers(glue::Notification& alarm, glue::Timer& timer, unsigned workers, bool modelled,
                      Word invocations, Word seconds) {
    Word second = glue::Clock::ticks_per_second(), begun = glue::Clock::ticks().value, last = 0,
         changed = begun;
    unsigned patience = 200; // looks, for who has to say what is wrong
    for (;;) {
        Word now = glue::Clock::ticks().value;
        timer.set(glue::Ticks{now + second / 20});
        (void)alarm.wait();
        Word done = total(control().count);
        // Modelled workers keep going by themselves; hostile ones alone are watched only where there are no
        // others, because they have what time is left.
        if (Word seen = modelled ? done : total(control().hostile); seen != last) {
            last = seen;
            changed = now;
        }
        if (done >= invocations || now - begun >= seconds * second)
            control().stop = 1;
        if (control().failed && (control().explained || --patience == 0))
            return false;
        if (total(control().finished) == workers)
            return true;
        if (now - changed > 60 * second) {
            print("FAIL no progress for a minute; invocations by worker:");
            for (unsigned i = 0; i < workers; ++i) {
                print(" ");
                print(control().count[i]);
            }
            print("\n");
            return false;
        }
    }
}

void run() {
    configuration.cores = reinterpret_cast<const abi::InformationPage*>(abi::root_information_address)->cores;
    configuration.seed = option("seed", 1);
    configuration.verbose = option("verbose", 0);
    Word invocations = option("invocations", 100'000), seconds = option("seconds", 600);
    bool modelled = option("modelled", 1), hostile = option("hostile", 1);
    initialize();
    configuration.section_pages = section_pages;
    Word image_start = reinterpret_cast<Word>(__executable_start) & ~(page - 1);
    image_pages = (reinterpret_cast<Word>(_end) - image_start + page - 1) / page;
    for (unsigned i = 0; i < configuration.cores; ++i) {
        shared_notifications[i] = make_notification(i);
        shared_endpoints[i] = make_endpoint(i);
    }
    unsigned workers = 0;
    Ram ram[max_workers];
    Word aligned = 4 * abi::large_page_size / page;
    for (unsigned i = 0; i < 2 * configuration.cores && i < max_workers; ++i, aligned += ram_pages)
        ram[i].worker = aligned * page;
    (void)take_ram(aligned);
    for (auto& r : ram) {
        r.image = take_ram(image_pages);
        r.puppets = take_ram(puppet_pages);
    }
    Selector pools[max_workers];
    glue::Notification alarm(make_notification());
    auto timer = glue::Timer::create(abi::root_pool, alarm, 1);
    auto make_all = [&] {
        workers = 0;
        next_selector = 4096;
        for (unsigned core = 0; core < configuration.cores; ++core)
            for (bool is_hostile : {false, true})
                if (is_hostile ? hostile : modelled) {
                    pools[workers] = make_worker(workers, core, is_hostile, ram[workers]);
                    ++workers;
                }
    };
    auto destroy_all = [&] {
        for (unsigned i = 0; i < workers; ++i)
            must("pool_destroy", invoke(Operation::pool_destroy, pools[i]));
    };
    // The first set of workers is never used: it makes the tables' pages that stay.
    control().stop = 1;
    make_all();
    destroy_all();
    (void)wait_for_pages(~Word{0});
    Word before = wait_for_pages(~Word{0});
    std::memset(const_cast<Control*>(&control()), 0, sizeof(Control));
    make_all();
    bool ok = wait_for_workers(alarm, timer.value(), workers, modelled, invocations, seconds);
    print("invocations ");
    print(total(control().count));
    print(" modelled, about ");
    print(total(control().hostile));
    print(" hostile\n");
    if (!ok)
        finish(1);
    destroy_all();
    Word after = wait_for_pages(before);
    if (after != before) {
        print("FAIL the root pool had ");
        print(before);
        print(" free pages and has ");
        print(after);
        print("\n");
        finish(1);
    }
    print("ok no leak\n");
    finish(0);
}

} // namespace
} // namespace fuzz

extern "C" void libelle_main() {
    fuzz::run();
}
