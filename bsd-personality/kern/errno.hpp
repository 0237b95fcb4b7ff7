// SPDX-License-Identifier: BSD-2-Clause
// Error numbers inside the personality: FreeBSD's. Each ABI translates at its boundary (abi/*/errno.cpp);
// negative values never leave the personality, they tell the dispatcher what to do next.
#pragma once

#include "l4-glue/result.hpp"

namespace bsd {

enum class Errno : int {
    eperm = 1,
    enoent = 2,
    esrch = 3,
    eintr = 4,
    eio = 5,
    enxio = 6,
    e2big = 7,
    enoexec = 8,
    ebadf = 9,
    echild = 10,
    edeadlk = 11,
    enomem = 12,
    eacces = 13,
    efault = 14,
    enotblk = 15,
    ebusy = 16,
    eexist = 17,
    exdev = 18,
    enodev = 19,
    enotdir = 20,
    eisdir = 21,
    einval = 22,
    enfile = 23,
    emfile = 24,
    enotty = 25,
    etxtbsy = 26,
    efbig = 27,
    enospc = 28,
    espipe = 29,
    erofs = 30,
    emlink = 31,
    epipe = 32,
    edom = 33,
    erange = 34,
    eagain = 35, // also EWOULDBLOCK
    einprogress = 36,
    ealready = 37,
    enotsock = 38,
    edestaddrreq = 39,
    emsgsize = 40,
    eprototype = 41,
    enoprotoopt = 42,
    eprotonosupport = 43,
    esocktnosupport = 44,
    eopnotsupp = 45, // also ENOTSUP
    epfnosupport = 46,
    eafnosupport = 47,
    eaddrinuse = 48,
    eaddrnotavail = 49,
    enetdown = 50,
    enetunreach = 51,
    enetreset = 52,
    econnaborted = 53,
    econnreset = 54,
    enobufs = 55,
    eisconn = 56,
    enotconn = 57,
    eshutdown = 58,
    etoomanyrefs = 59,
    etimedout = 60,
    econnrefused = 61,
    eloop = 62,
    enametoolong = 63,
    ehostdown = 64,
    ehostunreach = 65,
    enotempty = 66,
    eproclim = 67,
    eusers = 68,
    edquot = 69,
    estale = 70,
    eremote = 71,
    enolck = 77,
    enosys = 78,
    eftype = 79,
    eauth = 80,
    eneedauth = 81,
    eidrm = 82,
    enomsg = 83,
    eoverflow = 84,
    ecanceled = 85,
    eilseq = 86,
    enoattr = 87,
    edoofus = 88,
    ebadmsg = 89,
    emultihop = 90,
    enolink = 91,
    eproto = 92,
    enotcapable = 93,
    ecapmode = 94,
    enotrecoverable = 95,
    eownerdead = 96,
    eintegrity = 97,

    erestart =
        -1, // interrupted before anything happened: restart unless the handler lacks SA_RESTART (then EINTR)
    ejustreturn = -2, // the handler set all registers itself (sigreturn, execve)
    eexclusive = -3,  // shared mode does not suffice, and nothing has happened yet (giant.hpp)
};

/// A value or a BSD error.
template <class T>
using SysResult = Result<T, Errno>;

} // namespace bsd
