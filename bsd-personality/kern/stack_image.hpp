// SPDX-License-Identifier: BSD-2-Clause
// The initial stack of a program: strings, vectors, auxiliary vector, as each ABI lays them out. Both ABIs
// share the shape and differ in addresses and in the auxiliary entries. Writes through StackWriter, so that
// it is tested without a process.
#pragma once

#include "bsd-personality/kern/errno.hpp"
#include "bsd-personality/kern/text.hpp"
#include "l4-glue/types.hpp"

namespace bsd {

class StackWriter {
public:
    virtual SysResult<void> put(std::uint64_t address, const void* from, std::uint64_t size) = 0;

protected:
    ~StackWriter() = default;
};

/// What exec knows when it builds the stack.
struct ExecImage {
    const char* strings = nullptr; // arguments, then environment, each NUL-terminated
    std::uint64_t strings_size = 0;
    std::uint32_t argument_count = 0, environment_count = 0;
    Text path;               // for AT_EXECPATH
    std::uint64_t entry = 0; // of the program
    std::uint64_t start = 0; // where execution begins: the interpreter's entry if there is one
    std::uint64_t headers = 0, header_count = 0, header_flags = 0;
    std::uint64_t base = 0; // load address of the interpreter, or load bias
    std::uint64_t stack_limit = 0;
    std::uint64_t stack_top = 0, ps_strings = 0, shared_page = 0; // addresses of kern/exec_layout.hpp
    unsigned stack_gap = 0;                                       // bytes below the strings
    bool executable_stack = false;
    unsigned cpus = 1;
    std::uint8_t canary[64] = {};
};

struct AuxiliaryEntry {
    std::uint64_t type, value;
};
static_assert(sizeof(AuxiliaryEntry) == 16);

/// Fills in the entries of one ABI once the addresses of the strings block's neighbours are known.
struct StackLayout {
    std::uint64_t execpath = 0, canary = 0, pagesizes = 0; // addresses; 0: not there
    std::uint64_t argv = 0, envp = 0, argument_block = 0;  // vectors; argument_block: where argc lies
};

/// Writes strings below `top`, the vectors below them with room for `reserve` auxiliary entries, and
/// ps_strings. `fill` makes the auxiliary vector (AT_NULL included), at most `reserve` entries. Errors:
/// E2BIG, EFAULT.
struct StackRecipe {
    std::uint64_t top; // strings end here
    std::uint64_t ps_strings;
    bool canary, pagesizes;
    unsigned spare; // bytes left free below the exec path
    unsigned reserve;
    unsigned (*fill)(const ExecImage& image, const StackLayout& layout, AuxiliaryEntry* entries);
};
SysResult<StackLayout> build_stack_image(const ExecImage& image, const StackRecipe& recipe,
                                         StackWriter& writer);

/// Entry registers that both systems share: rdi = argument block, rsp = 8 mod 16 below it, the rest zero.
void set_entry_registers(glue::UserContext& registers, std::uint64_t start, std::uint64_t argument_block);

} // namespace bsd
