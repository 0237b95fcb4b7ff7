// SPDX-License-Identifier: BSD-2-Clause
// What the user did wrong, or what does not work here: one line, shown as "libelle: LINE", exit status 2.
#pragma once

#include <stdexcept>
#include <string>

namespace cli {

struct UserError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

} // namespace cli
