// SPDX-License-Identifier: BSD-2-Clause
// Local sockets for tests, without threads: what would sleep answers ERESTART.
#pragma once
#include "bsd-personality/kern/uipc_usrreq.hpp"

#include <string>
#include <vector>

#include "bsd-personality/abi/socket_records.hpp"
#include "bsd-personality/kern/kqueue.hpp"
#include "bsd-personality/kern/pipe.hpp"
#include "bsd-personality/kern/uipc_rights.hpp"
#include "bsd-personality/vfs/namei.hpp"
#include "bsd-personality/vfs/test_platform.hpp"

namespace bsd::test {

inline constexpr std::uint32_t stream = 1, datagram = 2, sequenced = 5;

inline SocketName name_of(const std::string& path) {
    SocketName name;
    name.family = af_local;
    name.length = static_cast<std::uint8_t>(2 + path.size());
    memcpy(name.data, path.data(), path.size());
    return name;
}
inline std::string path_in(const SocketName& name) {
    return {name.data, strnlen(name.data, name.length - 2u)};
}

struct Received {
    Errno error{};
    std::string bytes;
    std::uint32_t flags = 0;
    SocketName from;
    Controls controls;
};

struct SocketTest : testing::Test, Process {
    ~SocketTest() override { EXPECT_EQ(rights_in_flight(), 0u); }
    FileTable& files = *proc.files;

    SocketRef make(std::uint32_t type, bool nonblocking = true) {
        SocketRef made = TRY_VALUE(Socket::create(lwp, af_local, type, 0));
        made->flags |= nonblocking ? std::uint32_t{open_nonblock} : 0;
        return made;
    }
    std::pair<SocketRef, SocketRef> pair(std::uint32_t type, bool nonblocking = true) {
        SocketRef a = make(type, nonblocking), b = make(type, nonblocking);
        EXPECT_TRUE(a->connect_pair(lwp, *b).ok());
        return {a, b};
    }
    Errno bind(Socket& socket, const std::string& path) {
        auto done = socket.bind(lwp, at_fdcwd, name_of(path));
        return done.ok() ? Errno{} : done.error();
    }
    Errno connect(Socket& socket, const std::string& path) {
        auto done = socket.connect(lwp, at_fdcwd, name_of(path), true);
        return done.ok() ? Errno{} : done.error();
    }
    int add(const FileRef& file) { return TRY_VALUE(files.install(file, false)); }
    int add(const SocketRef& socket) { return add(FileRef(socket.get())); }
    Errno send(Socket& socket, std::string bytes, Controls controls = {}, const char* to = nullptr,
               std::uint32_t flags = 0, std::size_t* moved = nullptr) {
        Uio uio(bytes.data(), bytes.size());
        SocketName name = name_of(to ? to : "");
        OutgoingMessage message{uio, std::move(controls), to ? &name : nullptr, flags};
        auto sent = socket.send(lwp, message);
        if (moved)
            *moved = bytes.size() - uio.residual();
        return sent.ok() ? Errno{} : sent.error();
    }
    Received receive(Socket& socket, std::size_t length, std::uint32_t flags = 0, bool controls = true) {
        Received result;
        result.bytes.assign(length, '?');
        Uio uio(result.bytes.data(), length);
        IncomingMessage message{uio, controls ? &result.controls : nullptr, &result.from, flags};
        auto done = socket.receive_message(lwp, message);
        result.error = done.ok() ? Errno{} : done.error();
        result.flags = message.flags;
        result.bytes.resize(length - uio.residual());
        return result;
    }
    Controls rights(const std::vector<int>& fds, Errno* error = nullptr) {
        std::vector<std::byte> raw(control_space(static_cast<std::uint32_t>(fds.size() * 4)));
        ControlRecord header{static_cast<std::uint32_t>(control_data + fds.size() * 4), sol_socket,
                             scm_rights};
        memcpy(raw.data(), &header, sizeof header);
        memcpy(raw.data() + control_data, fds.data(), fds.size() * 4);
        Controls out;
        auto done = internalize_controls(lwp, raw.data(), static_cast<std::uint32_t>(raw.size()), out);
        if (error)
            *error = done.ok() ? Errno{} : done.error();
        else
            EXPECT_TRUE(done.ok());
        return out;
    }
};

} // namespace bsd::test
