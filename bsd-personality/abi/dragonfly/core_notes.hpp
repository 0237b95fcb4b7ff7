// SPDX-License-Identifier: BSD-2-Clause
// The notes of DragonFly's core files.
#pragma once

#include "bsd-personality/kern/core_file.hpp"

namespace bsd::dragonfly {

void put_core_notes(CoreFile& file, Lwp& lwp, const SignalInfo& info);

} // namespace bsd::dragonfly
