// SPDX-License-Identifier: BSD-2-Clause
// Socket options of level SOL_SOCKET; the others are the protocol's.
#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/abi/socket_records.hpp"
#include "bsd-personality/kern/time.hpp"
#include "bsd-personality/kern/uipc_socket.hpp"

namespace bsd {

namespace {

enum OptionName : std::int32_t {
    name_accept_connections = 0x0002,
    name_linger = 0x0080,
    name_no_sigpipe = 0x0800,
    name_send_buffer = 0x1001,
    name_receive_buffer = 0x1002,
    name_send_low = 0x1003,
    name_receive_low = 0x1004,
    name_send_timeout = 0x1005,
    name_receive_timeout = 0x1006,
    name_error = 0x1007,
    name_type = 0x1008,
    // FreeBSD only
    name_queue_limit = 0x1011,
    name_queue_length = 0x1012,
    name_incomplete_length = 0x1013,
    name_protocol = 0x1016,
    name_timestamp_clock = 0x1017,
    name_domain = 0x1019,
    // DragonFly only
    name_send_space = 0x100a,
    name_cpu_hint = 0x1030,
};

constexpr std::int32_t most_buffer = 1'864'135; // what kern.ipc.maxsockbuf of 2 MiB leaves for data

bool is_kept_bit(std::int32_t name, bool freebsd) {
    const auto bit = static_cast<std::uint32_t>(name);
    const std::uint32_t bits = so_kept | (freebsd ? std::uint32_t{so_kept_freebsd} : 0);
    return (bit & bits) == bit && bit != 0 && (bit & (bit - 1)) == 0;
}

SysResult<std::uint64_t> timeout_from(const OptionValue& value) {
    TimeVal time = TRY(value.get<TimeVal>());
    auto nanoseconds = to_nanoseconds(time);
    if (!nanoseconds.ok() || time.seconds > 0x7fff'ffff)
        return Failure(Errno::edom);
    return nanoseconds.take();
}

} // namespace

SysResult<void> Socket::set(Lwp& lwp, std::int32_t level, std::int32_t name, const OptionValue& value) {
    if (level != sol_socket)
        return set_option(lwp, level, name, value);
    const bool freebsd = lwp.proc.abi->kind == AbiKind::freebsd;
    if (is_kept_bit(name, freebsd)) {
        const bool on = TRY(value.get<std::int32_t>()) != 0;
        const auto bit = static_cast<std::uint32_t>(name);
        options = (options & ~bit) | (on ? bit : 0);
        if (name == name_no_sigpipe)
            flags = (flags & ~std::uint32_t{open_no_sigpipe}) | (on ? std::uint32_t{open_no_sigpipe} : 0);
        return {};
    }
    switch (name) {
    case name_linger: {
        auto record = TRY(value.get<LingerRecord>());
        linger = record.seconds;
        options = (options & ~std::uint32_t{so_linger}) | (record.on ? std::uint32_t{so_linger} : 0);
        return {};
    }
    case name_send_buffer:
    case name_receive_buffer: {
        const std::int32_t size = TRY(value.get<std::int32_t>());
        if (size < 1)
            return Failure(Errno::einval);
        if (size > most_buffer || static_cast<std::uint64_t>(size) > lwp.proc.limits[limit_sbsize].current)
            return Failure(Errno::enobufs);
        const bool sending = name == name_send_buffer;
        (sending ? send_limit : receive_limit) = static_cast<std::uint32_t>(size);
        std::uint32_t& low = sending ? send_low : receive_low;
        low = least(low, static_cast<std::uint32_t>(size));
        sending ? wake_writers() : wake_readers();
        return {};
    }
    case name_send_low:
    case name_receive_low: {
        const std::int32_t size = TRY(value.get<std::int32_t>());
        if (size < 1)
            return Failure(Errno::einval);
        if (name == name_send_low)
            send_low = least(static_cast<std::uint32_t>(size), send_limit);
        else
            receive_low = least(static_cast<std::uint32_t>(size), receive_limit);
        return {};
    }
    case name_send_timeout:
        send_timeout = TRY(timeout_from(value));
        return {};
    case name_receive_timeout:
        receive_timeout = TRY(timeout_from(value));
        return {};
    case name_timestamp_clock: {
        if (!freebsd)
            return Failure(Errno::enoprotoopt);
        const std::int32_t clock = TRY(value.get<std::int32_t>());
        if (clock < 0 || clock > 3)
            return Failure(Errno::einval);
        timestamp_clock = clock;
        return {};
    }
    default:
        return Failure(Errno::enoprotoopt);
    }
}

SysResult<void> Socket::get(Lwp& lwp, std::int32_t level, std::int32_t name, OptionValue& out) {
    if (level != sol_socket)
        return get_option(lwp, level, name, out);
    const bool freebsd = lwp.proc.abi->kind == AbiKind::freebsd;
    auto integer = [&out](std::uint64_t value) {
        out.set(static_cast<std::int32_t>(value));
        return SysResult<void>();
    };
    if (is_kept_bit(name, freebsd))
        return integer(options & static_cast<std::uint32_t>(name));
    switch (name) {
    case name_linger:
        out.set(LingerRecord{static_cast<std::int32_t>(options & so_linger), linger});
        return {};
    case name_send_buffer:
        return integer(send_limit);
    case name_receive_buffer:
        return integer(receive_limit);
    case name_send_low:
        return integer(send_low);
    case name_receive_low:
        return integer(receive_low);
    case name_send_timeout:
        out.set(to_timeval(send_timeout));
        return {};
    case name_receive_timeout:
        out.set(to_timeval(receive_timeout));
        return {};
    case name_error:
        return integer(
            error == Errno{} ? 0 : static_cast<std::uint64_t>(lwp.proc.abi->errno_number(take_error())));
    case name_type:
        return integer(static_cast<std::uint64_t>(protocol.type));
    default:
        break;
    }
    if (!freebsd) {
        switch (name) {
        case name_send_space:
            out.set(static_cast<std::int64_t>(send_space()));
            return {};
        case name_cpu_hint:
            out.set(std::int32_t{-1});
            return {};
        default:
            return Failure(Errno::enoprotoopt);
        }
    }
    switch (name) {
    case name_accept_connections:
        return integer(is(socket_listening) ? std::uint64_t{so_accepting} : 0);
    case name_queue_limit:
        return is(socket_listening) ? integer(backlog) : SysResult<void>(Failure(Errno::einval));
    case name_queue_length:
        return is(socket_listening) ? integer(queue_length) : SysResult<void>(Failure(Errno::einval));
    case name_incomplete_length:
        return is(socket_listening) ? integer(0) : SysResult<void>(Failure(Errno::einval));
    case name_protocol:
        return integer(protocol.number);
    case name_timestamp_clock:
        return integer(static_cast<std::uint64_t>(timestamp_clock));
    case name_domain:
        return integer(protocol.family);
    default:
        return Failure(Errno::enoprotoopt);
    }
}

} // namespace bsd
