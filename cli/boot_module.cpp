// SPDX-License-Identifier: BSD-2-Clause
#include "cli/boot_module.hpp"

#include "cli/elf_check.hpp"
#include "cli/error.hpp"
#include "cli/image_directory.hpp"
#include "kernel/abi/boot_module.hpp"
#include "proto/archive_writer.hpp"
#include "proto/manifest.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <sys/random.h>
#include <zlib.h>

namespace cli {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t page = 4096;
/// RAM for kernel, box, personalities' programs and pools beside what the manifest gives to jails.
constexpr std::uint64_t system_memory = 96ULL << 20;
/// The kernel takes a sixteenth of all RAM for its pool (kernel/boot.cpp). So much of it is in system_memory.
constexpr std::uint64_t pool_share = 15, pool_in_system_memory = 64ULL << 20;
constexpr std::uint64_t system_memory_per_jail = 8ULL << 20;

std::uint64_t round_up(std::uint64_t value, std::uint64_t unit) {
    return (value + unit - 1) / unit * unit;
}

std::vector<std::uint8_t> deflate_bytes(const std::vector<std::uint8_t>& bytes) {
    // Level 1: the module is made at every start and read once.
    uLongf size = compressBound(bytes.size());
    std::vector<std::uint8_t> out(size);
    if (compress2(out.data(), &size, bytes.data(), bytes.size(), 1) != Z_OK)
        throw std::runtime_error("zlib failed to compress");
    out.resize(size);
    return out;
}

proto::PartSource part(proto::PartKind kind, std::string name, const std::vector<std::uint8_t>& bytes) {
    return {kind, std::move(name), deflate_bytes(bytes), bytes.size()};
}

std::string quoted(const std::string& text) {
    static const char* digits = "0123456789abcdef";
    std::string out = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\')
            out += std::string("\\") + c;
        else if (byte < 0x20 || byte == 0x7f)
            out += std::string("\\x") + digits[byte >> 4] + digits[byte & 15];
        else
            out += c;
    }
    return out + "\"";
}

std::string random_hex(std::size_t bytes) {
    std::vector<std::uint8_t> random(bytes);
    if (getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(bytes))
        throw std::runtime_error("no entropy from the host");
    std::string out;
    for (const std::uint8_t byte : random) {
        char text[3];
        std::snprintf(text, sizeof text, "%02x", byte);
        out += text;
    }
    return out;
}

std::vector<std::uint8_t> native_program(const std::string& path) {
    if (!fs::exists(path))
        throw UserError(path + ": not built (run scripts/build)");
    auto bytes = read_file(path);
    (void)check_executable(path, bytes);
    return bytes;
}

/// The images of a plan, each loaded once.
class Images {
public:
    const std::vector<std::uint8_t>& load(const std::string& path, std::string& name) {
        std::error_code ignored;
        const fs::path canonical = fs::weakly_canonical(path, ignored);
        const auto found = names_.find(canonical);
        if (found != names_.end()) {
            name = found->second;
            return bytes_.at(name);
        }
        auto bytes = load_image(path);
        name = "image" + std::to_string(names_.size());
        names_[canonical] = name;
        return bytes_[name] = std::move(bytes);
    }
    [[nodiscard]] const std::map<std::string, std::vector<std::uint8_t>>& all() const { return bytes_; }

private:
    std::map<fs::path, std::string> names_;
    std::map<std::string, std::vector<std::uint8_t>> bytes_;
};

} // namespace

NativePrograms find_native_programs() {
    fs::path base;
    if (const char* override_path = std::getenv("LIBELLE_NATIVE"))
        base = override_path;
    else
        base = fs::read_symlink("/proc/self/exe").parent_path() / "native";
    // In a build directory of its own the command lies in build/tools/cli.
    for (fs::path up = fs::read_symlink("/proc/self/exe").parent_path();
         !fs::exists(base) && up != up.root_path(); up = up.parent_path())
        base = up / "native";
    if (const char* other = std::getenv("LIBELLE_PERSONALITY")) // tests of the box bring their own
        return {base / "kernel/kernel", base / "box/box", other, base / "realtime"};
    return {base / "kernel/kernel", base / "box/box", base / "bsd-personality/bsd-personality",
            base / "realtime"};
}

std::string manifest_text(const BoxPlan& plan, const std::vector<proto::JailAbi>& abis,
                          const std::vector<std::string>& image_names) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    // What counts instructions is to count the same ones each time: where programs lie depends on the seed.
    const std::string seed = plan.icount ? std::string(128, '5') : random_hex(64);
    std::string out = "[box]\nseed = " + seed + "\nepoch = " +
                      std::to_string(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()) +
                      "\nicount = " + (plan.icount ? "yes" : "no") + "\n";
    for (std::size_t i = 0; i < plan.jails.size(); i++) {
        const JailPlan& jail = plan.jails[i];
        out += "[jail " + jail.name + "]\nabi = " + proto::abi_name(abis[i]) + "\nimage = " + image_names[i] +
               "\n";
        for (const auto& argument : jail.command)
            out += "argument = " + quoted(argument) + "\n";
        for (const auto& variable : jail.environment)
            out += "environment = " + quoted(variable) + "\n";
        out += "directory = " + quoted(jail.directory) + "\nmemory = " + std::to_string(jail.memory) +
               "\ncpus = " + std::to_string(jail.cpus) + "\n";
        for (std::size_t k = 0; k < jail.cores.size(); k++)
            out += (k == 0 ? "cores = " : ",") + std::to_string(jail.cores[k]);
        out += jail.cores.empty() ? "" : "\n";
        if (jail.share != 0)
            out += "share = " + std::to_string(jail.share) + "\n";
        out += jail.trace ? "trace = yes\n" : "";
        if (jail.terminal)
            out += "terminal = " + std::to_string(jail.rows) + "x" + std::to_string(jail.columns) + "\n";
        out += "restart = never\n";
    }
    for (const RealtimePlan& task : plan.tasks)
        out += "[realtime " + task.name + "]\nprogram = " + task.program +
               "\nperiod_ns = " + std::to_string(task.period_ns) +
               "\nbudget_ns = " + std::to_string(task.budget_ns) +
               "\npriority = " + std::to_string(task.priority) + "\ncore = " + std::to_string(task.core) +
               "\n";
    return out;
}

proto::JailAbi command_abi(std::span<const std::uint8_t> image, const JailPlan& jail) {
    const auto program = image_file(image, jail.command[0]);
    const Executable executable = check_executable(jail.command[0], program);
    const proto::JailAbi abi = choose_abi(jail.command[0], executable, jail.abi);
    if (!executable.interpreter.empty())
        (void)image_file(image, executable.interpreter);
    return abi;
}

BootModule build_boot_module(const BoxPlan& plan, const NativePrograms& programs) {
    check_plan(plan);
    BootModule module;
    module.machine_memory = system_memory;
    Images images;
    std::vector<proto::JailAbi> abis;
    std::vector<std::string> image_names;
    module.cores = plan.cpus;
    for (const JailPlan& jail : plan.jails) {
        std::string name;
        const auto& image = images.load(jail.image, name);
        image_names.push_back(name);
        abis.push_back(command_abi(image, jail));
        module.machine_memory += jail.memory + system_memory_per_jail;
        if (plan.cpus == 0)
            module.cores = std::max(module.cores, jail.cpus);
        for (const unsigned core : jail.cores)
            if (plan.cpus == 0)
                module.cores = std::max(module.cores, core + 1);
    }
    if (module.cores == 0)
        module.cores = 1;
    std::string manifest = manifest_text(plan, abis, image_names);
    std::string copy = manifest; // the parser writes into its text
    const auto parsed = std::make_unique<proto::Manifest>();
    if (const auto error = proto::parse_manifest(copy.data(), copy.size(), *parsed); error.reason != nullptr)
        throw UserError(std::string(error.key.data, error.key.size) + ": " + error.reason);
    std::vector<proto::PartSource> parts;
    parts.push_back(part(proto::PartKind::manifest, "manifest", {manifest.begin(), manifest.end()}));
    parts.push_back(part(proto::PartKind::program, "personality", native_program(programs.personality)));
    for (const RealtimePlan& task : plan.tasks) {
        const bool there =
            std::any_of(parts.begin(), parts.end(), [&](const auto& p) { return p.name == task.program; });
        if (!there)
            parts.push_back(part(proto::PartKind::program, task.program,
                                 native_program(programs.directory + "/" + task.program)));
    }
    for (const auto& [name, bytes] : images.all()) {
        parts.push_back(part(proto::PartKind::image, name, bytes));
        module.machine_memory += round_up(bytes.size(), 2ULL << 20);
    }
    const auto root = native_program(programs.box);
    const auto payload = proto::write_archive(parts);
    abi::BootModuleHeader header{};
    header.magic = abi::boot_module_magic;
    header.root_offset = page;
    header.root_size = root.size();
    header.payload_offset = page + round_up(root.size(), page);
    header.payload_size = payload.size();
    module.bytes.resize(round_up(header.payload_offset + payload.size(), page));
    std::memcpy(module.bytes.data(), &header, sizeof header);
    std::memcpy(module.bytes.data() + header.root_offset, root.data(), root.size());
    std::memcpy(module.bytes.data() + header.payload_offset, payload.data(), payload.size());
    module.machine_memory += module.bytes.size();
    module.machine_memory +=
        std::max(module.machine_memory / pool_share, pool_in_system_memory) - pool_in_system_memory;
    module.machine_memory = round_up(module.machine_memory, 2ULL << 20);
    return module;
}

} // namespace cli
