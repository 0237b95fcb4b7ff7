// SPDX-License-Identifier: BSD-2-Clause
//
// The box as files:
//
//     /version  /log  /stats
//     /jails/NAME/{ctl,status,limits,stdin,stdout,stderr,wait}     ctl takes "kill", "crash" and "window
//     ROWSxCOLUMNS" /rt/NAME/{status,histogram}
//
// A read of stdout, stderr or wait is answered when there is something to say. Closing stdin is its end of
// file.
#pragma once

#include "box/jail.hpp"
#include "box/realtime_task.hpp"
#include "ninep/server.hpp"

namespace box {

struct Inventory {
    Jail* jails = nullptr;
    std::uint32_t jail_count = 0;
    RealtimeTask* tasks = nullptr;
    std::uint32_t task_count = 0;
    const Memory* memory = nullptr;
};

class ControlTree final : public ninep::Tree {
public:
    explicit ControlTree(const Inventory& inventory) : inventory_(inventory) {}

    bool lookup(ninep::NodeId directory, ninep::Text name, ninep::NodeId& out) override;
    bool child(ninep::NodeId directory, std::uint32_t index, ninep::NodeId& out) override;
    ninep::NodeId parent(ninep::NodeId node) override;
    ninep::NodeInfo info(ninep::NodeId node) override;
    const char* opened(ninep::NodeId node, std::uint8_t mode) override;
    void closed(ninep::NodeId node, std::uint8_t mode) override;
    ninep::IoOutcome read(ninep::NodeId node, std::uint64_t offset, std::uint8_t* out,
                          std::uint32_t count) override;
    ninep::IoOutcome write(ninep::NodeId node, std::uint64_t offset, ninep::Bytes data) override;

private:
    [[nodiscard]] ninep::Text content(ninep::NodeId node);
    ninep::IoOutcome control(Jail& jail, ninep::Bytes data);

    const Inventory& inventory_;
    char text_[32 << 10];
};

} // namespace box
