// SPDX-License-Identifier: BSD-2-Clause
//
// The hosted platform from outside: one jail as a Linux process, with this command in the place of the box.
#pragma once

#include "cli/session.hpp"

namespace cli {

/// Runs the plan's only jail, carries its consoles, and says how it ended. Throws UserError when it cannot be
/// started.
[[nodiscard]] JailResult run_hosted(const BoxPlan& plan, const SessionOptions& options);

} // namespace cli
