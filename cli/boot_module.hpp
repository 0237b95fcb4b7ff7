// SPDX-License-Identifier: BSD-2-Clause
// Turns a plan into the boot module that QEMU hands to the kernel, and says how much memory the machine
// needs.
#pragma once

#include "cli/plan.hpp"
#include "proto/jail.hpp"

#include <span>
#include <string>
#include <vector>

namespace cli {

/// Where the programs that run on the kernel lie: build/native beside the libelle binary, or LIBELLE_NATIVE.
struct NativePrograms {
    std::string kernel;
    std::string box;
    std::string personality;
    std::string directory; ///< of realtime programs: realtime/NAME
};
[[nodiscard]] NativePrograms find_native_programs();

struct BootModule {
    std::vector<std::uint8_t> bytes;
    std::uint64_t machine_memory = 0; ///< bytes of RAM that hold jails, images, module and the system itself
    unsigned cores = 1;
};

/// Loads images, checks executables, writes the manifest. Throws UserError.
[[nodiscard]] BootModule build_boot_module(const BoxPlan& plan, const NativePrograms& programs);

/// The ABI of a jail's command, which must be an executable in the image. Throws UserError.
[[nodiscard]] proto::JailAbi command_abi(std::span<const std::uint8_t> image, const JailPlan& jail);

/// The manifest's text (proto/manifest.hpp); ABIs and image names are those of the jails, in order.
[[nodiscard]] std::string manifest_text(const BoxPlan& plan, const std::vector<proto::JailAbi>& abis,
                                        const std::vector<std::string>& image_names);

} // namespace cli
