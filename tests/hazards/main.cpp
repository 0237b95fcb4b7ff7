// SPDX-License-Identifier: BSD-2-Clause
// The hazards of leaving to user mode and of entering by exception, one function each; the one that the
// command line names (hazard=NAME) runs. Each must fail on a kernel without its guard: tests/hazards/run sees
// to that.
#include <cstring>

#include "tests/kernel/laboratory.hpp"

// From here on the debugger looks at what the kernel does.
extern "C" [[gnu::noinline]] void hazard_ready() {
    asm volatile("");
}

namespace laboratory {

namespace {

constexpr Word vcpu_address = 0x4300'0000, kernel_text = 0xffff'ffff'8020'0000;
constexpr Word flags_clean = 0x202, flag_if = 0x200,
               flags_forbidden = 0x3000 | 0x4000 | 0x20000; // IOPL NT VM
Child guest;
unsigned failures;

auto& page_() {
    return *reinterpret_cast<volatile abi::VcpuPage*>(vcpu_address);
}

void expect(const char* what, Word got, Word wanted) {
    if (got == wanted)
        return;
    ++failures;
    print("  ");
    print(what);
    print(" is ");
    print(got);
    print(", not ");
    print(wanted);
    print("\n");
}

// What the guest runs. It reports in rax, rbx, rdx and calls.
IN_CHILD void guest_reports(Word) {
    asm volatile("mov %rcx, %rax; mov %r11, %rbx; pushfq; pop %rdx; mov %cs, %esi; syscall; ud2");
}
IN_CHILD void guest_sets_bases_and_calls(Word) {
    asm volatile("mov $0x123000, %eax; wrfsbase %rax; mov $0x456000, %eax; wrgsbase %rax; syscall; ud2");
}
IN_CHILD void guest_sets_bases_and_faults(Word) {
    asm volatile("mov $0x123000, %eax; wrfsbase %rax; mov $0x456000, %eax; wrgsbase %rax; ud2");
}
IN_CHILD void guest_sets_bases_and_spins(Word) {
    asm volatile("mov $0x123000, %eax; wrfsbase %rax; mov $0x456000, %eax; wrgsbase %rax; 1: jmp 1b");
}

void prepare(void (*function)(Word)) {
    page_().user.rip = reinterpret_cast<Word>(function);
    page_().user.rsp = child_stack - 8;
    page_().user.rflags = flags_clean;
    page_().user.cs = 0x23;
    page_().user.ss = 0x1b;
    page_().deadline = abi::no_deadline;
    page_().fs_base = 0;
    page_().gs_base = 0;
    page_().pending = 0;
    page_().events = 0;
}
Reply run() {
    return glue::native::run_vcpu(guest.task);
}
Word trap(Reply reply) {
    return reply.ok() ? reply.value : 100 + static_cast<Word>(reply.error);
}
constexpr Word system_call = static_cast<Word>(abi::Trap::system_call),
               exception = static_cast<Word>(abi::Trap::exception),
               deadline_passed = static_cast<Word>(abi::Trap::deadline),
               bad_address = 100 + static_cast<Word>(Error::bad_address);

void make_vcpu() {
    guest = make_child();
    must("vcpu", invoke(Operation::vcpu_create, abi::root_pool, new_selector(), abi::root_thread,
                        vcpu_address, make_notification()));
}

// What changes the page while the kernel uses it is the debugger, at every instruction that matters. It makes
// RIP the kernel's, a step later each time: either it is refused or the change comes too late.
void read_once() {
    for (unsigned i = 0; i < 400; ++i) {
        prepare(guest_reports);
        hazard_ready();
        Word got = trap(run());
        if (got != bad_address)
            expect("what ran a guest whose RIP changes", got, system_call);
    }
}

// CS and vector are changed when the processor has pushed them, or the kernel's stub.
void frame_origin() {
    prepare(guest_sets_bases_and_faults);
    hazard_ready();
    expect("trap of a guest whose CS changes", trap(run()), exception);
}

void frame_vector() {
    prepare(guest_sets_bases_and_spins);
    hazard_ready();
    page_().deadline = glue::Clock::ticks().value + glue::Clock::ticks_per_second() / 10;
    expect("trap of a guest whose vector changes", trap(run()), deadline_passed);
}

void guest_rip() {
    for (Word rip : {Word{abi::user_end}, Word{0x8000'0000'0000}, kernel_text, ~Word{0}})
        for (bool by_sysret : {false, true}) {
            prepare(guest_reports);
            page_().user.rip = rip;
            page_().user.rcx = by_sysret ? rip : 0;
            page_().user.r11 = flags_clean;
            expect("a guest outside user memory", trap(run()), bad_address);
        }
}

void guest_bases() {
    for (Word base : {Word{abi::user_end}, Word{0x8000'0000'0000}, ~Word{0} << 48}) {
        prepare(guest_reports);
        page_().fs_base = base;
        expect("a guest with such an FS base", trap(run()), bad_address);
        prepare(guest_reports);
        page_().gs_base = base;
        expect("a guest with such a GS base", trap(run()), bad_address);
    }
}

void guest_flags() {
    prepare(guest_reports);
    page_().user.rflags = flags_forbidden; // and interrupts off
    expect("trap", trap(run()), system_call);
    expect("the guest's RFLAGS", page_().user.rdx & (flags_forbidden | flag_if), flag_if);
}

void guest_segments() {
    prepare(guest_reports);
    page_().user.rcx = 1; // by IRET
    page_().user.cs = 0x08;
    page_().user.ss = 0x10;
    expect("trap", trap(run()), system_call);
    expect("the guest's CS", page_().user.rsi & 0xffff, 0x23);
}

// RCX and R11 arrive as they are in the page, whatever else is in it.
void guest_sysret() {
    prepare(guest_reports);
    Word rip = page_().user.rip;
    struct {
        Word rcx, r11;
    } cases[] = {{1, 2}, {rip, 2}, {1, flags_clean}, {rip, flags_clean}, {rip, flags_clean | 0x10000}};
    for (auto [rcx, r11] : cases) {
        prepare(guest_reports);
        page_().user.rcx = rcx;
        page_().user.r11 = r11;
        page_().user.rflags = r11 & 0x10000 ? r11 : flags_clean;
        expect("trap", trap(run()), system_call);
        expect("the guest's RCX", page_().user.rax, rcx);
        expect("the guest's R11", page_().user.rbx, r11);
    }
}

void bases_saved_leaving() {
    struct {
        void (*function)(Word);
        Word trap;
    } cases[] = {{guest_sets_bases_and_calls, system_call},
                 {guest_sets_bases_and_faults, exception},
                 {guest_sets_bases_and_spins, deadline_passed}};
    for (auto [function, wanted] : cases) {
        Word got;
        do { // a busy host may let the deadline pass before the guest runs
            prepare(function);
            page_().deadline = wanted == deadline_passed
                                   ? glue::Clock::ticks().value + glue::Clock::ticks_per_second() / 500
                                   : abi::no_deadline;
            got = trap(run());
        } while (wanted == deadline_passed && page_().user.rip == reinterpret_cast<Word>(function));
        expect("trap", got, wanted);
        expect("the guest's FS base", page_().fs_base, 0x123000);
        expect("the guest's GS base", page_().gs_base, 0x456000);
    }
}

// Threads that yield to each other keep their own.
Word other_ran;
alignas(16) std::byte other_stack[4096];
void bases_saved_switching() {
    asm volatile("wrfsbase %0; wrgsbase %1" ::"r"(Word{0x111000}), "r"(Word{0x222000}));
    start(
        make_thread(abi::root_task, 0, 100, 0x4400'0000),
        [](Word) {
            for (;;) {
                asm volatile("wrfsbase %0; wrgsbase %0" ::"r"(Word{0x333000}));
                __atomic_store_n(&other_ran, 1, __ATOMIC_RELAXED);
                (void)invoke(Operation::yield, 0);
            }
        },
        0, reinterpret_cast<Word>(other_stack + sizeof other_stack));
    while (!__atomic_load_n(&other_ran, __ATOMIC_RELAXED))
        (void)invoke(Operation::yield, 0);
    Word fs, gs;
    asm volatile("rdfsbase %0; rdgsbase %1" : "=r"(fs), "=r"(gs));
    expect("FS base after a switch", fs, 0x111000);
    expect("GS base after a switch", gs, 0x222000);
}

// The rest is looked at by the debugger: the kernel's flags at its first instruction, and at its trap
// handler. The numbers in rax and rsi tell the one system call and the one trap that matter.
void flags_at_system_call() {
    hazard_ready();
    asm volatile("pushfq; orq $0x44500, (%%rsp); xor %%eax, %%eax; popfq; syscall" ::
                     : "rax", "rcx", "r11", "memory", "cc");
}
void flags_at_trap() {
    hazard_ready();
    asm volatile("pushfq; orq $0x40400, (%%rsp); popfq; ud2" ::: "memory", "cc");
}
void calls() {
    hazard_ready();
    for (unsigned i = 0; i < 1000; ++i)
        expect("a null invocation", static_cast<Word>(invoke(Operation::null, 0).error), 0);
}

} // namespace

} // namespace laboratory

extern "C" void libelle_main() {
    using namespace laboratory;
    static const struct {
        const char* name;
        void (*run)();
        bool vcpu;
    } hazards[] = {
        {"read_once", read_once, true},
        {"frame_origin", frame_origin, true},
        {"frame_vector", frame_vector, true},
        {"guest_rip", guest_rip, true},
        {"guest_bases", guest_bases, true},
        {"guest_flags", guest_flags, true},
        {"guest_segments", guest_segments, true},
        {"guest_sysret", guest_sysret, true},
        {"bases_saved_leaving", bases_saved_leaving, true},
        {"bases_saved_switching", bases_saved_switching, false},
        {"flags_at_system_call", flags_at_system_call, false},
        {"flags_at_trap", flags_at_trap, false},
        {"calls", calls, false},
    };
    initialize();
    const char* wanted = reinterpret_cast<const abi::BootInformation*>(abi::root_boot_address)->command_line;
    constexpr char key[] = "hazard=";
    if (std::strncmp(wanted, key, sizeof key - 1) != 0)
        fail("hazard=NAME is not on the command line");
    for (const auto& hazard : hazards)
        if (std::strcmp(hazard.name, wanted + sizeof key - 1) == 0) {
            if (hazard.vcpu)
                make_vcpu();
            hazard.run();
            finish(failures ? 1 : 0);
        }
    fail("no such hazard");
}
