// SPDX-License-Identifier: BSD-2-Clause
//
// The root task. It reads the boot archive, inflates what the manifest names, starts realtime tasks and
// jails, and then serves: console rings, faults and 9P requests all arrive as bits of one notification. All
// state is in one static object; the main thread alone touches it.
#include "box/control_tree.hpp"
#include "box/inflate.hpp"
#include "box/log.hpp"
#include "box/supervisor.hpp"
#include "box/text_writer.hpp"
#include "box/uart.hpp"
#include "box/wall_clock.hpp"
#include "proto/boot_archive.hpp"

namespace box {

namespace {

enum EventBits : std::uint64_t { event_uart = 1, event_fault = 2, event_jail = 1 << 8 };
/// Faults name children by badge: jails from 1, realtime tasks behind them.
constexpr std::uint32_t first_task_badge = proto::manifest_max_jails + 1;
static_assert(proto::manifest_max_jails + proto::manifest_max_tasks <= max_children);

struct LoadedPart {
    proto::Text name;
    proto::PartKind kind;
    Piece piece;        ///< page-aligned; its size is the part's, rounded up to pages
    std::uint64_t size; ///< bytes
};

class Main {
public:
    void run();

private:
    [[noreturn]] void stop(const char* why);
    void initialize();
    void load_manifest();
    const LoadedPart* load(proto::PartKind kind, proto::Text name, const char*& reason);
    void start_jails();
    void start_jail(std::uint32_t index, std::uint64_t epoch_ns);
    void start_tasks();
    bool choose_cores(const proto::JailManifest& jail, std::uint32_t (&cores)[abi::max_cores]);
    void serve();
    void look_at_faults();
    void drain_uart();

    Memory memory_;
    proto::ArchiveReader archive_;
    proto::Manifest manifest_;
    Entropy entropy_;
    Supervisor supervisor_;
    Uart uart_;
    LoadedPart loaded_[proto::archive_max_parts] = {};
    std::uint32_t loaded_count_ = 0;
    Jail jails_[proto::manifest_max_jails];
    RealtimeTask tasks_[proto::manifest_max_tasks];
    std::uint32_t vcpus_on_core_[abi::max_cores] = {};
    std::uint32_t cores_ = 1;
    glue::Notification event_;
    Inventory inventory_;
    ControlTree tree_{inventory_};
    ninep::Server server_{tree_, uart_};
};

void Main::stop(const char* why) {
    char line[200];
    TextWriter text(line, sizeof line);
    text << "cannot start: " << why;
    log(text.text());
    while (true)
        (void)event_.wait();
}

void Main::initialize() {
    cores_ = reinterpret_cast<const abi::InformationPage*>(abi::root_information_address)->cores;
    auto event = glue::Notification::create(abi::root_pool, 0);
    if (!event)
        stop(abi::error_names[static_cast<unsigned>(event.error())]);
    event_ = event.value();
    box_event = event_.selector();
    if (!memory_.initialize())
        stop("the machine's memory cannot be mapped");
    if (!supervisor_.initialize(cores_, event_, event_fault))
        stop("fault threads cannot be made");
    const auto archive = proto::ArchiveReader::open(memory_.payload());
    if (!archive)
        stop(proto::describe(archive.error()));
    archive_ = archive.value();
    load_manifest();
    if (!entropy_.initialize(manifest_))
        stop("no entropy: neither RDRAND nor a seed in the manifest");
}

void Main::load_manifest() {
    const char* reason = nullptr;
    const LoadedPart* text = load(proto::PartKind::manifest, "manifest", reason);
    if (text == nullptr)
        stop(reason);
    const proto::ManifestError error =
        proto::parse_manifest(reinterpret_cast<char*>(text->piece.data), text->size, manifest_);
    if (error.reason == nullptr)
        return;
    char line[160];
    TextWriter out(line, sizeof line - 1);
    out << "manifest line " << std::uint64_t{error.line} << ": " << error.key << ": " << error.reason;
    line[out.text().size] = '\0';
    stop(line);
}

/// Inflates a part, once; null and a reason when that fails.
const LoadedPart* Main::load(proto::PartKind kind, proto::Text name, const char*& reason) {
    for (std::uint32_t i = 0; i < loaded_count_; i++)
        if (loaded_[i].kind == kind && loaded_[i].name == name)
            return &loaded_[i];
    proto::Part part;
    if (!archive_.find(kind, name, part)) {
        reason = kind == proto::PartKind::image ? "image: not in the boot archive"
                                                : "program: not in the boot archive";
        return nullptr;
    }
    auto piece = memory_.take(part.inflated_size, abi::page_size);
    if (!piece) {
        reason = "the box has no memory left for a part of the boot archive";
        return nullptr;
    }
    reason = inflate_part(part.stored, piece.value().data, part.inflated_size);
    if (reason != nullptr)
        return nullptr;
    loaded_[loaded_count_] = {part.name, kind, piece.value(), part.inflated_size};
    return &loaded_[loaded_count_++];
}

/// The named cores, or those with the fewest vCPUs so far; false when the box has not as many.
bool Main::choose_cores(const proto::JailManifest& jail, std::uint32_t (&cores)[abi::max_cores]) {
    if (jail.core_count == 0 && jail.cpus > cores_)
        return false; // named cores may be fewer: then vCPUs share them
    bool taken[abi::max_cores] = {};
    for (std::uint32_t n = 0; n < jail.cpus; n++) {
        std::uint32_t best = jail.core_count != 0 ? jail.cores[n] : abi::max_cores;
        for (std::uint32_t core = 0; jail.core_count == 0 && core < cores_; core++)
            if (!taken[core] && (best == abi::max_cores || vcpus_on_core_[core] < vcpus_on_core_[best]))
                best = core;
        if (best >= cores_)
            return false;
        cores[n] = best;
        taken[best] = true;
        vcpus_on_core_[best]++;
    }
    return true;
}

void Main::start_jail(std::uint32_t index, std::uint64_t epoch_ns) {
    const proto::JailManifest& jail = manifest_.jails[index];
    const char* reason = nullptr;
    const LoadedPart* program = load(proto::PartKind::program, "personality", reason);
    const LoadedPart* image = program == nullptr ? nullptr : load(proto::PartKind::image, jail.image, reason);
    std::uint32_t cores[abi::max_cores] = {};
    if (reason == nullptr && !choose_cores(jail, cores))
        reason = "cpus: the box has not that many cores";
    if (reason != nullptr)
        return jails_[index].fail(jail, {reason, __builtin_strlen(reason)});
    abi::Selector endpoints[abi::max_cores] = {};
    supervisor_.endpoints_for(index + 1, endpoints);
    JailResources resources;
    resources.program = {reinterpret_cast<const std::uint8_t*>(program->piece.data), program->size};
    resources.image = &image->piece;
    resources.epoch_ns = epoch_ns;
    // A twentieth of its memory again pays for page tables and kernel objects.
    resources.pool_pages = jail.memory / abi::page_size / 20 + 512;
    resources.doorbell_bits = std::uint64_t{event_jail} << index;
    resources.fault_endpoints = endpoints;
    jails_[index].start(memory_, manifest_, jail, entropy_, resources, cores);
}

void Main::start_jails() {
    const std::uint64_t epoch =
        manifest_.has_epoch ? manifest_.epoch_ns : read_cmos_clock(glue::IoPort(abi::root_ports));
    for (std::uint32_t i = 0; i < manifest_.jail_count; i++) {
        start_jail(i, epoch);
        inventory_.jail_count = i + 1;
    }
}

void Main::start_tasks() {
    for (std::uint32_t i = 0; i < manifest_.task_count; i++) {
        const proto::RealtimeManifest& task = manifest_.tasks[i];
        std::uint64_t promised = 0;
        for (std::uint32_t k = 0; k < i; k++)
            if (tasks_[k].manifest().core == task.core)
                promised += tasks_[k].utilization();
        const char* reason = nullptr;
        const LoadedPart* program = load(proto::PartKind::program, task.program, reason);
        abi::Selector endpoints[abi::max_cores] = {};
        supervisor_.endpoints_for(first_task_badge + i, endpoints);
        if (program == nullptr)
            tasks_[i].fail(task, reason);
        else
            tasks_[i].start(memory_, task,
                            {reinterpret_cast<const std::uint8_t*>(program->piece.data), program->size},
                            promised, endpoints, cores_);
        inventory_.task_count = i + 1;
    }
}

void Main::look_at_faults() {
    FaultReport fault;
    for (std::uint32_t i = 0; i < inventory_.jail_count; i++)
        if (supervisor_.take(i + 1, fault))
            jails_[i].crashed(fault.label, fault.address, fault.rip);
    for (std::uint32_t i = 0; i < inventory_.task_count; i++)
        if (supervisor_.take(first_task_badge + i, fault))
            tasks_[i].crashed();
}

void Main::drain_uart() {
    std::uint8_t bytes[256];
    while (const std::uint32_t count = uart_.receive(bytes, sizeof bytes))
        server_.receive(bytes, count);
}

void Main::serve() {
    while (true) {
        const std::uint64_t events = event_.wait();
        if (events & event_fault)
            look_at_faults();
        if (events & event_uart) {
            drain_uart();
            uart_.acknowledge();
            drain_uart(); // what came before the acknowledgement raises no interrupt of its own
        }
        for (std::uint32_t i = 0; i < inventory_.jail_count; i++)
            (void)jails_[i].poll();
        server_.retry();
    }
}

void Main::run() {
    initialize();
    inventory_.jails = jails_;
    inventory_.tasks = tasks_;
    inventory_.memory = &memory_;
    // Realtime tasks first: they do not wait for the inflation of images.
    start_tasks();
    if (!uart_.initialize(event_, event_uart))
        stop("the second serial port has no interrupt");
    start_jails();
    log("ready");
    serve();
}

Main box_main;

} // namespace

} // namespace box

extern "C" void libelle_main() {
    box::box_main.run();
}
