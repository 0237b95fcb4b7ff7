// SPDX-License-Identifier: BSD-2-Clause
#include "box/uart.hpp"

namespace box {

namespace {
constexpr std::uint16_t base = 0x2f8;
constexpr unsigned line = 3;
constexpr std::uint16_t data = base;
constexpr std::uint16_t interrupt_enable = base + 1;
constexpr std::uint16_t fifo_control = base + 2;
constexpr std::uint16_t line_control = base + 3;
constexpr std::uint16_t modem_control = base + 4;
constexpr std::uint16_t line_status = base + 5;
constexpr std::uint32_t data_ready = 0x01;
constexpr std::uint32_t transmitter_empty = 0x20;
constexpr unsigned fifo_size = 16;
} // namespace

glue::Outcome<void> Uart::initialize(const glue::Notification& event, std::uint64_t bits) {
    port_.out(interrupt_enable, 0);
    port_.out(line_control, 0x80); // divisor latch: 115200 baud
    port_.out(data, 1);
    port_.out(interrupt_enable, 0);
    port_.out(line_control, 0x03);  // 8 bits, no parity
    port_.out(fifo_control, 0xc7);  // FIFOs on and empty, interrupt at 14 bytes or a pause
    port_.out(modem_control, 0x0b); // ready; OUT2 lets the interrupt through
    irq_ = TRY(glue::Irq::create(abi::root_irqs, abi::root_pool, line, event, bits));
    port_.out(interrupt_enable, 0x01); // received data
    return {};
}

void Uart::send(ninep::Bytes message) {
    for (std::size_t done = 0; done < message.size;) {
        while (!(port_.in(line_status)&transmitter_empty))
            asm volatile("pause");
        for (unsigned i = 0; i < fifo_size && done < message.size; i++)
            port_.out(data, message.data[done++]);
    }
}

std::uint32_t Uart::receive(std::uint8_t* out, std::uint32_t capacity) {
    std::uint32_t count = 0;
    while (count < capacity && (port_.in(line_status)&data_ready))
        out[count++] = static_cast<std::uint8_t>(port_.in(data));
    return count;
}

} // namespace box
