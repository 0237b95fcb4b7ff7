// SPDX-License-Identifier: BSD-2-Clause
// "#!" at the start of a file: which program runs it, with which arguments. FreeBSD takes what follows the
// interpreter as one argument, DragonFly takes words up to a '#'; both look at the first page of the file
// only.
#pragma once

#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/kern/elf.hpp"
#include "bsd-personality/kern/exec.hpp"

namespace bsd {

/// Whether the file is a script.
bool is_script(const ElfSource& file);

/// Puts the interpreter, its arguments and the script's name in place of the first argument, and stores the
/// interpreter's path. Errors: ENOEXEC (none is named), ENAMETOOLONG, E2BIG, ENOMEM.
SysResult<void> expand_script(const ElfSource& file, AbiKind rules, Text name, ExecStrings& strings,
                              char* interpreter, std::uint64_t capacity);

} // namespace bsd
