// SPDX-License-Identifier: BSD-2-Clause
// Descriptors in flight: files that control messages hold between sendmsg and recvmsg. A local socket can be
// in flight itself, and so be held by nothing but messages in its own buffer or in a ring of such: those are
// found and flushed (BSD's unp_gc). Under the giant token; nothing here blocks.
#pragma once

#include "bsd-personality/kern/uipc_control.hpp"

namespace bsd {

/// Takes what a sender gave apart: `raw` is struct cmsghdrs. Errors: EINVAL, EBADF, EOPNOTSUPP (a kqueue),
/// E2BIG, ETOOMANYREFS, ENOBUFS.
SysResult<void> internalize_controls(Lwp& lwp, const std::byte* raw, std::uint32_t length, Controls& out);

/// A control message has got a reference to a file.
void depart_right(File& file);
/// A file leaves the control message that held it: to get a descriptor, or to be closed.
void land_right(File& file);

/// Descriptors in flight.
unsigned rights_in_flight();
/// Whether the file is a local socket in flight: when a reference to one goes, what is left may be garbage.
bool is_in_flight(File& file);
/// Flushes sockets that nothing but messages inside each other hold.
void collect_sockets();

} // namespace bsd
