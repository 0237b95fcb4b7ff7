// SPDX-License-Identifier: BSD-2-Clause
//
// The hosted platform from outside: each jail as a Linux process, with this command in the place of the box.
#pragma once

#include "cli/session.hpp"

namespace cli {

/// Refuses what only a machine can do, by the name that it has in the plan. Throws UserError.
void check_hosted(const BoxPlan& plan, const SessionOptions& options);

/// Runs the plan's jails, carries their consoles, and says how each ended. Throws UserError, before any is
/// started, when one cannot be.
[[nodiscard]] std::vector<JailResult> run_hosted(const BoxPlan& plan, const SessionOptions& options);

} // namespace cli
