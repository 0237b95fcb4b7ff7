// SPDX-License-Identifier: BSD-2-Clause
// DragonFly 6 x86_64: addresses, auxiliary vector, error numbers.
#include "bsd-personality/abi/abi.hpp"

#include "bsd-personality/abi/dragonfly/core_notes.hpp"
#include "bsd-personality/abi/dragonfly/registers.hpp"
#include "bsd-personality/abi/dragonfly/signal.hpp"
#include "bsd-personality/abi/versions.hpp"
#include "bsd-personality/kern/stack_image.hpp"

namespace bsd {

namespace {

constexpr std::uint64_t stack_end = 0x7fff'ffe0'0000;
constexpr std::uint64_t ps_strings_address = 0x7fff'ffdf'ffe0;
constexpr std::uint64_t sigcode_page = 0x7fff'ffdf'e000;

enum AuxiliaryType : std::uint64_t {
    at_null,
    at_phdr = 3,
    at_phent,
    at_phnum,
    at_pagesz,
    at_base,
    at_flags,
    at_entry,
    at_execpath = 15,
    at_osreldate = 18,
};

unsigned fill_vector(const ExecImage& image, const StackLayout& layout, AuxiliaryEntry* out) {
    unsigned n = 0;
    auto add = [&](std::uint64_t type, std::uint64_t value) { out[n++] = {type, value}; };
    add(at_phdr, image.headers);
    add(at_phent, 56);
    add(at_phnum, image.header_count);
    add(at_pagesz, 4096);
    add(at_flags, 0);
    add(at_entry, image.entry);
    add(at_base, image.base);
    add(at_execpath, layout.execpath);
    add(at_osreldate, dragonfly_osreldate);
    add(at_null, 0);
    return n;
}

SysResult<void> build_stack(const ExecImage& image, StackWriter& writer, UserContext& registers) {
    const StackRecipe recipe{sigcode_page, ps_strings_address, false, false, 256 + image.stack_gap,
                             24,           fill_vector};
    StackLayout layout = TRY(build_stack_image(image, recipe, writer));
    set_entry_registers(registers, image.start, layout.argument_block);
    registers.rbx = ps_strings_address;
    return {};
}

// The same up to ENOLINK and EPROTO; what FreeBSD added later has other numbers or none.
int errno_number(Errno error) {
    switch (error) {
    case Errno::enotcapable:
    case Errno::ecapmode:
        return static_cast<int>(Errno::eperm);
    case Errno::enotrecoverable:
        return 94;
    case Errno::eownerdead:
        return 95;
    case Errno::eintegrity:
        return static_cast<int>(Errno::eio);
    default:
        return static_cast<int>(error);
    }
}

} // namespace

constinit const Abi dragonfly_abi = {
    .kind = AbiKind::dragonfly,
    .system_name = "DragonFly",
    .calls = dragonfly_system_calls,
    .errno_number = errno_number,
    .at_fdcwd = static_cast<int>(0xfffa'fdcd),
    .stack_top = stack_end,
    .sigcode_address = sigcode_page,
    .ps_strings = ps_strings_address,
    .position_independent_base = 0x102'1000,
    .max_stack = 512 << 20,
    .default_stack_limit = 8 << 20,
    .trampoline = dragonfly::trampoline,
    .trampoline_size = dragonfly::trampoline_size,
    .send_signal = dragonfly::send_signal,
    .signal_return = dragonfly::signal_return,
    .signal_info = dragonfly::signal_info,
    .build_stack = build_stack,
    .register_set_size = sizeof(dragonfly::RegisterSet),
    .fill_registers = dragonfly::fill_registers,
    .set_registers = dragonfly::set_registers,
    .core_osabi = 0,
    .core_note_flags = 0,
    .core_note_align = 0,
    .put_core_notes = dragonfly::put_core_notes,
};

} // namespace bsd
