// SPDX-License-Identifier: BSD-2-Clause
// A 16550 serial port: its top half moves bytes between the device and two queues. `Ports` reads and writes
// the device's registers (glue::IoPort, or a simulated device in tests).
#pragma once

#include "irq-threads/queue.hpp"

#include <cstdint>
#include <span>

namespace irq {

inline constexpr std::uint16_t serial_com1 = 0x3f8, serial_com2 = 0x2f8;
inline constexpr unsigned serial_com1_line = 4, serial_com2_line = 3;

template <class Ports>
class Serial {
public:
    Serial(Ports ports, std::uint16_t base) : ports_(ports), base_(base) {}

    // 115200 baud, 8 bits, no parity, FIFOs on, interrupts for received bytes. Before the IRQ thread starts.
    void initialize() {
        write(interrupt_enable, 0);
        write(line_control, divisor_latch);
        write(data, 1);
        write(interrupt_enable, 0);
        write(line_control, eight_bits);
        write(fifo_control, fifo_on_and_clear);
        write(modem_control, modem_ready);
        write(interrupt_enable, enable_receive);
    }

    // On the IRQ thread (an irq::IrqThread::TopHalf with this object as its argument). True when bytes
    // arrived or there is room to send again.
    static bool top_half(void* self) { return static_cast<Serial*>(self)->serve(); }

    // By the core that receives: takes what arrived.
    std::size_t receive(std::span<std::uint8_t> to) {
        std::size_t count = 0;
        while (count < to.size() && received_.pop(to[count]))
            ++count;
        return count;
    }

    // By the core that sends: queues as much as fits and returns how much. The caller then lets the top half
    // run (signal its notification through kick, or wait for the next interrupt).
    std::size_t send(std::span<const std::uint8_t> from) {
        std::size_t count = 0;
        while (count < from.size() && to_send_.size() < queue_size && to_send_.push(from[count]))
            ++count;
        return count;
    }

    std::uint64_t lost() const { return received_.dropped(); }
    std::uint64_t overruns() const { return __atomic_load_n(&overruns_, __ATOMIC_RELAXED); }

private:
    enum Register : std::uint16_t {
        data = 0, // divisor low byte while divisor_latch is set
        interrupt_enable = 1,
        fifo_control = 2,
        line_control = 3,
        modem_control = 4,
        line_status = 5,
    };
    static constexpr std::uint8_t divisor_latch = 0x80, eight_bits = 0x03, fifo_on_and_clear = 0x07;
    static constexpr std::uint8_t modem_ready = 0x0b; // DTR, RTS, and OUT2, which lets the interrupt through
    static constexpr std::uint8_t enable_receive = 0x01, enable_transmit = 0x02;
    static constexpr std::uint8_t status_data = 0x01, status_overrun = 0x02, status_transmit_empty = 0x20;
    static constexpr unsigned fifo_size = 16;
    static constexpr std::uint32_t queue_size = 4096;

    bool serve() {
        bool work = false;
        // Bounded: a device that always has something (or is gone and reads as ones) cannot keep the core.
        for (unsigned n = 0; n < queue_size; ++n) {
            std::uint8_t status = read(line_status);
            if (status == 0xff || !(status & status_data))
                break;
            if (status & status_overrun)
                __atomic_store_n(&overruns_, overruns_ + 1, __ATOMIC_RELAXED);
            work |= received_.push(read(data));
        }
        std::uint8_t status = read(line_status);
        if (status != 0xff && (status & status_transmit_empty)) {
            std::uint8_t byte;
            for (unsigned n = 0; n < fifo_size && to_send_.pop(byte); ++n) {
                write(data, byte);
                work = true;
            }
            bool more = to_send_.size() != 0;
            if (more != transmit_enabled_) {
                transmit_enabled_ = more;
                write(interrupt_enable, more ? enable_receive | enable_transmit : enable_receive);
            }
        }
        return work;
    }

    std::uint8_t read(Register which) { return static_cast<std::uint8_t>(ports_.in(base_ + which)); }
    void write(Register which, std::uint8_t value) { ports_.out(base_ + which, value); }

    Ports ports_;                              // immutable
    std::uint16_t base_;                       // immutable
    bool transmit_enabled_ = false;            // owned by the IRQ thread
    std::uint64_t overruns_ = 0;               // atomic: written by the IRQ thread
    Queue<std::uint8_t, queue_size> received_; // produced by the IRQ thread
    Queue<std::uint8_t, queue_size> to_send_;  // consumed by it
};

} // namespace irq
