// SPDX-License-Identifier: BSD-2-Clause
//
// One jail as the box sees it: the personality's task, the memory shared with it, its consoles, and how it
// ended. Everything read from the shared memory is hostile: the personality may write anything there at any
// time. Used by the box's main thread only.
#pragma once

#include "box/entropy.hpp"
#include "box/task.hpp"
#include "l4-glue/channel.hpp"
#include "proto/jail.hpp"

namespace box {

struct JailResources {
    proto::Bytes program;         ///< the personality's ELF
    const Piece* image = nullptr; ///< inflated
    std::uint64_t epoch_ns = 0;
    std::uint64_t pool_pages = 0;
    std::uint64_t doorbell_bits = 0;
    const abi::Selector* fault_endpoints = nullptr; ///< one a core, badged for this jail
};

class Jail {
public:
    /// Makes and starts the task; on failure the jail has ended and says why.
    void start(Memory& memory, const proto::Manifest& manifest, const proto::JailManifest& jail,
               const Entropy& entropy, const JailResources& resources, const std::uint32_t* cores);
    /// It never came to life.
    void fail(const proto::JailManifest& jail, proto::Text reason);
    /// The kernel reported a fault of the personality itself.
    void crashed(std::uint32_t label, std::uint64_t address, std::uint64_t rip);
    /// Ends the jail at once; `how` as /jails/NAME/wait shows it.
    void kill(proto::Text how);
    /// Looks at what the personality says about itself; true when the jail has just ended.
    bool poll();

    [[nodiscard]] const proto::JailManifest& manifest() const { return *manifest_; }
    [[nodiscard]] bool ended() const { return ended_; }
    [[nodiscard]] proto::Text wait_text() const { return {end_text_, end_size_}; }
    [[nodiscard]] const proto::JailStatus* status() const { return shared_ ? &shared_->status : nullptr; }
    [[nodiscard]] std::uint64_t consumed_ticks() const {
        return task_.exists() ? task_.consumed().value : last_ticks_;
    }

    /// Takes console output; 0 with console_ended() means there will be no more.
    std::uint32_t read_console(proto::JailRing ring, std::uint8_t* out, std::uint32_t count);
    [[nodiscard]] bool console_ended(proto::JailRing ring) const;
    /// Puts input; fewer than asked, or none, when the ring is full.
    std::uint32_t write_input(proto::Bytes data);
    void close_input();
    /// The size of the terminal that its console is.
    void set_window(std::uint16_t rows, std::uint16_t columns);

private:
    void end(proto::Text how);
    [[nodiscard]] glue::Ring ring(proto::JailRing which) const;
    const char* fill_parameters(const proto::Manifest& manifest, const Entropy& entropy,
                                std::uint64_t epoch_ns);

    const proto::JailManifest* manifest_ = nullptr;
    Task task_;
    Piece piece_;
    proto::JailShared* shared_ = nullptr;
    bool ended_ = false;
    bool input_closed_ = false;
    std::uint64_t last_ticks_ = 0;
    char end_text_[600] = {};
    std::size_t end_size_ = 0;
};

} // namespace box
