// SPDX-License-Identifier: BSD-2-Clause
//
// One jail as a process of this host, and what it is started with. hosted.hpp runs whole boxes of them.
#pragma once

#include "cli/error.hpp"
#include "cli/host_terminal.hpp"
#include "cli/plan.hpp"
#include "l4-glue/channel.hpp"
#include "proto/jail.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>
#include <optional>
#include <span>

#include <sched.h>
#include <sys/eventfd.h>
#include <sys/types.h>
#include <unistd.h>

namespace cli {

/// A descriptor that is closed with this object.
class Descriptor {
public:
    explicit Descriptor(int descriptor, const char* what) : descriptor_(descriptor) {
        if (descriptor < 0)
            throw UserError(std::string(what) + ": " + std::strerror(errno));
    }
    ~Descriptor() { close(descriptor_); }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    operator int() const { return descriptor_; }

private:
    int descriptor_;
};

/// An image as a file that jails map, and its bytes. The constructor throws UserError.
class JailImage {
public:
    explicit JailImage(const std::string& path);
    ~JailImage();
    JailImage(const JailImage&) = delete;
    JailImage& operator=(const JailImage&) = delete;

    [[nodiscard]] std::span<const std::uint8_t> bytes() const { return {memory_, size_}; }
    [[nodiscard]] int file() const { return file_; }

private:
    Descriptor file_;
    const std::uint8_t* memory_ = nullptr;
    std::size_t size_ = 0;
};

/// While it lives we are parent of all that jails leave behind; when it goes, it waits for what is left of
/// them. It outlives them.
class Remains {
public:
    Remains();
    ~Remains();
    Remains(const Remains&) = delete;
    Remains& operator=(const Remains&) = delete;
};

/// The jail's process and what is shared with it. It dies with this object, and with libelle however that
/// ends.
class HostedJail {
public:
    /// Starts it on these processors. Throws UserError.
    HostedJail(const JailPlan& jail, proto::JailAbi abi, std::shared_ptr<const JailImage> image,
               const cpu_set_t& processors);
    ~HostedJail();
    HostedJail(const HostedJail&) = delete;
    HostedJail& operator=(const HostedJail&) = delete;

    [[nodiscard]] glue::Ring ring(proto::JailRing which) const {
        return {reinterpret_cast<glue::RingHeader*>(&shared_->ring[which]), shared_->data[which],
                proto::console_ring_size};
    }
    /// Readable when the jail rings; take_ring() until the next time.
    [[nodiscard]] int bell() const { return from_jail_; }
    void take_ring() const {
        eventfd_t ignored = 0;
        (void)eventfd_read(from_jail_, &ignored);
    }
    void ring_jail() const { (void)eventfd_write(to_jail_, 1); }
    void set_window(WindowSize size) const;
    /// How it ended, as a box's /jails/NAME/wait says it, if it did.
    [[nodiscard]] std::optional<std::string> ended();
    /// Ends its process, and with it all of the jail.
    void kill();
    /// The same as if the process had died by itself.
    void crash() const {
        if (pid_ > 0)
            (void)::kill(pid_, SIGKILL);
    }

private:
    void start(const JailPlan& jail, const cpu_set_t& processors);
    [[nodiscard]] std::optional<std::string> account() const;

    Descriptor memory_;
    const std::shared_ptr<const JailImage> image_;
    Descriptor from_jail_, to_jail_;
    proto::JailShared* shared_ = nullptr;
    pid_t pid_ = -1;
    std::string crash_; ///< how its process ended
};

} // namespace cli
