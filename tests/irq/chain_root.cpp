// SPDX-License-Identifier: BSD-2-Clause
// The whole chain of an interrupt through a driver in another task: device, kernel, IRQ thread of the driver,
// its queue and the client's bell, LWKT interrupt thread, which preempts the client's loop. This is the root
// task, in the box's place: it makes both tasks with the box's code, programs the devices' messages, gives
// the driver what it needs, and lets it die once. Prints figures, "figure NAME TICKS" of 95 in 100.
#include <cstring>
#include <utility>

#include "box/task.hpp"
#include "tests/irq/chain.hpp"
#include "tests/irq/support.hpp"

extern "C" const std::uint8_t chain_driver[], chain_driver_end[], chain_client[], chain_client_end[];

namespace laboratory {

namespace {

using chain::Kind;

constexpr unsigned client_priority = 50, driver_priority = 60;

Word interrupts_of_all() {
    Word sum = 0;
    for (unsigned core = 0; core < core_count(); ++core)
        sum += interrupts_at(core);
    return sum;
}

class Root {
public:
    void run();

private:
    void start(box::Task& task, const char* name, proto::Bytes program, unsigned core, unsigned priority);
    void start_driver();
    void give(const box::Task& to, unsigned slot, Selector what, std::uint32_t rights, Word bits = 0);
    void give_registers(const box::Task& to, Kind kind);
    template <class Condition>
    void wait_until(const char* what, Condition condition);
    std::uint32_t phase() const { return __atomic_load_n(&shared_->phase, __ATOMIC_SEQ_CST); }
    std::uint32_t drivers() const { return __atomic_load_n(&shared_->drivers, __ATOMIC_SEQ_CST); }
    void print_figures();

    box::Memory memory_;
    box::Piece piece_;
    chain::Shared* shared_ = nullptr;
    box::Task client_, driver_;
    Edu device_[chain::kinds]{Edu(0), Edu(1)};
    unsigned line_ = 0;
    Selector fault_endpoints_[abi::max_cores]{}; // nobody receives: a fault is a silence that is noticed
};

void Root::start(box::Task& task, const char* name, proto::Bytes program, unsigned core, unsigned priority) {
    box::TaskParameters p;
    p.name = {name, std::strlen(name)};
    p.program = program;
    p.memory = 4 << 20;
    p.pool_pages = 512;
    p.shared = piece_;
    p.cores[0] = core;
    p.priority = priority;
    p.doorbell_bits = 1;
    p.fault_endpoints = fault_endpoints_;
    if (const char* why = task.start(memory_, p))
        fail(why);
}

void Root::give(const box::Task& to, unsigned slot, Selector what, std::uint32_t rights, Word bits) {
    must("give", invoke(Operation::capability_copy, to.selector(), slot, abi::root_task, what, rights, bits));
}

// The page of a device's registers, and nothing else.
void Root::give_registers(const box::Task& to, Kind kind) {
    Selector region = new_selector();
    must("registers", invoke(Operation::region_carve, abi::root_devices, region, to.pool(),
                             device_[kind].registers() - box::boot_information().devices_base, page,
                             abi::region_right::read | abi::region_right::write));
    give(to, chain::device_region + kind, region, abi::region_right::read | abi::region_right::write);
}

// The interrupt objects are of the driver's pool: they go when it goes.
void Root::start_driver() {
    unsigned core = core_count() - 1;
    start(driver_, "driver", {chain_driver, static_cast<std::size_t>(chain_driver_end - chain_driver)}, core,
          driver_priority);
    for (unsigned n = 0; n < chain::kinds; ++n) {
        auto kind = static_cast<Kind>(n);
        give_registers(driver_, kind);
        Selector notification = make_notification(core, driver_.pool()), irq = new_selector(),
                 scheduling = new_selector();
        must("time", invoke(Operation::scheduling_create, driver_.pool(), scheduling, core, 0, 0,
                            driver_priority + 1));
        if (kind == chain::message) {
            Reply made = invoke(Operation::msi_create, abi::root_irqs, irq, driver_.pool(), notification, 1,
                                driver_priority + 1);
            must("message", made);
            device_[kind].use_message(made.value, made.second);
        } else {
            must("line", invoke(Operation::irq_create, abi::root_irqs, irq, driver_.pool(),
                                abi::interrupt_line(line_, driver_priority + 1), notification, 1));
        }
        give(driver_, chain::interrupt + kind, irq, abi::irq_right::all);
        give(driver_, chain::interrupt_notification + kind, notification, abi::notification_right::all);
        give(driver_, chain::interrupt_scheduling + kind, scheduling, abi::scheduling_right::bind);
        give(driver_, chain::client_bell + kind, client_.event(), abi::notification_right::signal,
             Word{1} << (chain::client_bit + kind));
    }
    std::uint32_t before = drivers();
    driver_.ring();
    wait_until("the driver serves", [&] { return drivers() != before; });
}

template <class Condition>
void Root::wait_until(const char* what, Condition condition) {
    Word deadline = glue::Clock::ticks().value + 60 * glue::Clock::ticks_per_second();
    while (!condition())
        if (!invoke(Operation::wait, box::box_event, deadline).ok())
            fail(what);
}

void Root::print_figures() {
    for (unsigned kind = 0; kind < chain::kinds; ++kind)
        for (unsigned loop = 0; loop < chain::loops; ++loop)
            for (unsigned stage = 0; stage < chain::stages; ++stage) {
                std::uint64_t(&ticks)[chain::samples] = shared_->ticks[kind][loop][stage];
                for (unsigned i = 1; i < chain::samples; ++i)
                    for (unsigned k = i; k != 0 && ticks[k] < ticks[k - 1]; --k)
                        std::swap(ticks[k], ticks[k - 1]);
                CHECK_EQ(shared_->latency[kind][loop][stage].total(), chain::samples);
                print("figure ");
                print(chain::kind_names[kind]);
                print("_");
                print(chain::loop_names[loop]);
                print("_");
                print(chain::stage_names[stage]);
                print(" ");
                print(ticks[chain::samples - chain::samples / 20 - 1]);
                print("\n");
            }
}

void Root::run() {
    if (!memory_.initialize().ok())
        fail("memory");
    box::box_event = make_notification();
    for (unsigned core = 0; core < core_count(); ++core)
        fault_endpoints_[core] = make_endpoint(core);
    piece_ = memory_.take(sizeof(chain::Shared), page).take();
    std::memset(piece_.data, 0, piece_.size);
    shared_ = reinterpret_cast<chain::Shared*>(piece_.data);
    for (const Edu& device : device_)
        if (!device)
            fail("the devices are not there");
    device_[chain::line].use_line();
    line_ = line_of(device_[chain::line]);
    start(client_, "client", {chain_client, static_cast<std::size_t>(chain_client_end - chain_client)}, 0,
          client_priority);
    for (unsigned kind = 0; kind < chain::kinds; ++kind)
        give_registers(client_, static_cast<Kind>(kind));
    start_driver();
    wait_until("the client has measured", [&] { return phase() == chain::measured; });
    print_figures();
    // While there is no driver a message is for nobody, and the line is masked.
    driver_.destroy();
    __atomic_store_n(&shared_->phase, chain::driver_is_dead, __ATOMIC_SEQ_CST);
    wait_until("the client has raised its device", [&] {
        pause_for(1'000);
        (void)invoke(Operation::signal, box::box_event);
        return device_[chain::message].raised();
    });
    pause_for(5'000);
    Word before = interrupts_of_all();
    device_[chain::line].raise();
    pause_for(20'000);
    CHECK_EQ(interrupts_of_all(), before);
    CHECK_EQ(phase(), chain::driver_is_dead);
    start_driver();
    wait_until("the client goes on with another driver", [&] { return phase() == chain::over; });
}

} // namespace

} // namespace laboratory

extern "C" void libelle_main() {
    using namespace laboratory;
    static Root root;
    root.run();
    print(failures == 0 ? "ok the_chain_through_a_driver\n" : "FAIL the_chain_through_a_driver\n");
    finish(failures ? 1 : 0);
}
