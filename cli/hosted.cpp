// SPDX-License-Identifier: BSD-2-Clause
#include "cli/hosted.hpp"

#include "cli/boot_module.hpp"
#include "cli/hosted_jail.hpp"
#include "cli/session_stream.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>

#include <poll.h>

namespace cli {

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

/// Images, each loaded once.
class Images {
public:
    std::shared_ptr<const JailImage> load(const std::string& path) {
        std::error_code ignored;
        auto& image = images_[fs::weakly_canonical(path, ignored)];
        if (!image)
            image = std::make_shared<const JailImage>(path);
        return image;
    }

private:
    std::map<fs::path, std::shared_ptr<const JailImage>> images_;
};

/// The box's cores: of the processors that we may use, the first `wanted`, or all.
std::vector<int> processors_of_box(unsigned wanted) {
    cpu_set_t allowed;
    std::vector<int> found;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        throw UserError("this host does not say which processors there are");
    for (int i = 0; i < CPU_SETSIZE && (wanted == 0 || found.size() < wanted); i++)
        if (CPU_ISSET(i, &allowed))
            found.push_back(i);
    return found;
}

cpu_set_t processors_of(const JailPlan& jail, const std::vector<int>& box) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (const unsigned core : jail.cores) {
        if (core >= box.size())
            throw UserError("jail " + jail.name + ": cpuset " + std::to_string(core) +
                            ": cannot be hosted: the box has " + std::to_string(box.size()) +
                            " processors of this host");
        CPU_SET(box[core], &set);
    }
    if (jail.cores.empty())
        for (const int each : box)
            CPU_SET(each, &set);
    return set;
}

/// A jail, and its consoles carried between it and our own descriptors.
class Carrier {
public:
    Carrier(const JailPlan& plan, proto::JailAbi abi, std::shared_ptr<const JailImage> image,
            const cpu_set_t& processors, const SessionOptions& options)
        : stdin_open_(options.forward_stdin) {
        for (const OutputName& output : outputs)
            streams_.push_back(open_stream(plan, output, options));
        jail_ = std::make_unique<HostedJail>(plan, abi, std::move(image), processors);
        if (!stdin_open_)
            jail_->ring(proto::ring_stdin).close();
        result.name = plan.name;
    }

    HostedJail& jail() { return *jail_; }
    [[nodiscard]] bool running() const { return result.wait.empty(); }
    /// Moves what it wrote, and looks whether it has ended.
    void look() {
        const auto how = jail_->ended();
        drain(); // what it wrote before it ended
        if (!how)
            return;
        result.wait = *how;
        jail_->kill();
        for (const auto& stream : streams_)
            stream->end();
    }
    [[nodiscard]] bool wants_input() const {
        return running() && stdin_open_ && jail_->ring(proto::ring_stdin).space() != 0;
    }
    void read_input() {
        glue::Ring ring = jail_->ring(proto::ring_stdin);
        const std::size_t wanted = std::min<std::size_t>(sizeof buffer_, ring.space());
        const ssize_t count = read(0, buffer_, wanted);
        if (count < 0 && (errno == EINTR || errno == EAGAIN))
            return;
        if (count <= 0) {
            stdin_open_ = false;
            ring.close();
        } else {
            (void)ring.write({buffer_, static_cast<std::size_t>(count)});
        }
        jail_->ring_jail();
    }
    JailResult result;

private:
    void drain() {
        for (std::size_t i = 0; i < std::size(outputs); i++) {
            glue::Ring ring = jail_->ring(outputs[i].ring);
            while (const std::uint32_t count = ring.read(buffer_)) {
                streams_[i]->put(reinterpret_cast<const char*>(buffer_), count);
                if (outputs[i].ring == proto::ring_stdout)
                    result.stdout_bytes += count;
                if (ring.waiting())
                    jail_->ring_jail();
            }
        }
    }

    bool stdin_open_;
    std::vector<std::unique_ptr<OutputStream>> streams_;
    std::unique_ptr<HostedJail> jail_;
    std::byte buffer_[16 << 10];
};

/// All of them, once everything that can be wrong with any has been looked for.
std::vector<std::unique_ptr<Carrier>> start_all(const BoxPlan& plan, const SessionOptions& options) {
    struct Prepared {
        std::shared_ptr<const JailImage> image;
        proto::JailAbi abi;
        cpu_set_t processors;
    };
    Images images;
    std::vector<Prepared> prepared;
    const std::vector<int> box = processors_of_box(plan.cpus);
    for (const JailPlan& jail : plan.jails) {
        auto image = images.load(jail.image);
        const proto::JailAbi abi = command_abi(image->bytes(), jail);
        prepared.push_back({std::move(image), abi, processors_of(jail, box)});
    }
    std::vector<std::unique_ptr<Carrier>> jails;
    for (std::size_t i = 0; i < prepared.size(); i++)
        jails.push_back(std::make_unique<Carrier>(plan.jails[i], prepared[i].abi, prepared[i].image,
                                                  prepared[i].processors, options));
    return jails;
}

void wait_for_something(const std::vector<std::unique_ptr<Carrier>>& jails) {
    // The end of a process and of the time have no bell: they are looked for now and then.
    constexpr int milliseconds = 100;
    std::vector<pollfd> files{{jails[0]->wants_input() ? 0 : -1, POLLIN, 0}};
    for (const auto& each : jails)
        files.push_back({each->running() ? each->jail().bell() : -1, POLLIN, 0});
    if (poll(files.data(), files.size(), milliseconds) < 0)
        return;
    for (std::size_t i = 0; i < jails.size(); i++)
        if ((files[i + 1].revents & POLLIN) != 0)
            jails[i]->jail().take_ring();
    if (files[0].revents != 0)
        jails[0]->read_input();
}

} // namespace

void check_hosted(const BoxPlan& plan, const SessionOptions& options) {
    check_plan(plan);
    if (!plan.tasks.empty())
        throw UserError("realtime " + plan.tasks[0].name +
                        ": cannot be hosted: a process of this host has no guaranteed time");
    if (plan.icount)
        throw UserError("icount: cannot be hosted: no machine is there to count instructions");
    for (const JailPlan& jail : plan.jails) {
        if (jail.share != 0)
            throw UserError("jail " + jail.name + ": share " + std::to_string(jail.share) +
                            ": cannot be hosted: limit libelle's processor time by a cgroup of this host");
        if (plan.cpus != 0 && jail.cpus > plan.cpus)
            throw UserError("jail " + jail.name + ": cpus " + std::to_string(jail.cpus) + ": the box has " +
                            std::to_string(plan.cpus) + " cores");
    }
    const auto is_crash = [&](const JailPlan& jail) { return jail.name == options.crash_jail; };
    if (!options.crash_jail.empty() && std::none_of(plan.jails.begin(), plan.jails.end(), is_crash))
        throw UserError("--crash " + options.crash_jail + ": no such jail");
}

std::vector<JailResult> run_hosted(const BoxPlan& plan, const SessionOptions& options) {
    check_hosted(plan, options);
    const Remains remains;
    const auto jails = start_all(plan, options);
    const auto start = Clock::now();
    bool crashed = options.crash_jail.empty();
    const auto running = [](const auto& each) { return each->running(); };
    for (;;) {
        for (const auto& each : jails)
            if (each->running())
                each->look();
        if (std::none_of(jails.begin(), jails.end(), running))
            break;
        if (options.interrupted != nullptr && *options.interrupted != 0)
            break;
        if (options.terminal != nullptr)
            if (const auto size = options.terminal->changed_window()) {
                jails[0]->jail().set_window(*size);
                jails[0]->jail().ring_jail();
            }
        const auto passed = Clock::now() - start;
        if (!crashed && passed >= std::chrono::seconds(options.crash_seconds)) {
            crashed = true;
            for (const auto& each : jails)
                if (each->result.name == options.crash_jail)
                    each->jail().crash();
        }
        if (options.limit_seconds != 0 && passed > std::chrono::seconds(options.limit_seconds))
            throw UserError("the time limit of " + std::to_string(options.limit_seconds) + " s has passed");
        wait_for_something(jails);
    }
    std::vector<JailResult> results;
    for (const auto& each : jails)
        results.push_back(each->result);
    return results;
}

} // namespace cli
