// SPDX-License-Identifier: BSD-2-Clause
// A plugin of QEMU's emulation that watches the kernel as it is: what a counting build would count, without
// a changed line in it. Of kernel code it sees
// - by their bytes: writes of CR3 and of model-specific registers, XSAVE and XRSTOR, IRET, and instructions
//   with a LOCK prefix or its effect (XCHG with memory);
// - stores to the local and the I/O APIC, by register;
// - how many instructions lie between an entry and the SYSRET, IRET or HLT that ends it. The kernel runs with
//   interrupts off from the one to the other, so the longest such way is the longest time without interrupts;
// - which lines of kernel memory one core stores to while another one uses them.
// It writes one JSON object for each part of the run that lies between the program's calls of the functions
// `begin` and `end`, or one for all of the run from the first way out of the kernel on.
// Arguments: symbols=FILE (nm's output for the kernel) out=FILE begin=ADDRESS end=ADDRESS lines=1
// Counts need one core that runs at a time (thread=single); ways need one core.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

// The parts of QEMU's plugin interface, version 1, that are used here.
extern "C" {
using qemu_plugin_id_t = std::uint64_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info_t;
using Executed = void (*)(unsigned cpu, void* data);
using Accessed = void (*)(unsigned cpu, std::uint32_t info, std::uint64_t address, void* data);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, qemu_plugin_tb*));
void qemu_plugin_register_vcpu_tb_exec_cb(qemu_plugin_tb*, Executed, int flags, void* data);
void qemu_plugin_register_vcpu_insn_exec_cb(qemu_plugin_insn*, Executed, int flags, void* data);
void qemu_plugin_register_vcpu_insn_exec_inline(qemu_plugin_insn*, int add, void* to, std::uint64_t what);
void qemu_plugin_register_vcpu_mem_cb(qemu_plugin_insn*, Accessed, int flags, int access, void* data);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, void*), void* data);
std::size_t qemu_plugin_tb_n_insns(const qemu_plugin_tb*);
qemu_plugin_insn* qemu_plugin_tb_get_insn(const qemu_plugin_tb*, std::size_t);
const void* qemu_plugin_insn_data(const qemu_plugin_insn*);
std::size_t qemu_plugin_insn_size(const qemu_plugin_insn*);
std::uint64_t qemu_plugin_insn_vaddr(const qemu_plugin_insn*);
bool qemu_plugin_mem_is_store(std::uint32_t info);
extern const int qemu_plugin_version;
const int qemu_plugin_version = 1;
}

namespace {

constexpr std::uint64_t kernel_half = 0xffff'8000'0000'0000, image = 0xffff'ffff'8000'0000;
constexpr std::uint64_t devices = 0xffff'ffff'c000'0000, device_page = 4096; // local APIC, then I/O APIC
constexpr unsigned max_cores = 16;

enum Event { cr3, msr, xsave, iret, lock, event_count };
const char* const event_names[] = {"cr3", "msr", "xsave", "iret", "lock"};

using Name = const std::string*;

// A way through the kernel: the functions it went through, and the instructions executed when it entered
// each.
struct Way {
    std::uint64_t length = 0;
    std::vector<std::pair<Name, std::uint64_t>> entered = {};
};
struct Line {
    std::uint32_t stored = 0, used = 0; // bits of cores
    Name storing = nullptr, using_[2] = {};
};

// Never destroyed: the report at QEMU's exit still needs them.
auto& symbols = *new std::map<std::uint64_t, std::string>;
auto& longest = *new std::map<Name, Way>; // by what the way was for
auto& lines = *new std::unordered_map<std::uint64_t, Line>;
auto& apic_stores = *new std::map<std::uint64_t, std::uint64_t>; // by address
auto& locked_in = *new std::map<Name, std::uint64_t>;
auto& now = *new Way;
auto& functions = *new std::set<Name>;

std::FILE* out;
std::uint64_t mark_begin, mark_end;
bool watch_lines;
bool on = false;
std::uint64_t counts[event_count], executed;
Name purpose; // of the way that is under way

// What an instruction is, by its bytes; event_count: nothing that counts.
Event classify(const std::uint8_t* byte, std::size_t size, bool& leaves) {
    static const char prefixes[] = "\xf0\xf2\xf3\x66\x64\x65\x2e\x3e";
    std::size_t at = 0;
    bool locked = false;
    for (; at < size && byte[at] && std::strchr(prefixes, static_cast<char>(byte[at])); ++at)
        locked |= byte[at] == 0xf0;
    if (at < size && (byte[at] & 0xf0) == 0x40) // REX
        ++at;
    std::uint8_t opcode = at < size ? byte[at] : 0, second = at + 1 < size ? byte[at + 1] : 0,
                 third = at + 2 < size ? byte[at + 2] : 0;
    leaves = opcode == 0xcf || opcode == 0xf4 || (opcode == 0x0f && second == 0x07); // IRET, HLT, SYSRET
    if (locked || ((opcode == 0x86 || opcode == 0x87) && second >> 6 != 3))
        return lock;
    if (opcode == 0xcf)
        return iret;
    if (opcode != 0x0f)
        return event_count;
    unsigned extension = third >> 3 & 7;
    if (second == 0x22 && extension == 3)
        return cr3;
    if (second == 0x30)
        return msr;
    bool extended_state = second == 0xae && (extension == 4 || extension == 5 || extension == 6);
    bool compacted = second == 0xc7 && (extension == 3 || extension == 4 || extension == 5);
    return third >> 6 != 3 && (extended_state || compacted) ? xsave : event_count;
}

void count_event(unsigned, void* data) {
    if (on)
        ++counts[reinterpret_cast<std::uintptr_t>(data)];
}
void count_locked(unsigned, void* data) {
    if (on)
        ++locked_in[static_cast<Name>(data)];
}

void enter_block(unsigned, void* data) {
    auto name = static_cast<Name>(data);
    if (!now.entered.empty() && now.entered.back().first == name)
        return;
    // The handler of an operation, or else the first function that an entry calls.
    if (!purpose || now.entered.size() == 1)
        purpose = name;
    else if (purpose->find("::invoke_") == std::string::npos && name->find("::invoke_") != std::string::npos)
        purpose = name;
    now.entered.emplace_back(name, executed);
    if (on)
        functions.insert(name);
}

void leave_kernel(unsigned, void*) {
    now.length = executed;
    executed = 0;
    if (on && purpose && now.length > longest[purpose].length)
        std::swap(longest[purpose], now);
    now.entered.clear();
    purpose = nullptr;
    on |= mark_begin == 0;
}

void access_memory(unsigned cpu, std::uint32_t info, std::uint64_t address, void* data) {
    if (!on || address < kernel_half)
        return;
    bool store = qemu_plugin_mem_is_store(info);
    if (address >= devices) {
        if (store)
            ++apic_stores[address - devices];
        return;
    }
    if (!watch_lines)
        return;
    Line& line = lines[address >> 6];
    line.used |= 1u << cpu;
    line.using_[cpu % 2] = static_cast<Name>(data);
    if (store) {
        line.stored |= 1u << cpu;
        line.storing = static_cast<Name>(data);
    }
}

const char* text(Name name) {
    return name ? name->c_str() : "?";
}

void report_way(Name what, const Way& way, const char* separator) {
    std::map<Name, std::uint64_t> by_function;
    for (std::size_t i = 0; i < way.entered.size(); ++i)
        by_function[way.entered[i].first] +=
            (i + 1 < way.entered.size() ? way.entered[i + 1].second : way.length) - way.entered[i].second;
    std::vector<std::pair<std::uint64_t, Name>> most;
    for (const auto& [name, spent] : by_function)
        most.emplace_back(spent, name);
    std::sort(most.rbegin(), most.rend());
    most.resize(std::min<std::size_t>(most.size(), 5));
    std::fprintf(out, R"(%s{"what":"%s","length":%lu,"functions":{)", separator, text(what), way.length);
    for (const auto& [spent, name] : most)
        std::fprintf(out, R"(%s"%s":%lu)", name == most[0].second ? "" : ",", text(name), spent);
    std::fprintf(out, "}}");
}

void report() {
    std::fprintf(out, "{");
    for (unsigned i = 0; i < event_count; ++i)
        std::fprintf(out, R"("%s":%lu,)", event_names[i], counts[i]);
    const char* separator = "";
    for (std::uint64_t page = 0; page < 2; ++page) {
        std::fprintf(out, page == 0 ? R"("lapic":{)" : R"(},"ioapic":{)");
        separator = "";
        for (const auto& [address, count] : apic_stores)
            if (address / device_page == page) {
                std::fprintf(out, R"(%s"%lx":%lu)", separator, address % device_page, count);
                separator = ",";
            }
    }
    std::fprintf(out, R"(},"locked_in":{)");
    separator = "";
    for (const auto& [name, count] : locked_in) {
        std::fprintf(out, R"(%s"%s":%lu)", separator, text(name), count);
        separator = ",";
    }
    std::fprintf(out, R"(},"executed":[)");
    separator = "";
    for (Name name : functions) {
        std::fprintf(out, R"(%s"%s")", separator, text(name));
        separator = ",";
    }
    std::fprintf(out, R"(],"shared":[)");
    separator = "";
    for (const auto& [line, cores] : lines)
        if (cores.stored && (cores.used & (cores.used - 1))) {
            auto symbol = symbols.upper_bound(line << 6 | 63);
            bool named = line << 6 >= image && symbol != symbols.begin();
            std::fprintf(
                out, R"(%s{"line":"%lx","near":"%s","stored_by":%u,"stored_in":"%s","used_in":["%s","%s"]})",
                separator, line << 6, named ? (--symbol)->second.c_str() : "", cores.stored,
                text(cores.storing), text(cores.using_[0]), text(cores.using_[1]));
            separator = ",";
        }
    std::fprintf(out, R"(],"lines":%zu,"ways":[)", lines.size());
    separator = "";
    for (const auto& [what, way] : longest) {
        report_way(what, way, separator);
        separator = ",";
    }
    std::fprintf(out, "]}\n");
    std::fflush(out);
}

void begin_mark(unsigned, void*) {
    std::memset(counts, 0, sizeof counts);
    lines.clear();
    longest.clear();
    apic_stores.clear();
    locked_in.clear();
    functions.clear();
    on = true;
}
void end_mark(unsigned, void*) {
    on ? report() : void(std::fprintf(out, "{}\n")); // what was waited for came before the waiting
    on = false;
}

Name function_at(std::uint64_t address) {
    auto symbol = symbols.upper_bound(address);
    return symbol == symbols.begin() ? nullptr : &(--symbol)->second;
}

void translated(qemu_plugin_id_t, qemu_plugin_tb* block) {
    std::size_t n = qemu_plugin_tb_n_insns(block);
    for (std::size_t i = 0; i < n; ++i) {
        qemu_plugin_insn* instruction = qemu_plugin_tb_get_insn(block, i);
        std::uint64_t address = qemu_plugin_insn_vaddr(instruction);
        auto executed_by = [&](Executed callback, const void* data = nullptr) {
            qemu_plugin_register_vcpu_insn_exec_cb(instruction, callback, 0, const_cast<void*>(data));
        };
        if (address < kernel_half) {
            if (mark_begin && address == mark_begin)
                executed_by(begin_mark);
            if (mark_end && address == mark_end)
                executed_by(end_mark);
            continue;
        }
        auto* function = const_cast<std::string*>(function_at(address));
        if (i == 0 && function)
            qemu_plugin_register_vcpu_tb_exec_cb(block, enter_block, 0, function);
        bool leaves;
        Event event = classify(static_cast<const std::uint8_t*>(qemu_plugin_insn_data(instruction)),
                               qemu_plugin_insn_size(instruction), leaves);
        qemu_plugin_register_vcpu_insn_exec_inline(instruction, 0, &executed, 1);
        if (event != event_count)
            executed_by(count_event, reinterpret_cast<void*>(static_cast<std::uintptr_t>(event)));
        if (event == lock)
            executed_by(count_locked, function);
        if (mark_begin)
            qemu_plugin_register_vcpu_mem_cb(instruction, access_memory, 0, 3, function);
        if (leaves)
            executed_by(leave_kernel);
    }
}

void read_symbols(const char* path) {
    std::FILE* file = std::fopen(path, "r");
    char type, name[512];
    std::uint64_t address;
    while (file && std::fscanf(file, "%lx %c %511[^\n]\n", &address, &type, name) == 3)
        if (std::strchr("tTbBdDrR", type)) {
            std::string whole = name;
            for (std::size_t at; (at = whole.find("(anonymous namespace)::")) != std::string::npos;)
                whole.erase(at, 23);
            symbols.emplace(address,
                            whole.substr(0, whole.find_first_of("(\"\\"))); // nothing that JSON quotes
        }
    if (file)
        std::fclose(file);
}

void at_exit(qemu_plugin_id_t, void*) {
    if (!mark_begin)
        report();
    std::fclose(out);
}

} // namespace

extern "C" int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t*, int count, char** arguments) {
    for (int i = 0; i < count; ++i) {
        const char* value = std::strchr(arguments[i], '=');
        if (!value)
            return 1;
        std::string key(arguments[i], static_cast<std::size_t>(value++ - arguments[i]));
        if (key == "symbols")
            read_symbols(value);
        else if (key == "out")
            out = std::fopen(value, "w");
        else if (key == "begin")
            mark_begin = std::strtoull(value, nullptr, 0);
        else if (key == "end")
            mark_end = std::strtoull(value, nullptr, 0);
        else if (key == "lines")
            watch_lines = *value == '1';
        else
            return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, at_exit, nullptr);
    return out ? 0 : 1;
}
