// SPDX-License-Identifier: BSD-2-Clause
//
// BOX.conf, in the syntax of BSD's jail.conf: settings end with ';', values are words or "quoted", several
// values are separated by commas, += adds to a list, settings before the jails are defaults for all of them,
// and comments are # … , // … and /* … */.
//
//     icount;                                  # of the box: icount, cores = N
//     memory = 256M;                           # default of every jail
//     alpha {
//         path = images/base;                  # directory or image file, relative to this file
//         command = /bin/sort, "-r", /etc/words;
//         environment += "LANG=C";
//         cpus = 2;                            # also: abi, directory, cpuset (list of cores), share
//         (percent)
//     }
//     realtime pulse { program = pulse; period = 1ms; budget = 100us; priority = 255; core = 0; }
#pragma once

#include "cli/plan.hpp"

#include <string>

namespace cli {

/// Throws UserError "FILE:LINE: KEY: reason".
[[nodiscard]] BoxPlan parse_box_config(const std::string& file, const std::string& text);

} // namespace cli
