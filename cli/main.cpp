// SPDX-License-Identifier: BSD-2-Clause
// The `libelle` command: its verbs and their options.
#include "cli/boot_module.hpp"
#include "cli/box_config.hpp"
#include "cli/error.hpp"
#include "cli/host_terminal.hpp"
#include "cli/hosted.hpp"
#include "cli/image_directory.hpp"
#include "cli/machine.hpp"
#include "cli/session.hpp"

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace {

constexpr const char* version_text = "libelle 0.1.0";
constexpr int usage_status = 2;
volatile std::sig_atomic_t interrupted = 0;

extern "C" void on_interrupt(int) {
    interrupted = interrupted + 1;
}

/// A directory for the socket and the module that goes away with it.
class TemporaryDirectory {
public:
    TemporaryDirectory() {
        std::string pattern = (std::filesystem::temp_directory_path() / "libelle-XXXXXX").string();
        if (mkdtemp(pattern.data()) == nullptr)
            throw cli::UserError(pattern + ": cannot be created");
        path_ = pattern;
    }
    ~TemporaryDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    [[nodiscard]] std::string path() const { return path_; }

private:
    std::string path_;
};

void write_file(const std::string& path, const std::vector<std::uint8_t>& bytes) {
    std::error_code ignored;
    if (std::filesystem::is_regular_file(path, ignored)) // who has mapped the old one keeps it
        std::filesystem::remove(path, ignored);
    std::ofstream out(path, std::ios::binary);
    out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    if (!out.flush())
        throw cli::UserError(path + ": cannot be written");
}

struct CommonOptions {
    bool icount = false;
    bool json = false;
    std::string log;
    std::string iso;
    unsigned time_limit = 0;
    std::vector<std::string> qemu;
};

void print_json(const char* accelerator, const std::vector<cli::JailResult>& jails,
                const std::vector<cli::TaskResult>& tasks) {
    nlohmann::json out;
    out["accelerator"] = accelerator;
    for (const cli::JailResult& jail : jails)
        out["jails"].push_back({{"name", jail.name},
                                {"wait", jail.wait},
                                {"exit_code", jail.exit_code()},
                                {"stdout_bytes", jail.stdout_bytes},
                                {"status", jail.notes}});
    for (const cli::TaskResult& task : tasks)
        out["realtime"].push_back(
            {{"name", task.name}, {"status", task.status}, {"histogram", task.histogram}});
    std::fprintf(stderr, "%s\n", out.dump().c_str());
}

/// Says how all ended; gives the exit status of the first jail that did not end well.
int report(const char* accelerator, const std::vector<cli::JailResult>& jails,
           const std::vector<cli::TaskResult>& tasks, const CommonOptions& common, bool all) {
    int status = 0;
    for (const cli::JailResult& jail : jails) {
        if (all || jail.exit_code() == 125)
            std::fprintf(stderr, "libelle: jail %s: %s\n", jail.name.c_str(), jail.wait.c_str());
        if (status == 0)
            status = jail.exit_code();
    }
    for (const cli::TaskResult& task : tasks) {
        std::string line = task.status;
        for (char& c : line)
            c = c == '\n' ? ' ' : c;
        if (!common.json)
            std::fprintf(stderr, "libelle: realtime %s: %s\n", task.name.c_str(), line.c_str());
    }
    if (common.json)
        print_json(accelerator, jails, tasks);
    return status;
}

/// Starts the box, carries its consoles, and gives the exit status.
int start_box(const cli::BoxPlan& plan, const CommonOptions& common, cli::SessionOptions options) {
    const cli::NativePrograms programs = cli::find_native_programs();
    const cli::BootModule module = cli::build_boot_module(plan, programs);
    const TemporaryDirectory directory;
    cli::MachineOptions machine_options;
    machine_options.kernel = programs.kernel;
    machine_options.module = directory.path() + "/module";
    machine_options.directory = directory.path();
    machine_options.memory = module.machine_memory;
    machine_options.cores = module.cores;
    machine_options.icount = plan.icount;
    machine_options.extra = common.qemu;
    machine_options.iso = common.iso;
    if (common.iso.empty())
        write_file(machine_options.module, module.bytes);
    else
        (void)cli::read_file(common.iso); // says so if it cannot
    std::signal(SIGINT, on_interrupt);
    std::signal(SIGTERM, on_interrupt);
    std::signal(SIGPIPE, SIG_IGN);
    const cli::Accelerator accelerator = plan.icount ? cli::Accelerator::counted_emulation
                                         : cli::kvm_works(machine_options) ? cli::Accelerator::kvm
                                                                           : cli::Accelerator::emulation;
    std::fprintf(stderr, "libelle: %s, %u core%s, %llu MiB\n", cli::accelerator_name(accelerator),
                 module.cores, module.cores == 1 ? "" : "s",
                 static_cast<unsigned long long>(module.machine_memory >> 20));
    cli::Machine machine(machine_options, accelerator);
    options.log = common.log;
    options.limit_seconds = common.time_limit;
    options.interrupted = &interrupted;
    cli::Session session(machine, plan, options, programs.kernel);
    if (options.terminal != nullptr)
        options.terminal->enter();
    session.run();
    if (options.terminal != nullptr)
        options.terminal->leave();
    machine.kill();
    if (interrupted != 0)
        return 130;
    return report(cli::accelerator_name(accelerator), session.jails(), session.tasks(), common,
                  options.prefix);
}

/// The jails as processes of this host.
int start_hosted(const cli::BoxPlan& plan, const CommonOptions& common, cli::SessionOptions options) {
    if (!common.qemu.empty() || !common.log.empty() || !common.iso.empty())
        throw cli::UserError("--platform=hosted has neither --qemu nor --log nor --iso: there is no machine "
                             "below");
    cli::check_hosted(plan, options);
    std::signal(SIGINT, on_interrupt);
    std::signal(SIGTERM, on_interrupt);
    std::signal(SIGPIPE, SIG_IGN);
    options.limit_seconds = common.time_limit;
    options.interrupted = &interrupted;
    if (options.terminal != nullptr)
        options.terminal->enter();
    const auto jails = cli::run_hosted(plan, options);
    if (options.terminal != nullptr)
        options.terminal->leave();
    if (interrupted != 0)
        return 130;
    return report("hosted", jails, {}, common, options.prefix);
}

void add_platform(CLI::App& verb, std::string& platform) {
    verb.add_option("--platform", platform,
                    "native (the microkernel in QEMU) or hosted (processes of this host)")
        ->check(CLI::IsMember({"native", "hosted"}))
        ->capture_default_str();
}

void add_common(CLI::App& verb, CommonOptions& common) {
    verb.add_flag("--icount", common.icount,
                  "count instructions: one a virtual nanosecond, single-threaded emulation; random numbers "
                  "are the same ones each time");
    verb.add_flag("--json", common.json, "print the result as one JSON object on stderr");
    verb.add_option("--log", common.log, "write the kernel's log to this file")->type_name("FILE");
    verb.add_option("--time-limit", common.time_limit, "stop the box after so many seconds")
        ->type_name("SECONDS");
    verb.add_option("--qemu", common.qemu, "one more argument for QEMU (repeatable)")
        ->type_name("ARGUMENT")
        ->allow_extra_args(false);
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app{
        "Runs BSD jails on a microkernel, in a QEMU that it starts and ends, or as processes of this host."};
    app.set_version_flag("--version", version_text);
    app.require_subcommand(1);
    CommonOptions common;
    cli::BoxPlan plan;
    cli::JailPlan jail;
    jail.name = "jail";
    std::string abi;
    std::string memory = "256M";
    unsigned cpus = 1;

    CLI::App* run =
        app.add_subcommand("run", "run one command in a jail of its own; its exit status becomes ours");
    run->add_option("--abi", abi, "freebsd or dragonfly (default: what the executable says)")
        ->type_name("ABI");
    run->add_option("--memory", memory, "memory of the jail, such as 64M")->capture_default_str();
    run->add_option("--cpus", cpus, "vCPUs of the jail, 1 to 16")->capture_default_str();
    run->add_option("--env", jail.environment, "NAME=VALUE for the command (repeatable)")
        ->type_name("NAME=VALUE")
        ->allow_extra_args(false);
    run->add_option("--directory", jail.directory, "working directory in the jail")->capture_default_str();
    cli::SessionOptions session;
    bool terminal = false;
    bool interactive = false;
    run->add_flag(
        "-t,--tty", terminal,
        "give the jail a terminal as its console (default: when ours is one, for input and output)");
    run->add_flag("-i,--interactive", interactive, "pass our standard input on, which is always done");
    std::string platform = "native";
    add_platform(*run, platform);
    run->add_option("--trace", session.trace, "write the jail's system calls to FILE, \"-\": stderr")
        ->type_name("FILE");
    add_common(*run, common);
    run->add_option("IMAGE", jail.image, "directory or image file with the jail's root")->required();
    run->add_option("COMMAND", jail.command, "path in the image and its arguments, after --")->required();

    CLI::App* up = app.add_subcommand("up", "start the box that a BOX.conf describes and show its consoles");
    std::string config;
    std::string crash;
    up->add_option("BOX.conf", config, "the box's configuration")->required();
    add_platform(*up, platform);
    up->add_option("--output", session.output, "write consoles to DIR/JAIL.stdout and DIR/JAIL.stderr")
        ->type_name("DIR");
    up->add_option("--iso", common.iso,
                   "boot this image of scripts/iso, which was made from the same BOX.conf")
        ->type_name("FILE");
    up->add_option("--crash", crash, "debug: kill the personality of JAIL after SECONDS")
        ->type_name("JAIL@SECONDS");
    add_common(*up, common);

    CLI::App* mkarchive =
        app.add_subcommand("mkarchive", "make a boot module from a BOX.conf (for ISO images and debugging)");
    std::string archive;
    mkarchive->add_option("BOX.conf", config, "the box's configuration")->required();
    mkarchive->add_option("FILE", archive, "where to write it")->required();

    CLI::App* mkimage = app.add_subcommand("mkimage", "make an image file from a directory");
    std::string directory;
    mkimage->add_option("DIRECTORY", directory, "the root of the image")->required();
    mkimage->add_option("FILE", archive, "where to write it")->required();

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return error.get_exit_code() == 0 ? app.exit(error) : (app.exit(error), usage_status);
    }
    const auto start = [&](auto&&... how) {
        return platform == "hosted" ? start_hosted(how...) : start_box(how...);
    };
    try {
        if (*mkimage) {
            write_file(archive, cli::load_image(directory));
            return 0;
        }
        if (*run) {
            if (!abi.empty())
                jail.abi = abi;
            jail.memory = cli::parse_size("--memory", memory);
            jail.cpus = static_cast<unsigned>(cli::parse_count("--cpus", std::to_string(cpus), 1, 16));
            jail.trace = !session.trace.empty();
            jail.terminal = terminal || (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO));
            const cli::WindowSize window = cli::HostTerminal::window();
            jail.rows = window.rows;
            jail.columns = window.columns;
            plan.jails.push_back(jail);
            plan.icount = common.icount;
            session.forward_stdin = true;
            cli::HostTerminal host_terminal;
            if (jail.terminal)
                session.terminal = &host_terminal;
            return start(plan, common, session);
        }
        const auto text = cli::read_file(config);
        plan = cli::parse_box_config(config, {text.begin(), text.end()});
        plan.icount |= common.icount;
        if (*mkarchive) {
            write_file(archive, cli::build_boot_module(plan, cli::find_native_programs()).bytes);
            return 0;
        }
        if (!crash.empty()) {
            const auto at = crash.find('@');
            if (at == std::string::npos)
                throw cli::UserError("--crash " + crash + ": expected JAIL@SECONDS");
            session.crash_jail = crash.substr(0, at);
            session.crash_seconds =
                static_cast<unsigned>(cli::parse_count("--crash", crash.substr(at + 1), 0, 86400));
        }
        session.prefix = true;
        return start(plan, common, session);
    } catch (const cli::UserError& error) {
        std::fprintf(stderr, "libelle: %s\n", error.what());
    } catch (const std::exception& error) {
        std::fprintf(stderr, "libelle: %s\n", error.what());
    }
    return usage_status;
}
