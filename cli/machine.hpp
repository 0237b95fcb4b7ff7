// SPDX-License-Identifier: BSD-2-Clause
//
// A QEMU that runs one box: COM1 is the kernel's log (read through a pipe), COM2 the 9P line (a Unix socket).
// The process dies with this object, and with libelle itself, however that ends.
#pragma once

#include <cstdint>
#include <string>
#include <sys/types.h>
#include <vector>

namespace cli {

struct MachineOptions {
    std::string kernel;
    std::string module;
    std::string iso;       ///< if not empty: boot this image (scripts/iso) instead of kernel and module
    std::string directory; ///< for the socket
    std::uint64_t memory = 0;
    unsigned cores = 1;
    bool icount = false;
    std::vector<std::string> extra; ///< more QEMU arguments, for debugging
};

enum class Accelerator { kvm, emulation, counted_emulation };
[[nodiscard]] const char* accelerator_name(Accelerator accelerator);

class Machine {
public:
    Machine(const MachineOptions& options, Accelerator accelerator);
    ~Machine();
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;

    /// Readable end of the kernel's log; -1 after its end.
    [[nodiscard]] int log_fd() const { return log_fd_; }
    /// Connects to COM2. Throws UserError when QEMU is gone.
    [[nodiscard]] int connect_control();
    /// False once QEMU has ended; `status` as waitpid gives it.
    [[nodiscard]] bool alive();
    void kill();
    /// What QEMU itself complained about.
    [[nodiscard]] std::string complaints();

private:
    pid_t pid_ = -1;
    int log_fd_ = -1;
    int error_fd_ = -1;
    std::string socket_;
};

/// KVM when it can really run this kernel: decided by starting it and waiting a few seconds for its first
/// words.
[[nodiscard]] bool kvm_works(const MachineOptions& options);

} // namespace cli
