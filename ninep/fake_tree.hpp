// SPDX-License-Identifier: BSD-2-Clause
// A small tree for tests: /motd (read only), /in (write only, holds `space` bytes), /stream (deferred until
// it has bytes or is closed) and /dir/f0 … f99.
#pragma once

#include "ninep/server.hpp"

#include <cstring>
#include <string>

namespace ninep {

class FakeTree final : public Tree {
public:
    enum : NodeId { root, motd, in, stream, dir, first_file = 100 };
    std::string stream_bytes;
    bool stream_closed = false;
    std::string written;
    std::size_t space = 0;
    int open_count = 0;

    bool lookup(NodeId directory, Text name, NodeId& out) override {
        for (std::uint32_t i = 0; child(directory, i, out); i++)
            if (info(out).name == name)
                return true;
        return false;
    }
    bool child(NodeId directory, std::uint32_t index, NodeId& out) override {
        out = directory == root ? motd + index : first_file + index;
        return directory == root ? index < 4 : directory == dir && index < 100;
    }
    NodeId parent(NodeId node) override { return node >= first_file ? NodeId{dir} : NodeId{root}; }
    NodeInfo info(NodeId node) override {
        if (node >= first_file) {
            static std::string names[100];
            std::string& name = names[node - first_file];
            name = "f" + std::to_string(node - first_file);
            return {{name.data(), name.size()}, 0400, 1};
        }
        const NodeInfo infos[] = {{"", mode_directory | 0555, 0},
                                  {"motd", 0444, 5},
                                  {"in", 0200, 0},
                                  {"stream", 0400, 0},
                                  {"dir", mode_directory | 0555, 0}};
        return infos[node];
    }
    const char* opened(NodeId, std::uint8_t) override {
        open_count++;
        return nullptr;
    }
    void closed(NodeId, std::uint8_t) override { open_count--; }
    IoOutcome read(NodeId node, std::uint64_t offset, std::uint8_t* out, std::uint32_t count) override {
        if (node == stream) {
            if (stream_bytes.empty() && !stream_closed)
                return {0, true, nullptr};
            const auto size = std::min<std::size_t>(count, stream_bytes.size());
            std::memcpy(out, stream_bytes.data(), size);
            stream_bytes.erase(0, size);
            return {static_cast<std::uint32_t>(size), false, nullptr};
        }
        if (node != motd)
            return {0, false, "input/output error"};
        const std::string text = "hello";
        if (offset >= text.size())
            return {};
        const auto size = std::min<std::size_t>(count, text.size() - offset);
        std::memcpy(out, text.data() + offset, size);
        return {static_cast<std::uint32_t>(size), false, nullptr};
    }
    IoOutcome write(NodeId, std::uint64_t, Bytes data) override {
        if (space == 0)
            return {0, true, nullptr};
        const auto size = std::min<std::size_t>(space, data.size);
        written.append(reinterpret_cast<const char*>(data.data), size);
        space -= size;
        return {static_cast<std::uint32_t>(size), false, nullptr};
    }
};

} // namespace ninep
