// SPDX-License-Identifier: BSD-2-Clause
// PCI devices of QEMU that interrupt when told to, for the tests of interrupts: found and programmed through
// configuration mechanism 1, their registers mapped from the region of device memory.
#pragma once

#include "tests/kernel/laboratory.hpp"

namespace laboratory {

struct Device {
    Word address = 0; // of its configuration space; 0: there is none
    std::uint32_t read(unsigned offset) const;
    void write(unsigned offset, std::uint32_t value) const;
    unsigned capability(unsigned id) const; // its offset, or 0
    Word base(unsigned bar) const;          // physical address of a base address register
    // Maps `pages` of one, from `offset` on.
    volatile std::uint32_t* map(unsigned bar, Word offset, Word pages, Word at) const;
    explicit operator bool() const { return address != 0; }
};

// The first with these vendor and device numbers, or the one after so many, with memory and bus mastering on.
Device find_device(std::uint32_t vendor, std::uint32_t device, unsigned after = 0);
// Whether the machine was started with the devices of tests/kernel/run: then they have to be found.
bool devices_expected();

// An educational device: it interrupts when its register is written, by its line or by one message.
class Edu {
public:
    explicit Edu(unsigned number = 0);
    Word registers() const { return device_.base(0); } // physical address of their page
    explicit operator bool() const { return static_cast<bool>(device_); }
    void raise() const { registers_[0x60 / 4] = 1; }
    void lower() const { registers_[0x64 / 4] = 1; }
    bool raised() const { return registers_[0x24 / 4] != 0; }
    void use_line() const;
    void use_message(Word address, Word data) const;
    void mask_message(bool masked) const; // what is raised meanwhile is not sent afterwards

private:
    Device device_;
    volatile std::uint32_t* registers_ = nullptr;
};

// An e1000e network controller without a network: five messages, each for a cause that can be set by hand.
class Controller {
public:
    static constexpr unsigned queues = 5;
    Controller();
    explicit operator bool() const { return static_cast<bool>(device_); }
    void use_message(unsigned queue, Word address, Word data) const;
    void mask(unsigned queue, bool masked) const;
    bool masked(unsigned queue) const { return table_[4 * queue + 3] & 1; }
    void raise(unsigned queue) const;
    void stop() const;

private:
    Device device_;
    volatile std::uint32_t *registers_ = nullptr, *table_ = nullptr;
};

} // namespace laboratory
