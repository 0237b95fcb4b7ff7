// SPDX-License-Identifier: BSD-2-Clause
#include "box/task.hpp"

#include <cstring>

#include "glue/address_space.hpp"
#include "glue/clock.hpp"
#include "glue/vcpu.hpp"

namespace box {

using abi::Operation;
using glue::native::check;
using glue::native::invoke;
using glue::native::Reply;

abi::Selector box_event;

namespace {

constexpr std::uint64_t stack_size = 64 << 10;
constexpr std::uint64_t page = abi::page_size;
constexpr std::uint64_t child_doorbell = 2; // glue::Vcpu::event_doorbell

Reply map_all(abi::Selector binding, std::uint64_t address, std::uint64_t offset, std::uint64_t size,
              std::uint64_t flags) {
    for (std::uint64_t done = 0; done < size;) {
        auto reply =
            invoke(Operation::map, binding, address + done, offset + done, (size - done) / page, flags);
        if (!reply.ok())
            return reply;
        done += reply.value * page;
    }
    return {};
}

// One failing step names itself; the rest is skipped.
class Steps {
public:
    Steps& operator()(const char* what, Reply reply) {
        if (!failed_ && !reply.ok())
            failed_ = what;
        return *this;
    }
    bool ok() const { return !failed_; }
    const char* failed() const { return failed_; }

private:
    const char* failed_ = nullptr;
};

} // namespace

const char* Task::start(Memory& memory, const TaskParameters& parameters) {
    const char* failed = build(memory, parameters);
    if (failed)
        destroy();
    return failed;
}

const char* Task::build(Memory& memory, const TaskParameters& p) {
    if (!ram_.data) {
        auto ram = memory.take(p.memory, abi::large_page_size);
        if (!ram)
            return "memory: the box has not that much left";
        ram_ = ram.value();
    }
    pool_ = glue::allocate_selector();
    if (!invoke(Operation::pool_create, abi::root_pool, pool_, p.pool_pages).ok()) {
        glue::free_selector(pool_);
        pool_ = 0;
        return "kernel memory: the box has not that much left";
    }
    Program program;
    if (const char* wrong = load_program(p.program, ram_.data, ram_.size / 2, program))
        return wrong;
    // After the program: its stack and the start page.
    std::uint64_t stack_offset = program.size, start_offset = stack_offset + stack_size,
                  used = start_offset + page;
    std::memset(ram_.data + stack_offset, 0, stack_size + page);
    auto& start = *reinterpret_cast<glue::StartInformation*>(ram_.data + start_offset);
    start.magic = glue::start_magic;
    start.ram_size = ram_.size;
    start.ram_used = used;
    start.image_size = p.image ? p.image->size : 0;
    start.shared_size = p.shared.size;
    start.vcpus = p.vcpus;
    start.priority = p.priority;
    std::memcpy(start.core, p.cores, sizeof start.core);
    std::memcpy(start.name, p.name.data,
                p.name.size < sizeof start.name ? p.name.size : sizeof start.name - 1);
    std::strncpy(start.arguments, p.arguments, sizeof start.arguments - 1);

    Steps step;
    task_ = glue::allocate_selector();
    step("task",
         invoke(Operation::task_create, pool_, task_, glue::start_table_slots, glue::information_address));
    auto region_of = [&](const Piece& piece, std::uint32_t rights) {
        auto made = memory.carve(piece, pool_, rights);
        step("region", Reply{made ? glue::Error::ok : made.error(), 0, 0});
        return made ? made.value() : abi::Selector{0};
    };
    auto bind = [&](abi::Selector region) {
        abi::Selector binding = glue::allocate_selector();
        step("binding", invoke(Operation::bind, task_, binding, pool_, region));
        return binding;
    };
    auto give = [&](abi::Selector slot, abi::Selector what, std::uint32_t rights, std::uint64_t badge = 0) {
        step("capability",
             invoke(Operation::capability_copy, task_, slot, abi::root_task, what, rights, badge));
    };
    abi::Selector ram = region_of(ram_, abi::region_right::all);
    abi::Selector ram_binding = bind(ram);
    for (unsigned i = 0; i < program.count; ++i)
        step("program", map_all(ram_binding, program.segments[i].address, program.segments[i].offset,
                                program.segments[i].size, program.segments[i].flags));
    step("stack", map_all(ram_binding, glue::stack_top - stack_size, stack_offset, stack_size,
                          abi::map_read | abi::map_write));
    step("start page", map_all(ram_binding, glue::start_address, start_offset, page, abi::map_read));
    step("RAM window", map_all(ram_binding, glue::ram_window, 0, ram_.size, abi::map_read | abi::map_write));
    abi::Selector image = 0, shared = region_of(p.shared, abi::region_right::read | abi::region_right::write);
    step("shared window",
         map_all(bind(shared), glue::shared_window, 0, p.shared.size, abi::map_read | abi::map_write));
    if (p.image) {
        image = region_of(*p.image, abi::region_right::read | abi::region_right::execute);
        step("image window", map_all(bind(image), glue::image_window, 0, p.image->size, abi::map_read));
    }

    thread_ = glue::allocate_selector();
    event_ = glue::allocate_selector();
    abi::Selector event = event_origin_ = glue::allocate_selector();
    step("event", invoke(Operation::notification_create, pool_, event, p.cores[0]));
    step("event", invoke(Operation::capability_copy, abi::root_task, event_, abi::root_task, event,
                         abi::notification_right::signal, child_doorbell));
    step("thread",
         invoke(Operation::thread_create, pool_, thread_, task_, p.cores[0], glue::buffer_address, 0));
    give(glue::start_task, task_, abi::task_right::control | abi::task_right::map);
    give(glue::start_thread, thread_, abi::thread_right::control);
    give(glue::start_pool, pool_, abi::pool_right::create);
    give(glue::start_ram, ram, abi::region_right::all);
    if (image)
        give(glue::start_image, image, abi::region_right::read | abi::region_right::execute);
    give(glue::start_shared, shared, abi::region_right::all);
    give(glue::start_console, abi::root_console, abi::console_right::write);
    give(glue::start_doorbell, box_event, abi::notification_right::signal, p.doorbell_bits);
    give(glue::start_event, event, abi::notification_right::all);
    abi::Selector first_scheduling = 0;
    for (unsigned i = 0; i < p.vcpus; ++i) {
        abi::Selector scheduling = glue::allocate_selector();
        step("scheduling context", invoke(Operation::scheduling_create, pool_, scheduling, p.cores[i],
                                          p.budget.value, p.period.value, p.priority));
        give(glue::start_scheduling + i, scheduling, abi::scheduling_right::bind);
        give(glue::start_fault_endpoint + i, p.fault_endpoints[p.cores[i]], abi::endpoint_right::send);
        if (i == 0)
            first_scheduling = scheduling;
        if (p.priority + 1 == abi::priorities)
            continue; // nothing is above it
        abi::Selector irq = glue::allocate_selector();
        step("scheduling context", invoke(Operation::scheduling_create, pool_, irq, p.cores[i],
                                          p.budget.value / 5, p.period.value, p.priority + 1));
        give(glue::start_irq_scheduling + i, irq, abi::scheduling_right::bind);
    }
    step("configure", invoke(Operation::thread_configure, thread_, p.priority, first_scheduling,
                             p.fault_endpoints[p.cores[0]], 0));
    step("start", invoke(Operation::thread_start, thread_, program.entry, glue::stack_top, 0));
    return step.failed();
}

void Task::destroy() {
    if (!pool_)
        return;
    (void)invoke(Operation::pool_destroy, pool_);
    pool_ = task_ = thread_ = event_ = event_origin_ = 0;
}

void Task::ring() const {
    (void)invoke(Operation::signal, event_);
}

glue::Ticks Task::consumed() const {
    auto reply = invoke(Operation::thread_info, thread_);
    return glue::Ticks{reply.ok() ? reply.second : 0};
}

abi::ThreadState Task::state() const {
    auto reply = invoke(Operation::thread_info, thread_);
    return reply.ok() ? static_cast<abi::ThreadState>(reply.value) : abi::ThreadState::dead;
}

} // namespace box
