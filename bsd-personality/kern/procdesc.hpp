// SPDX-License-Identifier: BSD-2-Clause
// Process descriptors (pdfork(2)): an open file that stands for a child. A process that has one is not found
// by a wait for any child and sends its parent no SIGCHLD; it stays a zombie until it is waited for by number
// or its descriptor is closed. Under giant.
#pragma once

#include "bsd-personality/kern/file.hpp"

namespace bsd {

enum ProcessDescriptorFlag : int { pd_daemon = 1, pd_cloexec = 2 };

class ProcessDescriptor final : public File {
public:
    /// Of no process yet. `daemon`: closing it does not kill. Errors: ENOMEM.
    static SysResult<FileRef> create(bool daemon);
    explicit ProcessDescriptor(bool daemon)
        : File(FileType::process_descriptor, open_read_write), daemon_(daemon) {}
    ~ProcessDescriptor() = default;

    /// fork has made the process.
    void attach(Proc& proc);
    /// The child that it is made for does not get it.
    bool inheritable() const override { return pid_ != 0; }
    /// The process ends, and will stay a zombie.
    void process_ended(std::uint32_t wait_status);
    /// The process is about to be freed.
    void process_gone() { proc_ = nullptr; }

    /// Null when it has been waited for.
    Proc* process() const { return proc_; }
    /// Known as long as the descriptor is open.
    std::int32_t pid() const { return pid_; }
    SysResult<void> attributes(Lwp& lwp, Attributes& out) override;
    Readiness readiness(Direction direction) override;
    EventSource* events(Direction) override { return &watchers_; }

private:
    /// Closed: a zombie is done with, another process goes to its reaper and is killed, unless it is a
    /// daemon.
    void destroy() override;

    Proc* proc_ = nullptr;
    std::int32_t pid_ = 0;
    const bool daemon_;
    bool ended_ = false;
    std::uint32_t wait_status_ = 0;
    EventSource watchers_;
};

} // namespace bsd
