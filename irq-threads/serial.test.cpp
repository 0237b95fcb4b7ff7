// SPDX-License-Identifier: BSD-2-Clause
#include "irq-threads/serial.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>

namespace {

// A 16550 as far as the top half can see.
struct Device {
    std::deque<std::uint8_t> input;
    std::string output;
    std::uint8_t registers[8] = {};
    bool overrun = false, busy = false, gone = false;
};
struct Ports {
    Device* device;
    std::uint32_t in(int port) {
        int which = port - irq::serial_com2;
        if (device->gone)
            return 0xff;
        if (which == 5)
            return (device->input.empty() ? 0 : 1u) | (device->overrun ? 2u : 0) | (device->busy ? 0 : 0x60u);
        if (which == 0 && !device->input.empty()) {
            std::uint8_t byte = device->input.front();
            device->input.pop_front();
            device->overrun = false;
            return byte;
        }
        return device->registers[which];
    }
    void out(int port, std::uint32_t value) {
        int which = port - irq::serial_com2;
        bool latch = device->registers[3] & 0x80;
        device->registers[which] = static_cast<std::uint8_t>(value);
        if (which == 0 && !latch)
            device->output += static_cast<char>(value);
    }
};
using TestSerial = irq::Serial<Ports>;

std::string receive(TestSerial& serial) {
    std::uint8_t buffer[64];
    std::size_t count = serial.receive(buffer);
    return {reinterpret_cast<char*>(buffer), count};
}
std::size_t send(TestSerial& serial, const std::string& text) {
    return serial.send({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

struct SerialTest : testing::Test {
    Device device;
    std::unique_ptr<TestSerial> owned = std::make_unique<TestSerial>(Ports{&device}, irq::serial_com2);
    TestSerial& serial = *owned;
};

TEST_F(SerialTest, InitializesForReceiveInterrupts) {
    serial.initialize();
    EXPECT_EQ(device.registers[1], 1);
    EXPECT_EQ(device.registers[3], 3);
    EXPECT_EQ(device.registers[4], 0x0b);
    EXPECT_EQ(device.output, "");
}

TEST_F(SerialTest, ReceivesWhatThereIs) {
    EXPECT_FALSE(TestSerial::top_half(&serial));
    for (char c : std::string("hello"))
        device.input.push_back(static_cast<std::uint8_t>(c));
    EXPECT_TRUE(TestSerial::top_half(&serial));
    EXPECT_EQ(receive(serial), "hello");
    EXPECT_EQ(receive(serial), "");
}

TEST_F(SerialTest, CountsOverrunsAndLoss) {
    device.overrun = true;
    device.input.assign(5000, 'x');
    TestSerial::top_half(&serial); // no more than a queue's worth in one go
    EXPECT_EQ(device.input.size(), 5000u - 4096u);
    TestSerial::top_half(&serial);
    EXPECT_EQ(serial.lost(), 5000u - 4096u);
    EXPECT_EQ(serial.overruns(), 1u);
}

TEST_F(SerialTest, SendsByFifosAndAsksForMore) {
    EXPECT_EQ(send(serial, "0123456789abcdefGHI"), 19u);
    EXPECT_TRUE(TestSerial::top_half(&serial));
    EXPECT_EQ(device.output, "0123456789abcdef");
    EXPECT_EQ(device.registers[1], 3); // wants the transmitter's interrupt
    device.busy = true;
    EXPECT_FALSE(TestSerial::top_half(&serial));
    device.busy = false;
    EXPECT_TRUE(TestSerial::top_half(&serial));
    EXPECT_EQ(device.output, "0123456789abcdefGHI");
    EXPECT_EQ(device.registers[1], 1);
}

TEST_F(SerialTest, QueueRefusesWhatDoesNotFit) {
    EXPECT_EQ(send(serial, std::string(5000, 'y')), 4096u);
}

TEST_F(SerialTest, DeviceThatIsGoneIsHarmless) {
    device.gone = true;
    EXPECT_FALSE(TestSerial::top_half(&serial));
}

} // namespace
