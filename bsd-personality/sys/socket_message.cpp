// SPDX-License-Identifier: BSD-2-Clause
// sendto, sendmsg, recvfrom, recvmsg; options.
#include "bsd-personality/abi/socket_records.hpp"
#include "bsd-personality/kern/signal.hpp"
#include "bsd-personality/kern/uipc_rights.hpp"
#include "bsd-personality/sys/socket_arguments.hpp"
#include "bsd-personality/sys/vector_argument.hpp"

namespace bsd {

namespace {

constexpr std::uint32_t most_control = 2048; // bytes of control messages to send

// The flags with FreeBSD's numbers.
std::uint32_t flags_argument(const Lwp& lwp, std::uint32_t raw) {
    constexpr std::uint32_t same = 0xff;
    if (!is_dragonfly(lwp))
        return raw & (same | msg_no_signal | msg_close_on_exec);
    return (raw & same) | ((raw & 0x400) ? std::uint32_t{msg_no_signal} : 0) |
           ((raw & 0x1000) ? std::uint32_t{msg_close_on_exec} : 0) |
           ((raw & 0x2'0000) ? std::uint32_t{msg_dont_wait} : 0);
}

// A transfer that moved something before it had to stop is a short one.
bool is_short(Errno error) {
    return error == Errno::erestart || error == Errno::eintr || error == Errno::eagain;
}

// --- out -------------------------------------------------------------------------------------------------
SysResult<Return> send_message(Lwp& lwp, Socket& socket, OutgoingMessage& message) {
    const std::uint64_t total = message.uio.residual();
    auto sent = socket.send(lwp, message);
    const std::uint64_t moved = total - message.uio.residual();
    if (sent.ok() || (moved != 0 && is_short(sent.error())))
        return Return(moved);
    if (sent.error() == Errno::epipe && !(message.flags & msg_no_signal) && !(socket.flags & open_no_sigpipe))
        post_kernel_signal(lwp.proc, sigpipe);
    return Failure(sent.error());
}

struct RawControls {
    std::byte* bytes = nullptr;
    std::uint32_t length = 0;
    ~RawControls() { lwkt::release(bytes, length); }
};

SysResult<void> control_argument(Lwp& lwp, Socket& socket, UserAddress from, std::uint32_t length,
                                 Controls& out) {
    if (length < sizeof(ControlRecord) || length > most_control)
        return Failure(Errno::einval);
    RawControls raw;
    raw.bytes = static_cast<std::byte*>(lwkt::allocate(length));
    if (!raw.bytes)
        return Failure(Errno::enobufs);
    raw.length = length;
    TRY(copyin(*lwp.proc.vmspace, from, raw.bytes, length));
    return socket.internalize(lwp, raw.bytes, length, out);
}

} // namespace

SysResult<Return> sys_sendto(Lwp& lwp, const SystemCall& call) {
    const std::uint64_t length = call.word(2);
    if (length > largest_transfer)
        return Failure(Errno::einval);
    SocketName name;
    if (call.word(4) != 0)
        name = TRY(address_argument(lwp, call.address(4), call.natural(5)));
    SocketRef socket = TRY(socket_argument(lwp, call.integer(0)));
    Uio uio(*lwp.proc.vmspace, call.address(1), length);
    OutgoingMessage message{
        uio, {}, call.word(4) != 0 ? &name : nullptr, flags_argument(lwp, call.natural(3))};
    return send_message(lwp, *socket, message);
}

SysResult<Return> sys_sendmsg(Lwp& lwp, const SystemCall& call) {
    auto header = TRY(copyin<MessageHeaderRecord>(*lwp.proc.vmspace, call.address(1)));
    if (static_cast<std::uint32_t>(header.vector_count) > VectorArgument::most)
        return Failure(Errno::emsgsize);
    SocketName name;
    if (header.name != 0)
        name = TRY(address_argument(lwp, UserAddress{header.name}, header.name_length));
    VectorArgument vectors;
    TRY(vectors.copy_in(lwp, UserAddress{header.vectors}, static_cast<std::uint32_t>(header.vector_count)));
    SocketRef socket = TRY(socket_argument(lwp, call.integer(0)));
    Uio uio(*lwp.proc.vmspace, vectors.vectors(), vectors.count(), vectors.total());
    OutgoingMessage message{
        uio, {}, header.name != 0 ? &name : nullptr, flags_argument(lwp, call.natural(2))};
    if (header.control != 0)
        TRY(control_argument(lwp, *socket, UserAddress{header.control}, header.control_length,
                             message.controls));
    return send_message(lwp, *socket, message);
}

// --- in --------------------------------------------------------------------------------------------------
namespace {

SysResult<std::uint64_t> receive_call(Lwp& lwp, Socket& socket, IncomingMessage& message) {
    const std::uint64_t total = message.uio.residual();
    auto received = socket.receive_message(lwp, message);
    const std::uint64_t moved = total - message.uio.residual();
    if (!received.ok() && !(moved != 0 && is_short(received.error())))
        return Failure(received.error());
    return moved;
}

// Gives the files of one control message descriptors, in the same order.
SysResult<void> install_rights(Lwp& lwp, Control& control, bool close_on_exec, std::int32_t* fds,
                               std::uint32_t& installed) {
    for (; installed < control.count(); installed++) {
        File*& file = control.files()[installed];
        fds[installed] = TRY(lwp.proc.files->install(FileRef(file), close_on_exec));
        land_right(*file);
        std::exchange(file, nullptr)->unref();
    }
    return {};
}

// One control message at `to`; it fits. Descriptors that the program will not hear of are closed again.
SysResult<void> put_control(Lwp& lwp, Control& control, UserAddress to, bool close_on_exec) {
    VmSpace& space = *lwp.proc.vmspace;
    ControlRecord header{control_data + control.length, control.level, control.type};
    const UserAddress data{to.value + control_data};
    if (!control.is_rights()) {
        TRY(copyout(space, to, header));
        return copyout(space, control.bytes(), data, control.length);
    }
    std::int32_t fds[256];
    std::uint32_t installed = 0;
    auto done = install_rights(lwp, control, close_on_exec, fds, installed);
    if (done.ok())
        done = copyout(space, to, header);
    if (done.ok())
        done = copyout(space, fds, data, control.length);
    while (!done.ok() && installed != 0)
        (void)lwp.proc.files->close(fds[--installed]);
    return done;
}

// As many whole messages as there is room for; the rest is discarded, and the flags tell.
SysResult<void> put_controls(Lwp& lwp, IncomingMessage& message, MessageHeaderRecord& header) {
    std::uint32_t used = 0, left = header.control_length;
    while (Control* control = message.controls->first()) {
        const std::uint32_t size = control_data + control->length;
        if (size > left) {
            message.flags |= msg_controls_truncated;
            break;
        }
        TRY(put_control(lwp, *control, UserAddress{header.control + used},
                        (message.flags & msg_close_on_exec) != 0));
        const std::uint32_t step = least(control_space(control->length), left);
        used += step;
        left -= step;
        Controls done;
        done.push_front(message.controls->pop_front());
    }
    message.controls->discard();
    header.control_length = used;
    return {};
}

} // namespace

SysResult<Return> sys_recvfrom(Lwp& lwp, const SystemCall& call) {
    const std::uint64_t length = call.word(2);
    if (length > largest_transfer)
        return Failure(Errno::einval);
    const UserAddress from = call.address(4), from_length = call.address(5);
    std::uint32_t room = 0;
    if (from.value != 0 && from_length.value != 0) {
        room = TRY(copyin<std::uint32_t>(*lwp.proc.vmspace, from_length));
        if (is_dragonfly(lwp) && static_cast<std::int32_t>(room) < 0)
            return Failure(Errno::einval);
    }
    SocketRef socket = TRY(socket_argument(lwp, call.integer(0)));
    Uio uio(*lwp.proc.vmspace, call.address(1), length);
    SocketName name;
    IncomingMessage message{uio, nullptr, from.value != 0 ? &name : nullptr,
                            flags_argument(lwp, call.natural(3))};
    const std::uint64_t moved = TRY(receive_call(lwp, *socket, message));
    if (from.value != 0) {
        TRY(put_address(lwp, name, from, room));
        if (from_length.value != 0)
            TRY(copyout(*lwp.proc.vmspace, from_length, room));
    }
    return Return(moved);
}

SysResult<Return> sys_recvmsg(Lwp& lwp, const SystemCall& call) {
    VmSpace& space = *lwp.proc.vmspace;
    auto header = TRY(copyin<MessageHeaderRecord>(space, call.address(1)));
    if (static_cast<std::uint32_t>(header.vector_count) > VectorArgument::most)
        return Failure(Errno::emsgsize);
    if (is_dragonfly(lwp) && ((header.name != 0 && static_cast<std::int32_t>(header.name_length) < 0) ||
                              (header.control != 0 && static_cast<std::int32_t>(header.control_length) < 0)))
        return Failure(Errno::einval);
    VectorArgument vectors;
    TRY(vectors.copy_in(lwp, UserAddress{header.vectors}, static_cast<std::uint32_t>(header.vector_count)));
    SocketRef socket = TRY(socket_argument(lwp, call.integer(0)));
    Uio uio(space, vectors.vectors(), vectors.count(), vectors.total());
    SocketName name;
    Controls controls;
    const std::uint32_t raw_flags = call.natural(2), flags = flags_argument(lwp, raw_flags);
    IncomingMessage message{uio, header.control != 0 ? &controls : nullptr,
                            header.name != 0 ? &name : nullptr, flags};
    const std::uint64_t moved = TRY(receive_call(lwp, *socket, message));
    if (header.name != 0)
        TRY(put_address(lwp, name, UserAddress{header.name}, header.name_length));
    if (header.control != 0)
        TRY(put_controls(lwp, message, header));
    constexpr std::uint32_t told = msg_end_of_record | msg_truncated | msg_controls_truncated;
    header.flags = static_cast<std::int32_t>((raw_flags & ~told) | (message.flags & told));
    TRY(copyout(space, call.address(1), header));
    return Return(moved);
}

// --- options ---------------------------------------------------------------------------------------------
SysResult<Return> sys_getsockopt(Lwp& lwp, const SystemCall& call) {
    VmSpace& space = *lwp.proc.vmspace;
    const UserAddress value = call.address(3), length_at = call.address(4);
    std::uint32_t length = 0;
    if (value.value != 0) {
        length = TRY(copyin<std::uint32_t>(space, length_at));
        if (static_cast<std::int32_t>(length) < 0)
            return Failure(Errno::einval);
    }
    SocketRef socket = TRY(socket_argument(lwp, call.integer(0)));
    OptionValue found;
    TRY(socket->get(lwp, call.integer(1), call.integer(2), found));
    if (value.value == 0)
        return Return();
    length = least(length, found.length);
    TRY(copyout(space, found.bytes, value, length));
    TRY(copyout(space, length_at, length));
    return Return();
}

SysResult<Return> sys_setsockopt(Lwp& lwp, const SystemCall& call) {
    const UserAddress value = call.address(3);
    const std::int32_t length = call.integer(4);
    if (value.value == 0 && length != 0)
        return Failure(Errno::efault);
    if (length < 0)
        return Failure(Errno::einval);
    SocketRef socket = TRY(socket_argument(lwp, call.integer(0)));
    OptionValue given;
    given.length = least(static_cast<std::uint32_t>(length), OptionValue::capacity);
    TRY(copyin(*lwp.proc.vmspace, value, given.bytes, given.length));
    TRY(socket->set(lwp, call.integer(1), call.integer(2), given));
    return Return();
}

} // namespace bsd
