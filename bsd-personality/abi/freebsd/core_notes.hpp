// SPDX-License-Identifier: BSD-2-Clause
// The notes of FreeBSD's core files.
#pragma once

#include "bsd-personality/kern/core_file.hpp"

namespace bsd::freebsd {

void put_core_notes(CoreFile& file, Lwp& lwp, const SignalInfo& info);

} // namespace bsd::freebsd
