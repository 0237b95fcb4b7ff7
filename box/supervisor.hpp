// SPDX-License-Identifier: BSD-2-Clause
//
// Learns of children's faults: a fault is a call on an endpoint of the faulting core, so there is one small
// thread a core that receives, notes what happened and wakes the main thread. It never answers: the faulting
// thread stays stopped until the main thread destroys its task.
#pragma once

#include "box/task.hpp"
#include "glue/thread.hpp"

namespace box {

inline constexpr unsigned max_children = 32; ///< badges 1 to 32

struct FaultReport {
    std::uint32_t happened; ///< atomic: set last by a fault thread, cleared by main
    std::uint32_t label;
    std::uint64_t address;
    std::uint64_t rip;
};

class Supervisor {
public:
    /// Starts the threads; `event` gets `bits` at each fault. Errors: of the kernel's create operations.
    glue::Outcome<void> initialize(std::uint32_t cores, const glue::Notification& event, std::uint64_t bits);
    /// Endpoint capabilities, one a core, that name the child `badge` (1 to max_children). 0 entries on
    /// failure.
    void endpoints_for(std::uint32_t badge, abi::Selector (&out)[abi::max_cores]) const;
    /// True, and the fault, when child `badge` has faulted since last asked.
    bool take(std::uint32_t badge, FaultReport& out);

private:
    struct Core {
        Supervisor* supervisor;
        abi::Selector endpoint;
    };
    static void run(void* core);

    std::uint32_t cores_ = 0;
    abi::Selector signal_ = 0;
    Core core_[abi::max_cores] = {};
    FaultReport faults_[max_children + 1] = {};
};

} // namespace box
