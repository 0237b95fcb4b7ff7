// SPDX-License-Identifier: BSD-2-Clause
#include "tests/kernel/devices.hpp"

#include <cstring>

namespace laboratory {

namespace {

constexpr unsigned command = 4, command_memory = 2, command_master = 4, command_no_line = 1 << 10;
constexpr unsigned first_bar = 0x10, capabilities = 0x34, capability_msi = 5, capability_msix = 0x11;

const abi::BootInformation& boot() {
    return *reinterpret_cast<const abi::BootInformation*>(abi::root_boot_address);
}

void select(Word address, unsigned offset) {
    glue::IoPort(abi::root_ports).out(0xcf8, static_cast<std::uint32_t>(address | offset), 4);
}

} // namespace

std::uint32_t Device::read(unsigned offset) const {
    select(address, offset);
    return glue::IoPort(abi::root_ports).in(0xcfc, 4);
}

void Device::write(unsigned offset, std::uint32_t value) const {
    select(address, offset);
    glue::IoPort(abi::root_ports).out(0xcfc, value, 4);
}

unsigned Device::capability(unsigned id) const {
    for (unsigned at = read(capabilities) & 0xfc; at; at = read(at) >> 8 & 0xfc)
        if ((read(at) & 0xff) == id)
            return at;
    return 0;
}

Word Device::base(unsigned bar) const {
    return read(first_bar + 4 * bar) & ~0xfu;
}

volatile std::uint32_t* Device::map(unsigned bar, Word offset, Word pages, Word at) const {
    static Selector binding = [] {
        Selector made = new_selector();
        must("bind", invoke(Operation::bind, abi::root_task, made, abi::root_pool, abi::root_devices));
        return made;
    }();
    Word from = base(bar) + offset;
    for (Word done = 0; done < pages;) {
        Reply reply =
            invoke(Operation::map, binding, at + done * page, from - boot().devices_base + done * page,
                   pages - done, abi::map_read | abi::map_write | abi::map_uncached | abi::map_replace);
        must("map a device", reply);
        done += reply.value;
    }
    return reinterpret_cast<volatile std::uint32_t*>(at);
}

Device find_device(std::uint32_t vendor, std::uint32_t device, unsigned after) {
    for (Word slot = 0; slot < 32; ++slot) {
        Device found{0x8000'0000 | slot << 11};
        if (found.read(0) != (device << 16 | vendor) || after-- != 0)
            continue;
        found.write(command, command_memory | command_master);
        return found;
    }
    return {};
}

bool devices_expected() {
    return has_argument("test.devices");
}

Edu::Edu(unsigned number) : device_(find_device(0x1234, 0x11e8, number)) {
    if (device_)
        registers_ = device_.map(0, 0, 1, 0x4700'0000 + number * page);
}

void Edu::use_line() const {
    unsigned msi = device_.capability(capability_msi);
    device_.write(msi, device_.read(msi) & ~0x1'0000u);
    device_.write(command, command_memory | command_master);
}

void Edu::use_message(Word address, Word data) const {
    unsigned msi = device_.capability(capability_msi);
    device_.write(command, command_memory | command_master | command_no_line);
    device_.write(msi + 4, static_cast<std::uint32_t>(address));
    device_.write(msi + 8, static_cast<std::uint32_t>(address >> 32));
    device_.write(msi + 12, static_cast<std::uint32_t>(data));
    device_.write(msi, device_.read(msi) | 0x1'0000);
}

void Edu::mask_message(bool masked) const {
    unsigned msi = device_.capability(capability_msi);
    std::uint32_t enabled = device_.read(msi) & ~0x1'0000u;
    device_.write(msi, masked ? enabled : enabled | 0x1'0000);
}

namespace {
// Registers of the controller, in words, and its causes: two receive queues, two transmit queues, others.
constexpr unsigned cause_read = 0xc0 / 4, cause_set = 0xc8 / 4, cause_enable = 0xd0 / 4,
                   cause_disable = 0xd8 / 4, vector_of_cause = 0xe4 / 4;
constexpr unsigned first_cause = 20;
} // namespace

Controller::Controller() : device_(find_device(0x8086, 0x10d3)) {
    if (!device_)
        return;
    registers_ = device_.map(0, 0, 32, 0x4710'0000);
    unsigned msix = device_.capability(capability_msix);
    std::uint32_t table = device_.read(msix + 4);
    table_ = device_.map(table & 7, table & ~7u, 1, 0x4720'0000);
    registers_[cause_disable] = ~0u;
    std::uint32_t vectors = 0;
    for (unsigned queue = 0; queue < queues; ++queue)
        vectors |= (8 | queue) << 4 * queue; // valid, and its number
    registers_[vector_of_cause] = vectors;
    device_.write(msix, device_.read(msix) | 0x8000'0000);
}

void Controller::use_message(unsigned queue, Word address, Word data) const {
    volatile std::uint32_t* entry = table_ + 4 * queue;
    entry[3] = 1; // masked meanwhile
    entry[0] = static_cast<std::uint32_t>(address);
    entry[1] = static_cast<std::uint32_t>(address >> 32);
    entry[2] = static_cast<std::uint32_t>(data);
    entry[3] = 0;
    registers_[cause_enable] = 1u << (first_cause + queue);
}

void Controller::mask(unsigned queue, bool masked) const {
    table_[4 * queue + 3] = masked;
}

void Controller::raise(unsigned queue) const {
    std::uint32_t cause = 1u << (first_cause + queue);
    registers_[cause_set] = cause;
    registers_[cause_read] = cause; // it may be set again
}

void Controller::stop() const {
    registers_[cause_disable] = ~0u;
}

} // namespace laboratory
