// SPDX-License-Identifier: BSD-2-Clause
// What a sender gives as control messages: descriptors become files, and the kernel fills in who and when.
#include <string.h>

#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/abi/socket_records.hpp"
#include "bsd-personality/kern/time.hpp"
#include "bsd-personality/kern/uipc_rights.hpp"

namespace bsd {

namespace {

constexpr std::uint32_t most_rights = 254;       // a message; E2BIG beyond, as in both systems
constexpr unsigned most_rights_in_flight = 8192; // a jail

SysResult<Control*> internalize_rights(Lwp& lwp, const std::byte* data, std::uint32_t length) {
    const std::uint32_t count = length / 4;
    if (count > most_rights)
        return Failure(Errno::e2big);
    auto file = [&](std::uint32_t i) {
        std::int32_t fd;
        memcpy(&fd, data + i * sizeof fd, sizeof fd);
        return lwp.proc.files->get(fd);
    };
    for (std::uint32_t i = 0; i < count; i++) {
        if (!file(i))
            return Failure(Errno::ebadf);
        if (file(i)->type == FileType::kqueue)
            return Failure(Errno::eopnotsupp);
    }
    if (rights_in_flight() + count > most_rights_in_flight)
        return Failure(Errno::etoomanyrefs);
    Control* control = Control::create_rights(count);
    if (!control)
        return Failure(Errno::enobufs);
    for (std::uint32_t i = 0; i < count; i++) {
        File* each = control->files()[i] = file(i);
        each->ref();
        depart_right(*each);
    }
    return control;
}

template <class T>
SysResult<Control*> make_control(ControlType type, const T& value) {
    Control* control = Control::create(type, sizeof value);
    if (!control)
        return Failure(Errno::enobufs);
    memcpy(control->bytes(), &value, sizeof value);
    return control;
}

SysResult<Control*> internalize_credentials(const Proc& proc) {
    const Ucred& cred = *proc.cred;
    CredentialRecord record{};
    record.pid = proc.pid;
    record.uid = cred.ruid;
    record.euid = cred.uid;
    record.gid = cred.rgid;
    record.groups[0] = cred.gid;
    std::uint32_t count = 1;
    for (std::uint32_t i = 0; i < cred.group_count && count < credential_groups; i++)
        record.groups[count++] = cred.groups[i];
    record.group_count = static_cast<std::int16_t>(count);
    return make_control(scm_creds, record);
}

SysResult<Control*> internalize_one(Lwp& lwp, std::int32_t type, const std::byte* data,
                                    std::uint32_t length) {
    if (type == scm_rights)
        return internalize_rights(lwp, data, length);
    if (type == scm_creds)
        return internalize_credentials(lwp.proc);
    if (lwp.proc.abi->kind == AbiKind::dragonfly)
        return Failure(Errno::einval);
    const std::uint64_t wall = wall_clock();
    switch (type) {
    case scm_timestamp:
        return make_control(scm_timestamp, to_timeval(wall));
    case scm_realtime:
        return make_control(scm_realtime, to_timespec(wall));
    case scm_monotonic:
        return make_control(scm_monotonic, to_timespec(glue::Clock::now().value));
    case scm_bintime: {
        struct {
            std::int64_t seconds;
            std::uint64_t fraction; // of 2^64
        } time{static_cast<std::int64_t>(wall / nanoseconds_per_second),
               wall % nanoseconds_per_second * 18446744073u};
        return make_control(scm_bintime, time);
    }
    default:
        return Failure(Errno::einval);
    }
}

} // namespace

SysResult<void> internalize_controls(Lwp& lwp, const std::byte* raw, std::uint32_t length, Controls& out) {
    while (length != 0) {
        ControlRecord header;
        if (length < sizeof header)
            return Failure(Errno::einval);
        memcpy(&header, raw, sizeof header);
        if (header.level != sol_socket || header.length < control_data || header.length > length)
            return Failure(Errno::einval);
        const std::uint32_t data = header.length - control_data;
        if (header.type != scm_rights || data >= sizeof(std::int32_t))
            out.push_back(TRY(internalize_one(lwp, header.type, raw + control_data, data)));
        const std::uint32_t step = least(control_space(data), length);
        raw += step;
        length -= step;
    }
    return {};
}

} // namespace bsd
