// SPDX-License-Identifier: BSD-2-Clause
#include "tests/syscalls/script.hpp"

#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/vm/usermem.hpp"

#include <cstdio>
#include <cstring>
#include <string_view>

namespace fuzz {

namespace {

// Files that are there at the start, names for new ones, and what path lookup must withstand.
const char* const paths[] = {
    "/",         ".",          "..",          "a",        "b",          "/tmp/a",     "/tmp/b",
    "/tmp/d",    "/tmp/d/a",   "/tmp/d/../b", "/bin/exe", "/bin/text",  "/bin/sh",    "/dev/null",
    "/dev/zero", "/dev/fd/3",  "/dev/random", "/dev",     "/dev/stdin", "/tmp/link",  "/tmp/fifo",
    "",          "/nowhere/x", "a/",          "//tmp//a", "/tmp/./d/",  "/bin/exe/x", "/dev/console"};

// Flags, sizes, addresses and commands that code decides by.
constexpr std::uint64_t telling[] = {0x1000,
                                     0x1002,
                                     0x1010,
                                     0x1012,
                                     0x40000,
                                     0x200,
                                     0x202,
                                     0x601,
                                     0xa02,
                                     0x100000,
                                     0x20000,
                                     4096,
                                     4095,
                                     65536,
                                     0x7fffffff,
                                     0x80000000,
                                     0xffffffff,
                                     0x100000000,
                                     1ul << 46,
                                     1000,
                                     100000,
                                     1000000000,
                                     ~0ul >> 1,
                                     1ul << 63,
                                     0xffffff9c,
                                     0x7ffffffff000,
                                     0x600000000000,
                                     0x8004667e,
                                     0x4004667f,
                                     0x20006601,
                                     0x40147210,
                                     65,
                                     126,
                                     128,
                                     0x10000000,
                                     0x1000f000,
                                     0x10010000,
                                     0x1000fff8,
                                     0x402c7413,
                                     100000,
                                     1ul << 40,
                                     511,
                                     0777,
                                     01777,
                                     0100644,
                                     040755,
                                     0xfffffffe,
                                     0xfffffffd,
                                     0x2000000,
                                     0xb,
                                     0x11,
                                     0x14,
                                     0x1000000000,
                                     0x400000};

bool is_pointer(std::string_view type) {
    return type.find('*') != type.npos || type == "caddr_t";
}

// Types of a call's arguments, one after the other.
class Types {
public:
    explicit Types(const char* list) : rest_(list ? list : "") {}
    std::string_view next() {
        std::size_t end = rest_.find(',');
        std::string_view type = rest_.substr(0, end);
        rest_ = end == rest_.npos ? std::string_view() : rest_.substr(end + 1);
        while (type.starts_with(' '))
            type.remove_prefix(1);
        return type;
    }

private:
    std::string_view rest_;
};

// What was called in all inputs.
struct Calls {
    std::uint64_t made = 0, by_number[1024] = {};
};
Calls calls_of[2];

bsd::Proc* nth_process(unsigned n) {
    bsd::Proc* proc = bsd::all_processes.first();
    for (n %= bsd::process_count; n != 0; n--)
        proc = bsd::all_processes.next(proc);
    return proc;
}

} // namespace

std::uint64_t Script::raw(unsigned bytes) {
    std::uint64_t value = 0;
    for (unsigned i = 0; i != bytes; i++)
        value |= std::uint64_t{byte()} << (8 * i);
    return value;
}

std::uint64_t Script::number(const bsd::Lwp& lwp) {
    std::uint8_t kind = byte();
    if (kind < 0x90)
        return static_cast<std::uint64_t>(std::int64_t{kind} - 16); // mostly descriptors, signals, counts
    if (kind < 0xe0)
        return telling[(kind - 0x90) % (sizeof telling / sizeof *telling)];
    switch (kind) {
    case 0xe0:
        return raw(2);
    case 0xe1:
        return raw(4);
    case 0xe2:
        return raw(8);
    case 0xe3:
        return static_cast<std::uint64_t>(nth_process(byte())->pid);
    case 0xe4: {
        const bsd::Lwp* thread = nth_process(byte())->lwps.first();
        return thread ? static_cast<std::uint64_t>(thread->tid) : 0;
    }
    case 0xe5:
        return lwp.frame->rsp;
    case 0xe6:
        return static_cast<std::uint64_t>(lwp.proc.pgrp->id);
    default:
        return scratch + ((kind & 0x1f) * 0x208); // aligned, within pages and across their ends
    }
}

void Script::write(bsd::Lwp& lwp, std::uint64_t address, const void* from, std::size_t size) {
    (void)bsd::copyout(*lwp.proc.vmspace, from, glue::UserAddress{address}, size);
}

// An address and what lies there.
std::uint64_t Script::pointer(bsd::Lwp& lwp, bool string) {
    std::uint8_t kind = byte();
    std::uint64_t address = scratch + (kind & 0x1f) * 0x180;
    std::uint8_t what = kind >> 5;
    if (what == 0)
        return number(lwp); // null among them
    if (what == 1)          // what an earlier call left there
        return address;
    if (what == 2)
        return scratch_end - (kind & 0x1f); // the last bytes that can be written
    if (string || what == 7) {
        const char* path = paths[byte() % (sizeof paths / sizeof *paths)];
        write(lwp, address, path, std::strlen(path) + 1);
        return address;
    }
    // Words of 8 bytes, or of 4, or bytes.
    unsigned count = byte() % (what == 6 ? 64 : 24), size = what == 6 ? 1 : what == 5 ? 4 : 8;
    for (unsigned i = 0; i < count; i++) {
        std::uint64_t value = size == 1 ? byte() : number(lwp);
        write(lwp, address + size * i, &value, size);
    }
    return address;
}

Script::Event Script::next(bsd::Lwp& lwp, glue::UserContext& context) {
    context.rip = 0x400000;
    if (exhausted()) {
        context.rax = 1; // exit, in both ABIs
        context.rdi = 0;
        return Event::system_call;
    }
    std::uint8_t kind = byte();
    if (kind >= 0xf8) {
        context.vector = kind & 1 ? 14 : byte() % 20;
        context.error = kind & 6;
        context.fault_address = pointer(lwp, false);
        return Event::fault;
    }
    if (kind >= 0xf0)
        return Event::pause;
    const bsd::SystemCallTable& table = lwp.proc.abi->calls;
    std::uint32_t number = (kind * 256u + byte()) % table.count;
    const bsd::SystemCallEntry& entry = table.entries[number];
    Calls& calls = calls_of[lwp.proc.abi == &bsd::dragonfly_abi];
    calls.made++;
    calls.by_number[number % 1024]++;
    std::uint64_t words[10] = {};
    Types types(entry.arguments);
    for (unsigned i = 0; entry.handler && i < entry.words && i < 10; i++) {
        std::string_view type = types.next();
        words[i] =
            is_pointer(type) ? pointer(lwp, type == "const char *" || type == "char *") : this->number(lwp);
    }
    context.rax = number;
    context.rdi = words[0], context.rsi = words[1], context.rdx = words[2];
    context.r10 = words[3], context.r8 = words[4], context.r9 = words[5];
    if (context.rsp < scratch || context.rsp > scratch_end - 4096) // where a signal's frame was put, perhaps
        context.rsp = scratch_end - 4096;
    if (entry.words > 6)
        write(lwp, context.rsp + 8, words + 6, sizeof(std::uint64_t) * 4);
    return Event::system_call;
}

void print_calls() {
    for (const bsd::Abi* abi : {&bsd::freebsd_abi, &bsd::dragonfly_abi}) {
        const Calls& calls = calls_of[abi == &bsd::dragonfly_abi];
        unsigned there = 0, reached = 0;
        for (std::uint32_t number = 0; number != abi->calls.count; number++)
            if (abi->calls.entries[number].handler != nullptr) {
                there++;
                reached += calls.by_number[number % 1024] != 0;
            }
        std::fprintf(stderr, "calls: %s %llu, of %u of %u that are there\n", abi->system_name,
                     static_cast<unsigned long long>(calls.made), reached, there);
    }
}

} // namespace fuzz
