// SPDX-License-Identifier: BSD-2-Clause
// FreeBSD 14 amd64: addresses, auxiliary vector, error numbers.
#include "bsd-personality/abi/abi.hpp"

#include "bsd-personality/abi/freebsd/core_notes.hpp"
#include "bsd-personality/abi/freebsd/registers.hpp"
#include "bsd-personality/abi/freebsd/signal.hpp"
#include "bsd-personality/abi/versions.hpp"
#include "bsd-personality/kern/stack_image.hpp"
#include "bsd-personality/kern/timekeep.hpp"
#include "bsd-personality/vm/page.hpp"

namespace bsd {

namespace {

constexpr std::uint64_t sigcode_page = 0x7fff'ffff'e000; // the shared page; nothing can be mapped above it
constexpr std::uint64_t stack_end = sigcode_page;
constexpr std::uint64_t ps_strings_address = stack_end - 32;

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
    at_canary,
    at_canarylen,
    at_osreldate,
    at_ncpus,
    at_pagesizes,
    at_pagesizeslen,
    at_timekeep,
    at_stackprot,
    at_ehdrflags,
    at_bsdflags = 27,
    at_argc,
    at_argv,
    at_envc,
    at_envv,
    at_ps_strings,
    at_usrstackbase = 35,
    at_usrstacklim,
};

// KPRELOAD is left out: nothing is in it that libraries need.
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
    add(at_ehdrflags, image.header_flags);
    add(at_execpath, layout.execpath);
    add(at_osreldate, freebsd_osreldate);
    add(at_canary, layout.canary);
    add(at_canarylen, sizeof image.canary);
    add(at_ncpus, image.cpus);
    add(at_pagesizes, layout.pagesizes);
    add(at_pagesizeslen, 24);
    if (timekeep_published())
        add(at_timekeep, image.shared_page + timekeep_offset);
    add(at_stackprot, image.executable_stack ? 7 : 3);
    add(at_bsdflags, 1); // sigfastblock(2) is there
    add(at_argc, image.argument_count);
    add(at_argv, layout.argv);
    add(at_envc, image.environment_count);
    add(at_envv, layout.envp);
    add(at_ps_strings, image.ps_strings);
    add(at_usrstackbase, vm::round_up(image.stack_top));
    add(at_usrstacklim, image.stack_limit);
    add(at_null, 0);
    return n;
}

SysResult<void> build_stack(const ExecImage& image, StackWriter& writer, UserContext& registers) {
    const StackRecipe recipe{image.ps_strings, image.ps_strings, true, true, 0, 40, fill_vector};
    StackLayout layout = TRY(build_stack_image(image, recipe, writer));
    set_entry_registers(registers, image.start, layout.argument_block);
    return {};
}

int errno_number(Errno error) {
    return static_cast<int>(error);
}

} // namespace

constinit const Abi freebsd_abi = {
    .kind = AbiKind::freebsd,
    .system_name = "FreeBSD",
    .calls = freebsd_system_calls,
    .errno_number = errno_number,
    .at_fdcwd = -100,
    .stack_top = stack_end,
    .sigcode_address = sigcode_page,
    .ps_strings = ps_strings_address,
    .position_independent_base = 0x102'1000,
    .max_stack = 512 << 20,
    .default_stack_limit = 512 << 20,
    .trampoline = freebsd::trampoline,
    .trampoline_size = freebsd::trampoline_size,
    .send_signal = freebsd::send_signal,
    .signal_return = freebsd::signal_return,
    .signal_info = freebsd::signal_info,
    .build_stack = build_stack,
    .register_set_size = sizeof(freebsd::RegisterSet),
    .fill_registers = freebsd::fill_registers,
    .set_registers = freebsd::set_registers,
    .core_osabi = 9,
    .core_note_flags = 4,
    .core_note_align = 4,
    .put_core_notes = freebsd::put_core_notes,
};

} // namespace bsd
