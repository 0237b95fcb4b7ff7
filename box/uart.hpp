// SPDX-License-Identifier: BSD-2-Clause
// The second serial port (COM2) as a byte pipe. Receiving is by interrupt: the line's notification tells the
// box to drain. Sending waits for the device, which in QEMU takes bytes at once unless the host does not
// read.
#pragma once

#include "glue/thread.hpp"
#include "ninep/server.hpp"

namespace box {

class Uart final : public ninep::Transport {
public:
    /// Prepares the device and binds its interrupt to `event` with `bits`. Errors: of irq_create.
    glue::Outcome<void> initialize(const glue::Notification& event, std::uint64_t bits);
    void send(ninep::Bytes message) override;
    /// Takes what arrived, at most `capacity` bytes; 0 when the device is empty.
    std::uint32_t receive(std::uint8_t* out, std::uint32_t capacity);
    /// After receive() returned 0: lets the line interrupt again.
    void acknowledge() const { irq_.acknowledge(); }

private:
    glue::IoPort port_{abi::root_ports};
    glue::Irq irq_;
};

} // namespace box
