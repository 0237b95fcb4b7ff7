// SPDX-License-Identifier: BSD-2-Clause
// What the kernel needs of ACPI: the MADT for cores and interrupt routing, and, for the calibration of the
// clock, where HPET and power-management timer are. Read at boot with low memory mapped one to one;
// everything in a table is checked against its length.
#include <cstring>

#include "kernel/machine.hpp"
#include "kernel/panic.hpp"

namespace kernel {

namespace {

struct [[gnu::packed]] Rsdp {
    char signature[8];
    std::uint8_t checksum;
    char oem[6];
    std::uint8_t revision;
    std::uint32_t rsdt;
};
struct [[gnu::packed]] Header {
    char signature[4];
    std::uint32_t length;
    std::uint8_t revision, checksum;
    char oem[26 - 0];
};
static_assert(sizeof(Header) == 36);

const std::uint8_t* at(Word physical) {
    return reinterpret_cast<const std::uint8_t*>(physical);
}

const Rsdp* find_rsdp(Word hint) {
    auto matches = [](Word address) { return std::memcmp(at(address), "RSD PTR ", 8) == 0; };
    if (hint && hint < 0xffff'0000 && matches(hint))
        return reinterpret_cast<const Rsdp*>(hint);
    for (Word address = 0xe0000; address < 0x100000; address += 16)
        if (matches(address))
            return reinterpret_cast<const Rsdp*>(address);
    return nullptr;
}

template <class T>
T field(const std::uint8_t* entry, unsigned offset) {
    T value;
    std::memcpy(&value, entry + offset, sizeof value);
    return value;
}

const Header* find_table(const Rsdp& rsdp, const char* signature) {
    const auto* rsdt = reinterpret_cast<const Header*>(Word{rsdp.rsdt});
    for (unsigned i = 0; rsdt->length >= sizeof(Header) && i < (rsdt->length - sizeof(Header)) / 4; ++i) {
        const auto* table =
            reinterpret_cast<const Header*>(Word{field<std::uint32_t>(at(Word(rsdp.rsdt)), 36 + 4 * i)});
        if (std::memcmp(table->signature, signature, 4) == 0)
            return table;
    }
    return nullptr;
}

constexpr std::uint8_t space_memory = 0; // of a generic address

void find_clocks(const Rsdp& rsdp) {
    const Header* table = find_table(rsdp, "HPET");
    if (table && table->length >= 56) {
        const auto* bytes = reinterpret_cast<const std::uint8_t*>(table);
        Word base = field<Word>(bytes, 44);
        if (bytes[40] == space_memory && base < 0xffff'0000) // what is mapped while it is looked at
            machine.hpet_base = base;
    }
    table = find_table(rsdp, "FACP");
    if (table && table->length >= 116) {
        const auto* bytes = reinterpret_cast<const std::uint8_t*>(table);
        auto port = field<std::uint32_t>(bytes, 76);
        if (bytes[91] == 4 && port <= 0xfffc)
            machine.pm_timer_port = static_cast<std::uint16_t>(port);
        machine.pm_timer_wide = field<std::uint32_t>(bytes, 112) & 1 << 8;
    }
}

} // namespace

void read_acpi(Word hint) {
    const Rsdp* rsdp = find_rsdp(hint);
    if (!rsdp)
        panic("no ACPI tables: no RSDP");
    find_clocks(*rsdp);
    const Header* madt = find_table(*rsdp, "APIC");
    if (!madt)
        panic("no ACPI MADT: cannot find cores and interrupt controllers");
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(madt);
    machine.apic_base = field<std::uint32_t>(bytes, 36);
    for (unsigned i = 0; i < 16; ++i)
        machine.override_input[i] = i;
    for (unsigned offset = 44; offset + 2 <= madt->length;) {
        const std::uint8_t* entry = bytes + offset;
        unsigned length = entry[1];
        if (length < 2 || offset + length > madt->length)
            break;
        if (entry[0] == 0 && length >= 8 && field<std::uint32_t>(entry, 4) & 1 &&
            machine.cores < abi::max_cores) {
            machine.apic_ids[machine.cores++] = entry[3];
        } else if (entry[0] == 1 && length >= 12 && !machine.ioapic_base) {
            machine.ioapic_base = field<std::uint32_t>(entry, 4);
            machine.ioapic_first_line = field<std::uint32_t>(entry, 8);
        } else if (entry[0] == 2 && length >= 10 && entry[3] < 16) {
            machine.override_input[entry[3]] = field<std::uint32_t>(entry, 4);
            machine.override_flags[entry[3]] = field<std::uint16_t>(entry, 8);
        }
        offset += length;
    }
    if (!machine.ioapic_base || machine.cores == 0)
        panic("ACPI MADT names no I/O APIC or no core");
}

} // namespace kernel
