// SPDX-License-Identifier: BSD-2-Clause
#include "tests/kernel/laboratory.hpp"

#include <cstring>

extern "C" char child_section_start[], child_section_end[];

namespace laboratory {

Word data_offset, section_offset, section_pages;

namespace {
Word ram_used;
Selector our_binding;

void map(const char* what, Selector binding, Word address, Word offset, Word pages, Word flags) {
    for (Word done = 0; done < pages;) {
        Reply reply =
            invoke(Operation::map, binding, address + done * page, offset + done * page, pages - done, flags);
        must(what, reply);
        done += reply.value;
    }
}
} // namespace

Word take_ram(Word pages) {
    Word offset = ram_used;
    ram_used += pages * page;
    return offset;
}

void initialize() {
    our_binding = new_selector();
    must("bind", invoke(Operation::bind, abi::root_task, our_binding, abi::root_pool, abi::root_ram));
    take_ram(512); // so that what follows is not at offset 0
    data_offset = take_ram(1);
    map("map data", our_binding, child_data, data_offset, 1, abi::map_read | abi::map_write);
    std::memset(reinterpret_cast<void*>(child_data), 0, page);
    section_pages = (static_cast<Word>(child_section_end - child_section_start) + page - 1) / page;
    section_offset = take_ram(section_pages);
    map("map section", our_binding, scratch, section_offset, section_pages, abi::map_read | abi::map_write);
    std::memcpy(reinterpret_cast<void*>(scratch), child_section_start,
                static_cast<Word>(child_section_end - child_section_start));
    for (Word done = 0; done < section_pages;) {
        Reply reply = invoke(Operation::unmap, abi::root_task, scratch + done * page, section_pages - done);
        must("unmap", reply);
        done += reply.value;
    }
}

Child make_child(Selector pool, unsigned slots) {
    Child child{new_selector(), new_selector()};
    must("task_create", invoke(Operation::task_create, pool, child.task, slots, 0));
    must("bind child", invoke(Operation::bind, child.task, child.ram, pool, abi::root_ram));
    map("map child", child.ram, reinterpret_cast<Word>(child_section_start), section_offset, section_pages,
        abi::map_read | abi::map_execute);
    map("map child data", child.ram, child_data, data_offset, 1, abi::map_read | abi::map_write);
    map("map child stack", child.ram, child_stack - page, take_ram(1), 1, abi::map_read | abi::map_write);
    return child;
}

void give(const Child& child, Selector slot, Selector what, std::uint32_t rights, Word badge) {
    must("give", invoke(Operation::capability_copy, child.task, slot, abi::root_task, what, rights, badge));
}

Selector make_thread(Selector task, unsigned core, unsigned priority, Word buffer, bool passive,
                     Selector fault_endpoint, Selector pool) {
    Selector thread = new_selector(), scheduling = 0;
    must("thread_create",
         invoke(Operation::thread_create, pool, thread, task, core, buffer, abi::thread_no_fpu));
    if (!passive) {
        scheduling = new_selector();
        must("scheduling_create", invoke(Operation::scheduling_create, pool, scheduling, core, 0, 0, 255));
    }
    must("thread_configure",
         invoke(Operation::thread_configure, thread, priority, scheduling, fault_endpoint, 0));
    return thread;
}

void start(Selector thread, void (*function)(Word), Word argument, Word stack_top) {
    must("thread_start",
         invoke(Operation::thread_start, thread, reinterpret_cast<Word>(function), stack_top - 8, argument));
}

Selector make_endpoint(unsigned core, Selector pool) {
    Selector made = new_selector();
    must("endpoint_create", invoke(Operation::endpoint_create, pool, made, core));
    return made;
}

Selector make_notification(unsigned core, Selector pool) {
    Selector made = new_selector();
    must("notification_create", invoke(Operation::notification_create, pool, made, core));
    return made;
}

Selector new_selector() {
    return glue::allocate_selector();
}

void pause_for(Word microseconds) {
    static Selector alarm = make_notification(), timer = [] {
        Selector made = new_selector();
        must("timer", invoke(Operation::timer_create, abi::root_pool, made, alarm, 1));
        return made;
    }();
    must("set",
         invoke(Operation::timer_set, timer,
                glue::Clock::ticks().value + microseconds * glue::Clock::ticks_per_second() / 1'000'000));
    must("wait", invoke(Operation::wait, alarm));
}

void print(const char* text) {
    glue::Console::write(text);
}
void print(Word value) {
    glue::Console::write_decimal(value);
}

void fail(const char* what) {
    print("FAIL ");
    print(what);
    print("\n");
    finish(1);
}

void must(const char* what, Error error) {
    if (error == Error::ok)
        return;
    print("setup: ");
    print(abi::error_names[static_cast<unsigned>(error)]);
    print(": ");
    fail(what);
}
void must(const char* what, Reply reply) {
    must(what, reply.error);
}

void finish(unsigned status) {
    print(status == 0 ? "DONE\n" : "FAILED\n");
    glue::IoPort(abi::root_ports).out(0xf4, status, 4); // isa-debug-exit
    for (;;)
        (void)invoke(Operation::yield, 0);
}

bool has_argument(const char* text) {
    const char* at = reinterpret_cast<const abi::BootInformation*>(abi::root_boot_address)->command_line;
    std::size_t length = std::strlen(text);
    while (*at && std::strncmp(at, text, length) != 0)
        ++at;
    return *at;
}

} // namespace laboratory
