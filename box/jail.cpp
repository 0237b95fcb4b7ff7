// SPDX-License-Identifier: BSD-2-Clause
#include "box/jail.hpp"

#include "box/clock.hpp"
#include "box/log.hpp"
#include "box/text_writer.hpp"

#include <cstring>

namespace box {

namespace {

constexpr unsigned jail_priority = 50;
/// Jails of equal priority take turns of this length on a core.
constexpr std::uint64_t slice_ns = 4'000'000;

template <std::size_t N>
bool copy_text(char (&field)[N], proto::Text text) {
    if (text.size >= N)
        return false;
    std::memcpy(field, text.data, text.size);
    field[text.size] = '\0';
    return true;
}

} // namespace

glue::Ring Jail::ring(proto::JailRing which) const {
    return {reinterpret_cast<glue::RingHeader*>(&shared_->ring[which]), shared_->data[which],
            proto::console_ring_size};
}

const char* Jail::fill_parameters(const proto::Manifest& manifest, const Entropy& entropy,
                                  std::uint64_t epoch_ns) {
    proto::JailParameters& p = shared_->parameters;
    p.magic = proto::jail_magic;
    p.abi = manifest_->abi;
    p.trace = manifest_->trace ? 1 : 0;
    p.argument_count = manifest_->argument_count;
    p.environment_count = manifest_->environment_count;
    entropy.derive(manifest_->name, p.seed);
    p.epoch = epoch_ns;
    shared_->terminal.present = manifest_->terminal;
    shared_->terminal.window = std::uint32_t{manifest_->rows} << 16 | manifest_->columns;
    if (manifest_->argument_count == 0 ||
        !copy_text(p.command, manifest.arguments[manifest_->first_argument]))
        return "argument: the command's path is longer than 255 bytes";
    if (!copy_text(p.hostname, manifest_->name) || !copy_text(p.directory, manifest_->directory))
        return "directory: longer than 255 bytes";
    std::size_t used = 0;
    const auto put = [&](proto::Text text) {
        if (text.size >= sizeof p.strings - used)
            return false;
        std::memcpy(p.strings + used, text.data, text.size);
        used += text.size;
        p.strings[used++] = '\0';
        return true;
    };
    for (std::uint32_t i = 0; i < manifest_->argument_count; i++)
        if (!put(manifest.arguments[manifest_->first_argument + i]))
            return "argument: more than 8192 bytes with the environment";
    for (std::uint32_t i = 0; i < manifest_->environment_count; i++)
        if (!put(manifest.environment[manifest_->first_environment + i]))
            return "environment: more than 8192 bytes with the arguments";
    return nullptr;
}

void Jail::start(Memory& memory, const proto::Manifest& manifest, const proto::JailManifest& jail,
                 const Entropy& entropy, const JailResources& resources, const std::uint32_t* cores) {
    manifest_ = &jail;
    auto piece = memory.take(sizeof(proto::JailShared), abi::page_size);
    if (!piece.ok())
        return fail(jail, "memory: the box has not that much left");
    piece_ = piece.value();
    std::memset(piece_.data, 0, piece_.size);
    shared_ = reinterpret_cast<proto::JailShared*>(piece_.data);
    if (const char* reason = fill_parameters(manifest, entropy, resources.epoch_ns))
        return fail(jail, {reason, __builtin_strlen(reason)});
    TaskParameters p;
    p.name = jail.name;
    p.program = resources.program;
    p.memory = jail.memory;
    p.pool_pages = resources.pool_pages;
    p.image = resources.image;
    p.shared = piece_;
    p.vcpus = jail.cpus;
    std::memcpy(p.cores, cores, jail.cpus * sizeof *cores);
    p.priority = jail_priority;
    p.period = glue::Ticks{ticks_of(slice_ns)};
    p.budget = p.period;
    if (jail.share != 0 && jail.share < 100 * jail.cpus)
        p.budget = glue::Ticks{p.period.value * jail.share / (std::uint64_t{100} * jail.cpus)};
    p.doorbell_bits = resources.doorbell_bits;
    p.fault_endpoints = resources.fault_endpoints;
    if (const char* reason = task_.start(memory, p))
        fail(jail, {reason, __builtin_strlen(reason)});
}

void Jail::end(proto::Text how) {
    if (ended_)
        return;
    ended_ = true;
    last_ticks_ = task_.exists() ? task_.consumed().value : 0;
    TextWriter text(end_text_, sizeof end_text_);
    text << how << "\n";
    end_size_ = text.text().size;
    char line[700];
    TextWriter out(line, sizeof line);
    out << "jail " << manifest_->name << ": " << how;
    log(out.text());
}

void Jail::fail(const proto::JailManifest& jail, proto::Text reason) {
    manifest_ = &jail;
    char line[560];
    TextWriter text(line, sizeof line);
    text << "failed: " << reason;
    end(text.text());
}

void Jail::crashed(std::uint32_t label, std::uint64_t address, std::uint64_t rip) {
    char line[160];
    TextWriter text(line, sizeof line);
    text << "failed: the personality crashed: "
         << (label == abi::label_page_fault ? "page fault" : "exception") << " at ";
    text.hex(rip) << ", address ";
    text.hex(address);
    kill(text.text());
}

void Jail::kill(proto::Text how) {
    end(how);
    task_.destroy();
}

bool Jail::poll() {
    if (ended_ || shared_ == nullptr)
        return false;
    const auto state = static_cast<proto::JailState>(
        __atomic_load_n(reinterpret_cast<const std::uint32_t*>(&shared_->status.state), __ATOMIC_ACQUIRE));
    if (state != proto::JailState::exited && state != proto::JailState::failed)
        return false;
    char line[560];
    TextWriter text(line, sizeof line);
    if (state == proto::JailState::failed) {
        text << "failed: ";
        // The message may change under our eyes: each byte is read once.
        for (std::size_t i = 0; i < sizeof shared_->status.message; i++) {
            const char c = static_cast<volatile char&>(shared_->status.message[i]);
            if (c == '\0')
                break;
            text << proto::Text(c >= ' ' && c < 0x7f ? &c : " ", 1);
        }
    } else {
        // As wait4(2) gives it: the low 7 bits are the signal that ended it, else bits 8 to 15 its exit
        // status.
        const std::uint32_t status = __atomic_load_n(&shared_->status.wait_status, __ATOMIC_RELAXED);
        if (status & 0x7f)
            text << "signal " << std::uint64_t{status & 0x7f};
        else
            text << "exit " << std::uint64_t{status >> 8 & 0xff};
    }
    end(text.text());
    return true;
}

std::uint32_t Jail::read_console(proto::JailRing which, std::uint8_t* out, std::uint32_t count) {
    if (shared_ == nullptr)
        return 0;
    glue::Ring from = ring(which);
    const std::uint32_t got = from.read({reinterpret_cast<std::byte*>(out), count});
    if (got != 0 && from.waiting() && task_.exists())
        task_.ring();
    return got;
}

bool Jail::console_ended(proto::JailRing which) const {
    return shared_ == nullptr || ((ended_ || ring(which).closed()) && ring(which).available() == 0);
}

std::uint32_t Jail::write_input(proto::Bytes data) {
    if (shared_ == nullptr || !task_.exists() || input_closed_)
        return 0;
    const std::uint32_t taken =
        ring(proto::ring_stdin).write({reinterpret_cast<const std::byte*>(data.data), data.size});
    if (taken != 0)
        task_.ring();
    return taken;
}

void Jail::set_window(std::uint16_t rows, std::uint16_t columns) {
    if (shared_ == nullptr)
        return;
    __atomic_store_n(&shared_->terminal.window, std::uint32_t{rows} << 16 | columns, __ATOMIC_RELEASE);
    if (task_.exists())
        task_.ring();
}

void Jail::close_input() {
    if (shared_ == nullptr || input_closed_)
        return;
    input_closed_ = true;
    ring(proto::ring_stdin).close();
    if (task_.exists())
        task_.ring();
}

} // namespace box
