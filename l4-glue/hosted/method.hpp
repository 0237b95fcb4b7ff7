// SPDX-License-Identifier: BSD-2-Clause
// Which kind of process this host allows.
#pragma once

#include "l4-glue/hosted/process.hpp"

namespace glue::hosted {

// Once the zygote has been started, before there are threads. What the host lacks for the fast kind is said
// on standard error. A line of text for people if neither is possible, else null. LIBELLE_HOSTED=ptrace asks
// for the slow kind.
const char* choose_method(Method& method);

} // namespace glue::hosted
