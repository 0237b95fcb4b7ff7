// SPDX-License-Identifier: BSD-2-Clause
#include "box/control_tree.hpp"

#include "box/log.hpp"
#include "box/text_writer.hpp"
#include "proto/text.hpp"

#include <cstring>

namespace box {

using ninep::IoOutcome;
using ninep::NodeId;
using ninep::NodeInfo;
using ninep::Text;

namespace {

enum Kind : std::uint32_t {
    root,
    version,
    log_file,
    stats,
    jails,
    tasks,
    jail,
    jail_ctl,
    jail_status,
    jail_limits,
    jail_stdin,
    jail_stdout,
    jail_stderr,
    jail_trace,
    jail_wait,
    task,
    task_status,
    task_histogram,
    kinds,
};

struct KindInfo {
    const char* name;
    std::uint32_t mode;
    Kind parent;
};

constexpr std::uint32_t directory_mode = ninep::mode_directory | 0555;
const KindInfo kind_infos[kinds] = {
    {"", directory_mode, root},
    {"version", 0444, root},
    {"log", 0444, root},
    {"stats", 0444, root},
    {"jails", directory_mode, root},
    {"rt", directory_mode, root},
    {"", directory_mode, jails},
    {"ctl", 0200, jail},
    {"status", 0444, jail},
    {"limits", 0444, jail},
    {"stdin", 0200, jail},
    {"stdout", 0400, jail},
    {"stderr", 0400, jail},
    {"trace", 0400, jail},
    {"wait", 0444, jail},
    {"", directory_mode, tasks},
    {"status", 0444, task},
    {"histogram", 0444, task},
};

constexpr NodeId node_of(Kind kind, std::uint32_t index) {
    return NodeId{kind} << 8 | index;
}
constexpr Kind kind_of(NodeId node) {
    return static_cast<Kind>(node >> 8);
}
constexpr std::uint32_t index_of(NodeId node) {
    return node & 0xff;
}

constexpr const char* version_text = "libelle 0.1.0\n";

Text text_of(const char* text) {
    return {text, __builtin_strlen(text)};
}

} // namespace

bool ControlTree::child(NodeId directory, std::uint32_t index, NodeId& out) {
    const Kind kind = kind_of(directory);
    if (kind == jails || kind == tasks) {
        out = node_of(kind == jails ? jail : task, index);
        return index < (kind == jails ? inventory_.jail_count : inventory_.task_count);
    }
    for (std::uint32_t k = 1; k < kinds; k++) {
        if (kind_infos[k].parent != kind)
            continue;
        if (index-- == 0) {
            out = node_of(static_cast<Kind>(k), index_of(directory));
            return true;
        }
    }
    return false;
}

bool ControlTree::lookup(NodeId directory, Text name, NodeId& out) {
    for (std::uint32_t i = 0; child(directory, i, out); i++)
        if (info(out).name == name)
            return true;
    return false;
}

NodeId ControlTree::parent(NodeId node) {
    const Kind up = kind_infos[kind_of(node)].parent;
    return node_of(up, up == jail || up == task ? index_of(node) : 0);
}

NodeInfo ControlTree::info(NodeId node) {
    const Kind kind = kind_of(node);
    NodeInfo out{text_of(kind_infos[kind].name), kind_infos[kind].mode, 0};
    if (kind == jail)
        out.name = inventory_.jails[index_of(node)].manifest().name;
    if (kind == task)
        out.name = inventory_.tasks[index_of(node)].manifest().name;
    return out;
}

const char* ControlTree::opened(NodeId, std::uint8_t) {
    return nullptr;
}

void ControlTree::closed(NodeId node, std::uint8_t mode) {
    if (kind_of(node) == jail_stdin && (mode & 3U) != ninep::open_read)
        inventory_.jails[index_of(node)].close_input();
}

Text ControlTree::content(NodeId node) {
    TextWriter text(text_, sizeof text_);
    const std::uint32_t index = index_of(node);
    switch (kind_of(node)) {
    case version:
        return text_of(version_text);
    case log_file:
        return log_text();
    case stats:
        text << "memory " << inventory_.memory->total() << "\nfree " << inventory_.memory->free()
             << "\njails " << std::uint64_t{inventory_.jail_count} << "\n";
        break;
    case jail_status: {
        const Jail& which = inventory_.jails[index];
        const proto::JailStatus* status = which.status();
        text << "state " << (which.ended() ? "ended" : "running") << "\nticks " << which.consumed_ticks()
             << "\n";
        if (status != nullptr) {
            text << "processes " << std::uint64_t{__atomic_load_n(&status->processes, __ATOMIC_RELAXED)}
                 << "\nunknown_calls "
                 << std::uint64_t{__atomic_load_n(&status->unknown_calls, __ATOMIC_RELAXED)} << "\n";
            char message[sizeof status->message];
            std::memcpy(message, status->message, sizeof message);
            const Text note = proto::field_text(message);
            if (!note.empty())
                text << "message " << note << "\n";
        }
        break;
    }
    case jail_limits: {
        const proto::JailManifest& limits = inventory_.jails[index].manifest();
        text << "memory " << limits.memory << "\ncpus " << std::uint64_t{limits.cpus} << "\nshare "
             << std::uint64_t{limits.share} << "\n";
        break;
    }
    case task_status:
        return inventory_.tasks[index].status_text(text_, sizeof text_);
    case task_histogram:
        return inventory_.tasks[index].histogram_text(text_, sizeof text_);
    default:
        break;
    }
    return text.text();
}

IoOutcome ControlTree::read(NodeId node, std::uint64_t offset, std::uint8_t* out, std::uint32_t count) {
    const Kind kind = kind_of(node);
    if (kind == jail_stdout || kind == jail_stderr || kind == jail_trace) {
        Jail& from = inventory_.jails[index_of(node)];
        const proto::JailRing ring = kind == jail_stdout   ? proto::ring_stdout
                                     : kind == jail_stderr ? proto::ring_stderr
                                                           : proto::ring_trace;
        const std::uint32_t got = from.read_console(ring, out, count);
        return {got, got == 0 && !from.console_ended(ring), nullptr};
    }
    Text text;
    if (kind == jail_wait) {
        const Jail& from = inventory_.jails[index_of(node)];
        if (!from.ended())
            return {0, true, nullptr};
        text = from.wait_text();
    } else {
        text = content(node);
    }
    if (offset >= text.size)
        return {};
    const std::size_t left = text.size - offset;
    const auto size = static_cast<std::uint32_t>(left < count ? left : count);
    std::memcpy(out, text.data + offset, size);
    return {size, false, nullptr};
}

IoOutcome ControlTree::write(NodeId node, std::uint64_t, ninep::Bytes data) {
    Jail& to = inventory_.jails[index_of(node)];
    if (kind_of(node) == jail_ctl)
        return control(to, data);
    if (kind_of(node) != jail_stdin)
        return {0, false, "permission denied"};
    if (to.ended())
        return {0, false, "the jail has ended"};
    if (data.size == 0)
        return {};
    const std::uint32_t taken = to.write_input(data);
    return {taken, taken == 0, nullptr};
}

IoOutcome ControlTree::control(Jail& which, ninep::Bytes data) {
    const Text command = proto::trimmed({reinterpret_cast<const char*>(data.data), data.size});
    constexpr Text window("window ");
    std::uint16_t rows = 0, columns = 0;
    if (command == Text("kill"))
        which.kill("signal 9");
    else if (command == Text("crash"))
        which.kill("failed: the personality was killed by the debug control");
    else if (command.size > window.size && Text(command.data, window.size) == window) {
        const Text size(command.data + window.size, command.size - window.size);
        if (!which.manifest().terminal || !proto::parse_window(size, rows, columns))
            return {0, false, "window ROWSxCOLUMNS, of a jail with a terminal"};
        which.set_window(rows, columns);
    } else
        return {0, false, "unknown command (known: kill, crash, window)"};
    return {static_cast<std::uint32_t>(data.size), false, nullptr};
}

} // namespace box
