// SPDX-License-Identifier: BSD-2-Clause
#include "box/supervisor.hpp"

#include "glue/console.hpp"

namespace box {

using abi::Operation;
using glue::native::check;
using glue::native::invoke;

namespace {

constexpr std::uint64_t main_badge = max_children + 1;

/// The box itself is broken: nobody is left to clean up, but the reason shall be seen.
void report_own_fault(const glue::native::Message& message) {
    glue::Console::write("box: panic: own fault at ");
    glue::Console::write_hex(message.word[1]);
    glue::Console::write(" address ");
    glue::Console::write_hex(message.word[0]);
    glue::Console::write(" vector ");
    glue::Console::write_decimal(message.word[3]);
    glue::Console::write("\n");
}

constexpr unsigned main_priority = 100;
constexpr unsigned fault_priority = main_priority + 1;
constexpr std::uint32_t refused = 1;
constexpr std::size_t stack_size = 8 << 10;
alignas(4096) std::byte stacks[abi::max_cores][stack_size];
} // namespace

glue::Outcome<void> Supervisor::initialize(std::uint32_t cores, const glue::Notification& event,
                                           std::uint64_t bits) {
    cores_ = cores;
    signal_ = TRY(event.badged(bits)).selector();
    for (std::uint32_t i = 0; i < cores; i++) {
        core_[i] = {this, glue::allocate_selector()};
        TRY(check(invoke(Operation::endpoint_create, abi::root_pool, core_[i].endpoint, i)));
        glue::Thread::Parameters p;
        p.pool = abi::root_pool;
        p.core = i;
        p.priority = fault_priority;
        p.scheduling =
            TRY(glue::create_scheduling(abi::root_pool, i, glue::Ticks{0}, glue::Ticks{0}, fault_priority));
        p.no_fpu = false; // the box is compiled with vector registers
        const auto thread = TRY(glue::Thread::create(p));
        TRY(thread.start(run, &core_[i], stacks[i] + stack_size));
    }
    const abi::Selector own = glue::allocate_selector();
    TRY(check(invoke(Operation::capability_copy, abi::root_task, own, abi::root_task, core_[0].endpoint,
                     abi::endpoint_right::send, main_badge)));
    TRY(check(invoke(Operation::thread_configure, abi::root_thread, main_priority, 0, own, 0)));
    return {};
}

void Supervisor::endpoints_for(std::uint32_t badge, abi::Selector (&out)[abi::max_cores]) const {
    for (std::uint32_t i = 0; i < cores_; i++) {
        out[i] = glue::allocate_selector();
        const auto reply = invoke(Operation::capability_copy, abi::root_task, out[i], abi::root_task,
                                  core_[i].endpoint, abi::endpoint_right::send, badge);
        if (!reply.ok())
            out[i] = 0;
    }
}

void Supervisor::run(void* argument) {
    const Core& core = *static_cast<Core*>(argument);
    Supervisor& self = *core.supervisor;
    glue::native::Message message{};
    glue::Error error = glue::native::exchange(Operation::receive, core.endpoint, message);
    while (true) {
        if (error == glue::Error::ok && message.badge != 0 && message.badge <= max_children) {
            FaultReport& fault = self.faults_[message.badge];
            fault.label = abi::tag_label(message.tag);
            fault.address = message.word[0];
            fault.rip = message.word[1];
            __atomic_store_n(&fault.happened, 1, __ATOMIC_RELEASE);
            (void)invoke(Operation::signal, self.signal_);
        }
        if (error == glue::Error::ok && message.badge == main_badge)
            report_own_fault(message);
        // A reply with a label of its own refuses to handle the fault: the thread stays stopped.
        message = {abi::make_tag(refused, 0), {}, 0};
        error = glue::native::exchange(Operation::reply_wait, core.endpoint, message);
    }
}

bool Supervisor::take(std::uint32_t badge, FaultReport& out) {
    FaultReport& fault = faults_[badge];
    if (__atomic_exchange_n(&fault.happened, 0, __ATOMIC_ACQUIRE) == 0)
        return false;
    out = fault;
    return true;
}

} // namespace box
