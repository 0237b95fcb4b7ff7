// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/trace.hpp"

#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/vm/usermem.hpp"
#include "lwkt/sleepqueue.hpp"

namespace bsd {

bool tracing = false;

namespace {

constexpr unsigned most_string = 64, most_data = 32;

glue::Ring ring;
void (*ring_box)() = nullptr;

void emit(const char* line, std::size_t size) {
    while (size != 0) {
        std::uint32_t done = ring.write({reinterpret_cast<const std::byte*>(line), size});
        line += done;
        size -= done;
        if (size == 0)
            break;
        ring.set_waiting(true);
        ring_box();
        if (ring.space() == 0)
            (void)lwkt::tsleep(&ring, lwkt::sleep_plain, "trace");
        ring.set_waiting(false);
    }
    ring_box();
}

constexpr const char* error_names[] = {
    nullptr,       "EPERM",           "ENOENT",          "ESRCH",         "EINTR",        "EIO",
    "ENXIO",       "E2BIG",           "ENOEXEC",         "EBADF",         "ECHILD",       "EDEADLK",
    "ENOMEM",      "EACCES",          "EFAULT",          "ENOTBLK",       "EBUSY",        "EEXIST",
    "EXDEV",       "ENODEV",          "ENOTDIR",         "EISDIR",        "EINVAL",       "ENFILE",
    "EMFILE",      "ENOTTY",          "ETXTBSY",         "EFBIG",         "ENOSPC",       "ESPIPE",
    "EROFS",       "EMLINK",          "EPIPE",           "EDOM",          "ERANGE",       "EAGAIN",
    "EINPROGRESS", "EALREADY",        "ENOTSOCK",        "EDESTADDRREQ",  "EMSGSIZE",     "EPROTOTYPE",
    "ENOPROTOOPT", "EPROTONOSUPPORT", "ESOCKTNOSUPPORT", "EOPNOTSUPP",    "EPFNOSUPPORT", "EAFNOSUPPORT",
    "EADDRINUSE",  "EADDRNOTAVAIL",   "ENETDOWN",        "ENETUNREACH",   "ENETRESET",    "ECONNABORTED",
    "ECONNRESET",  "ENOBUFS",         "EISCONN",         "ENOTCONN",      "ESHUTDOWN",    "ETOOMANYREFS",
    "ETIMEDOUT",   "ECONNREFUSED",    "ELOOP",           "ENAMETOOLONG",  "EHOSTDOWN",    "EHOSTUNREACH",
    "ENOTEMPTY",   "EPROCLIM",        "EUSERS",          "EDQUOT",        "ESTALE",       "EREMOTE",
    "EBADRPC",     "ERPCMISMATCH",    "EPROGUNAVAIL",    "EPROGMISMATCH", "EPROCUNAVAIL", "ENOLCK",
    "ENOSYS",      "EFTYPE",          "EAUTH",           "ENEEDAUTH",     "EIDRM",        "ENOMSG",
    "EOVERFLOW",   "ECANCELED",       "EILSEQ",          "ENOATTR",       "EDOOFUS",      "EBADMSG",
    "EMULTIHOP",   "ENOLINK",         "EPROTO",          "ENOTCAPABLE",   "ECAPMODE",     "ENOTRECOVERABLE",
    "EOWNERDEAD",  "EINTEGRITY"};
static_assert(sizeof error_names / sizeof *error_names == static_cast<int>(Errno::eintegrity) + 1);

bool is_one_of(Text type, std::initializer_list<const char*> names) {
    for (const char* name : names)
        if (type == text(name))
            return true;
    return false;
}

} // namespace

void start_trace(const glue::Ring& to, void (*bell)()) {
    ring = to;
    ring_box = bell;
    tracing = true;
}

void trace_doorbell() {
    lwkt::wakeup(&ring);
}

TraceLine::TraceLine(const Lwp& lwp) {
    put_number(static_cast<std::uint64_t>(lwp.proc.pid), 10);
    put(' ');
    put_number(static_cast<std::uint64_t>(lwp.tid), 10);
    put(text(": "));
}

void TraceLine::put(Text more) {
    for (std::size_t i = 0; i < more.size && size_ < most; i++)
        bytes_[size_++] = more[i];
}

void TraceLine::put_number(std::uint64_t value, unsigned base) {
    char digits[24];
    unsigned at = sizeof digits;
    do
        digits[--at] = "0123456789abcdef"[value % base];
    while (value /= base);
    if (base == 16)
        put(text("0x"));
    else if (base == 8 && digits[at] != '0')
        put('0');
    put({digits + at, sizeof digits - at});
}

void TraceLine::put_signed(std::int64_t value) {
    if (value < 0 && value >= -0xffff)
        put('-');
    std::uint64_t magnitude =
        value < 0 ? -static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
    magnitude <= 0xffff ? put_number(magnitude, 10) : put_number(static_cast<std::uint64_t>(value), 16);
}

void TraceLine::put_escaped(const char* bytes, std::size_t size) {
    put('"');
    for (std::size_t i = 0; i < size; i++) {
        auto c = static_cast<unsigned char>(bytes[i]);
        if (c == '\n' || c == '\t' || c == '\r') {
            put('\\');
            put(c == '\n' ? 'n' : c == '\t' ? 't' : 'r');
        } else if (c < ' ' || c >= 0x7f) {
            put('\\');
            for (unsigned shift : {6u, 3u, 0u})
                put(static_cast<char>('0' + (c >> shift & 7)));
        } else {
            if (c == '"' || c == '\\')
                put('\\');
            put(static_cast<char>(c));
        }
    }
    put('"');
}

void TraceLine::keep_room(unsigned room) {
    size_ = least(size_, most - room);
}

void TraceLine::finish() {
    bytes_[size_++] = '\n';
    emit(bytes_, size_);
}

void TracedCall::put_string(Lwp& lwp, UserAddress at) {
    char bytes[most_string];
    auto length = copyinstr(*lwp.proc.vmspace, at, bytes, sizeof bytes);
    if (!length.ok() && length.error() != Errno::enametoolong)
        return line_.put_number(at.value, 16);
    line_.put_escaped(bytes, length.ok() ? length.value() : sizeof bytes);
    if (!length.ok())
        line_.put(text("..."));
}

void TracedCall::put_data(Lwp& lwp, UserAddress at, std::uint64_t size) {
    char bytes[most_data];
    std::uint64_t shown = least<std::uint64_t>(size, sizeof bytes);
    if (!copyin(*lwp.proc.vmspace, at, bytes, shown).ok())
        return line_.put_number(at.value, 16);
    line_.put_escaped(bytes, shown);
    if (shown != size)
        line_.put(text("..."));
}

void TracedCall::put_argument(Lwp& lwp, Text type, const SystemCallEntry& entry, const SystemCall& call,
                              unsigned i) {
    if (type == text("const char *"))
        put_string(lwp, call.address(i));
    else if (type == text("const void *") && i == 1 && entry.words == 3) // write, send
        put_data(lwp, call.address(i), call.word(2));
    else if (type == text("mode_t"))
        line_.put_number(call.natural(i), 8);
    else if (is_one_of(type, {"int", "pid_t", "lwpid_t", "clockid_t", "idtype_t"}))
        line_.put_signed(call.integer(i));
    else if (is_one_of(type, {"long", "ssize_t", "off_t", "id_t", "size_t"}))
        line_.put_signed(static_cast<std::int64_t>(call.word(i)));
    else if (is_one_of(type, {"u_int", "uint32_t", "uid_t", "gid_t", "unsigned int"}))
        line_.put_signed(call.natural(i));
    else
        line_.put_number(call.word(i), 16);
}

TracedCall::TracedCall(Lwp& lwp, const SystemCallEntry& entry, const SystemCall& call)
    : abi_(*lwp.proc.abi), line_(lwp) {
    line_.put(text(entry.name));
    line_.put('(');
    Text types = text(entry.arguments);
    for (unsigned i = 0; i < entry.words && types.size != 0; i++) {
        std::size_t end = 0;
        while (end < types.size && types[end] != ',')
            end++;
        if (i != 0)
            line_.put(',');
        put_argument(lwp, {types.data, end}, entry, call, i);
        while (end < types.size && (types[end] == ',' || types[end] == ' '))
            end++;
        types = {types.data + end, types.size - end};
    }
    line_.put(')');
}

void TracedCall::finish(const SysResult<Return>& result) {
    line_.keep_room(32);
    if (result.ok()) {
        std::uint64_t value = const_cast<SysResult<Return>&>(result).value().rax;
        line_.put(text(" = "));
        line_.put_number(value, value <= 0x7fff'ffff ? 10 : 16);
    } else if (result.error() == Errno::erestart) {
        line_.put(text(" ERESTART"));
    } else if (result.error() != Errno::ejustreturn) {
        const char* name = error_names[static_cast<unsigned>(result.error())];
        line_.put(text(" ERR#"));
        line_.put_number(static_cast<std::uint64_t>(abi_.errno_number(result.error())), 10);
        line_.put(' ');
        line_.put(text(name ? name : "?"));
    }
    line_.finish();
}

void trace_fault_slow(const Lwp& lwp, const SignalInfo& info) {
    TraceLine line(lwp);
    line.put(text("SIGNAL "));
    line.put_signed(info.signal);
    line.put(text(" code "));
    line.put_signed(info.code);
    line.put(text(" at "));
    line.put_number(lwp.frame->rip, 16);
    line.put(text(", address "));
    line.put_number(info.address, 16);
    line.finish();
}

} // namespace bsd
