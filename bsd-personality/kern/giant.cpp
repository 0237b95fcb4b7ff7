// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/giant.hpp"

namespace bsd {

constinit lwkt::Token giant{"giant"};

} // namespace bsd
