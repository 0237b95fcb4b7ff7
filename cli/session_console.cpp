// SPDX-License-Identifier: BSD-2-Clause
// The consoles' part of a session: jails' output, our input, and how each jail ended.
#include "cli/session_stream.hpp"

#include <cerrno>
#include <unistd.h>

namespace cli {

using ninep::Message;
using ninep::Type;

void write_all(int fd, const char* data, std::size_t size) {
    while (size != 0) {
        const ssize_t done = write(fd, data, size);
        if (done < 0 && errno != EINTR && errno != EAGAIN)
            return; // nobody listens any more
        if (done > 0) {
            data += done;
            size -= static_cast<std::size_t>(done);
        }
    }
}

void OutputStream::put(const char* data, std::size_t size) {
    if (prefix_.empty())
        return write_all(descriptor_, data, size);
    for (std::size_t i = 0; i < size; i++) {
        line_ += data[i];
        if (data[i] == '\n') {
            const std::string line = prefix_ + line_;
            write_all(descriptor_, line.data(), line.size());
            line_.clear();
        }
    }
}

void OutputStream::end() {
    if (!line_.empty())
        put("\n", 1);
}

std::unique_ptr<OutputStream> open_stream(const JailPlan& jail, const OutputName& output,
                                          const SessionOptions& options) {
    std::string path = options.output.empty() ? "" : options.output + "/" + jail.name + "." + output.name;
    if (output.ring == proto::ring_trace)
        path = jail.trace && options.trace != "-" ? options.trace : "";
    return std::make_unique<OutputStream>(output.ring == proto::ring_stdout ? STDOUT_FILENO : STDERR_FILENO,
                                          path, options.prefix ? jail.name + "| " : "");
}

OutputStream& Session::stream(std::size_t jail, proto::JailRing ring) {
    return *streams_[jail * std::size(outputs) + ring - proto::ring_stdout];
}

void Session::start_consoles() {
    for (std::size_t i = 0; i < jails_.size(); i++) {
        const std::string base = "jails/" + jails_[i].name + "/";
        for (const auto& [ring, name] : outputs) {
            if (ring == proto::ring_trace && !plan_.jails[i].trace)
                continue;
            open_streams_++;
            open_file(base + name, ninep::open_read,
                      [this, i, ring = ring](std::uint32_t fid) { read_stream(i, ring, fid, 0); });
        }
        waiting_jails_++;
        open_file(base + "wait", ninep::open_read, [this, i](std::uint32_t fid) {
            Message m;
            m.type = Type::Tread;
            m.fid = fid;
            m.count = 1024;
            request(m, [this, i](const Message& answer) {
                jails_[i].wait.assign(reinterpret_cast<const char*>(answer.data.data), answer.data.size);
                if (answer.type == Type::Rerror)
                    jails_[i].wait = "failed: " + std::string(answer.text.data, answer.text.size);
                while (!jails_[i].wait.empty() && jails_[i].wait.back() == '\n')
                    jails_[i].wait.pop_back();
                waiting_jails_--;
            });
        });
    }
    if (options_.forward_stdin)
        open_file("jails/" + jails_[0].name + "/stdin", ninep::open_write, [this](std::uint32_t fid) {
            stdin_fid_ = fid;
            stdin_open_ = true;
        });
    else
        // Nobody types here: each jail's input ends at once.
        for (const JailResult& jail : jails_)
            open_file("jails/" + jail.name + "/stdin", ninep::open_write, [this](std::uint32_t fid) {
                Message m;
                m.type = Type::Tclunk;
                m.fid = fid;
                request(m, [](const Message&) {});
            });
}

void Session::read_stream(std::size_t jail, proto::JailRing ring, std::uint32_t fid, std::uint64_t offset) {
    Message m;
    m.type = Type::Tread;
    m.fid = fid;
    m.offset = offset;
    m.count = client_->io_size();
    request(m, [this, jail, ring, fid, offset](const Message& answer) {
        if (answer.type != Type::Rread || answer.data.size == 0) {
            stream(jail, ring).end();
            open_streams_--;
            return;
        }
        if (ring == proto::ring_stdout)
            jails_[jail].stdout_bytes += answer.data.size;
        stream(jail, ring).put(reinterpret_cast<const char*>(answer.data.data), answer.data.size);
        read_stream(jail, ring, fid, offset + answer.data.size);
    });
}

void Session::read_stdin() {
    char buffer[4096];
    const ssize_t size = read(STDIN_FILENO, buffer, sizeof buffer);
    Message m;
    m.fid = stdin_fid_;
    if (size <= 0) {
        // The end of our input is the end of the jail's: closing the file says so.
        stdin_open_ = false;
        m.type = Type::Tclunk;
        return request(m, [](const Message&) {});
    }
    // Short writes are possible: the rest is sent again until all of it is taken.
    auto rest = std::make_shared<std::string>(buffer, static_cast<std::size_t>(size));
    auto send_rest = std::make_shared<std::function<void()>>();
    stdin_busy_ = true;
    *send_rest = [this, rest, weak = std::weak_ptr(send_rest)] {
        Message piece;
        piece.type = Type::Twrite;
        piece.fid = stdin_fid_;
        piece.data = {reinterpret_cast<const std::uint8_t*>(rest->data()), rest->size()};
        request(piece, [this, rest, again = weak.lock()](const Message& answer) {
            if (answer.type == Type::Rwrite)
                rest->erase(0, answer.count);
            if (answer.type == Type::Rwrite && !rest->empty())
                return (*again)();
            stdin_busy_ = false;
            if (answer.type == Type::Rerror)
                stdin_open_ = false;
        });
    };
    (*send_rest)();
}

} // namespace cli
