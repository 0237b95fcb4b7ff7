// SPDX-License-Identifier: BSD-2-Clause
// The box's own messages: to the kernel's console, and kept for /log (the first 8 KiB).
#pragma once

#include "proto/bytes.hpp"

namespace box {

/// One line without its newline; "box: " is put in front. From the main thread only.
void log(proto::Text line);
[[nodiscard]] proto::Text log_text();

} // namespace box
