// SPDX-License-Identifier: BSD-2-Clause
#include "ninep/server.hpp"

namespace ninep {

namespace {
constexpr Text owner_name = "box";

bool wants_read(std::uint8_t mode) {
    const unsigned access = mode & 3U;
    return access == open_read || access == open_read_write;
}
bool wants_write(std::uint8_t mode) {
    const unsigned access = mode & 3U;
    return access == open_write || access == open_read_write;
}
} // namespace

void Server::receive(const std::uint8_t* data, std::size_t size) {
    while (size != 0) {
        // First the length, then as much of the message as there is.
        std::uint32_t wanted = sizeof(std::uint32_t);
        if (fill_ >= wanted) {
            wanted = framed_size({in_, fill_});
            if (wanted < header_size || wanted > server_message_size) {
                // No way to find the next message's start: the session is over. The peer starts anew by
                // Tversion.
                reset();
                fill_ = 0;
                return;
            }
        }
        std::size_t step = wanted - fill_;
        if (step > size)
            step = size;
        __builtin_memcpy(in_ + fill_, data, step);
        fill_ += static_cast<std::uint32_t>(step);
        data += step;
        size -= step;
        if (fill_ >= header_size && fill_ == framed_size({in_, fill_})) {
            handle({in_, fill_});
            fill_ = 0;
        }
    }
}

void Server::reset() {
    for (Deferred& request : deferred_)
        request.used = false;
    for (bool& used : write_buffer_used_)
        used = false;
    for (Fid& fid : fids_)
        if (fid.used)
            release(fid);
    message_size_ = 0;
}

std::uint32_t Server::deferred_count() const {
    std::uint32_t count = 0;
    for (const Deferred& request : deferred_)
        count += request.used ? 1 : 0;
    return count;
}

void Server::handle(Bytes bytes) {
    Message request;
    if (const CodecError fault = unpack(bytes, request); fault != CodecError::none) {
        error(proto::load<std::uint16_t>(bytes, 5), describe(fault));
        return;
    }
    if (request.type != Type::Tversion && message_size_ == 0) {
        error(request.tag, "no version was agreed on");
        return;
    }
    for (const Deferred& other : deferred_) {
        if (other.used && other.tag == request.tag && request.type != Type::Tversion) {
            error(request.tag, "tag is in use");
            return;
        }
    }
    dispatch(request);
}

void Server::dispatch(const Message& request) {
    switch (request.type) {
    case Type::Tversion:
        return version(request);
    case Type::Tattach:
        return attach(request);
    case Type::Tflush:
        return flush(request);
    case Type::Twalk:
        return walk(request);
    case Type::Topen:
        return open(request);
    case Type::Tread:
        return read(request);
    case Type::Twrite:
        return write(request);
    case Type::Tclunk:
        return clunk(request);
    case Type::Tstat:
        return stat(request);
    case Type::Tauth:
        return error(request.tag, "no authentication is needed");
    case Type::Tremove:
        // A remove clunks its fid even when it fails.
        if (Fid* fid = find(request.fid)) {
            abort_deferred(fid->number);
            release(*fid);
        }
        [[fallthrough]];
    case Type::Tcreate:
    case Type::Twstat:
        return error(request.tag, "permission denied");
    default:
        return error(request.tag, "not a request");
    }
}

void Server::version(const Message& request) {
    reset();
    Message answer;
    answer.type = Type::Rversion;
    answer.tag = request.tag;
    answer.message_size =
        request.message_size < server_message_size ? request.message_size : server_message_size;
    if (request.message_size < min_message_size)
        return error(request.tag, "message size too small");
    const bool known =
        request.text.starts_with(protocol_version) &&
        (request.text.size == protocol_version.size || request.text[protocol_version.size] == '.');
    answer.text = known ? protocol_version : Text("unknown");
    if (known)
        message_size_ = answer.message_size;
    reply(answer);
}

void Server::attach(const Message& request) {
    if (request.auth_fid != no_fid)
        return error(request.tag, "no authentication is needed");
    if (request.fid == no_fid || find(request.fid) != nullptr)
        return error(request.tag, "fid is in use");
    Fid* fid = create(request.fid);
    if (fid == nullptr)
        return error(request.tag, "too many fids");
    fid->node = 0;
    Message answer;
    answer.type = Type::Rattach;
    answer.tag = request.tag;
    answer.qid = qid_of(0);
    reply(answer);
}

void Server::walk(const Message& request) {
    Fid* from = find(request.fid);
    if (from == nullptr)
        return error(request.tag, "unknown fid");
    if (from->open)
        return error(request.tag, "fid is open");
    if (request.new_fid != request.fid && (request.new_fid == no_fid || find(request.new_fid) != nullptr))
        return error(request.tag, "fid is in use");
    Message answer;
    answer.type = Type::Rwalk;
    answer.tag = request.tag;
    NodeId node = from->node;
    for (unsigned i = 0; i < request.name_count; i++) {
        NodeId next = 0;
        if (request.names[i] == Text(".."))
            next = tree_.parent(node);
        else if (!(tree_.info(node).mode & mode_directory) || !tree_.lookup(node, request.names[i], next))
            break;
        node = next;
        answer.qids[answer.name_count++] = qid_of(node);
    }
    if (request.name_count != 0 && answer.name_count == 0)
        return error(request.tag, "file not found");
    if (answer.name_count == request.name_count) {
        Fid* to = request.new_fid == request.fid ? from : create(request.new_fid);
        if (to == nullptr)
            return error(request.tag, "too many fids");
        to->node = node;
    }
    reply(answer);
}

void Server::open(const Message& request) {
    Fid* fid = find(request.fid);
    if (fid == nullptr)
        return error(request.tag, "unknown fid");
    if (fid->open)
        return error(request.tag, "fid is open");
    const NodeInfo info = tree_.info(fid->node);
    const bool directory = info.mode & mode_directory;
    const bool refused = (request.mode & ~(3U | open_truncate)) != 0 || (request.mode & 3U) == open_execute ||
                         (wants_read(request.mode) && !(info.mode & 0400U)) ||
                         (wants_write(request.mode) && (directory || !(info.mode & 0200U)));
    if (refused)
        return error(request.tag, "permission denied");
    if (const char* reason = tree_.opened(fid->node, request.mode))
        return error(request.tag, reason);
    fid->open = true;
    fid->mode = request.mode;
    Message answer;
    answer.type = Type::Ropen;
    answer.tag = request.tag;
    answer.qid = qid_of(fid->node);
    reply(answer);
}

void Server::read(const Message& request) {
    Fid* fid = find(request.fid);
    if (fid == nullptr || !fid->open || !wants_read(fid->mode))
        return error(request.tag, fid == nullptr ? "unknown fid" : "fid is not open for reading");
    if (tree_.info(fid->node).mode & mode_directory)
        return read_directory(request.tag, *fid, request.offset, request.count);
    if (!try_read(request.tag, *fid, request.offset, request.count))
        defer(request, false);
}

void Server::write(const Message& request) {
    Fid* fid = find(request.fid);
    if (fid == nullptr || !fid->open || !wants_write(fid->mode))
        return error(request.tag, fid == nullptr ? "unknown fid" : "fid is not open for writing");
    if (!try_write(request.tag, *fid, request.offset, request.data))
        defer(request, true);
}

bool Server::try_read(std::uint16_t tag, Fid& fid, std::uint64_t offset, std::uint32_t count) {
    const std::uint32_t most = message_size_ - io_header_size;
    const IoOutcome outcome = tree_.read(fid.node, offset, data_, count < most ? count : most);
    if (outcome.error == nullptr && outcome.deferred)
        return false;
    if (outcome.error != nullptr) {
        error(tag, outcome.error);
        return true;
    }
    Message answer;
    answer.type = Type::Rread;
    answer.tag = tag;
    answer.data = {data_, outcome.count};
    reply(answer);
    return true;
}

bool Server::try_write(std::uint16_t tag, Fid& fid, std::uint64_t offset, Bytes data) {
    if (data.size > server_write_unit)
        data.size = server_write_unit;
    const IoOutcome outcome = tree_.write(fid.node, offset, data);
    if (outcome.error == nullptr && outcome.deferred)
        return false;
    if (outcome.error != nullptr) {
        error(tag, outcome.error);
        return true;
    }
    Message answer;
    answer.type = Type::Rwrite;
    answer.tag = tag;
    answer.count = outcome.count;
    reply(answer);
    return true;
}

void Server::read_directory(std::uint16_t tag, Fid& fid, std::uint64_t offset, std::uint32_t count) {
    if (offset == 0) {
        fid.next_child = 0;
        fid.next_offset = 0;
    }
    if (offset != fid.next_offset)
        return error(tag, "a directory is read from its start or where the last read ended");
    const std::uint32_t most = message_size_ - io_header_size;
    if (count > most)
        count = most;
    std::uint32_t used = 0;
    NodeId node = 0;
    while (tree_.child(fid.node, fid.next_child, node)) {
        const std::uint32_t size = pack_stat(stat_of(node), data_ + used, count - used);
        if (size == 0)
            break;
        used += size;
        fid.next_child++;
    }
    fid.next_offset += used;
    Message answer;
    answer.type = Type::Rread;
    answer.tag = tag;
    answer.data = {data_, used};
    reply(answer);
}

void Server::defer(const Message& request, bool is_write) {
    Deferred* slot = nullptr;
    for (Deferred& candidate : deferred_)
        if (!candidate.used)
            slot = &candidate;
    std::uint32_t buffer = 0;
    if (is_write)
        while (buffer < server_max_deferred_writes && write_buffer_used_[buffer])
            buffer++;
    if (slot == nullptr || buffer == server_max_deferred_writes)
        return error(request.tag, "too many requests wait");
    *slot = {true, is_write, request.tag, request.fid, request.offset, request.count, buffer};
    if (is_write) {
        write_buffer_used_[buffer] = true;
        slot->count = request.data.size < server_write_unit ? static_cast<std::uint32_t>(request.data.size)
                                                            : server_write_unit;
        __builtin_memcpy(write_data_[buffer], request.data.data, slot->count);
    }
}

void Server::retry() {
    for (Deferred& request : deferred_) {
        if (!request.used)
            continue;
        Fid* fid = find(request.fid);
        if (fid == nullptr)
            continue; // cannot be: abort_deferred ends requests with their fid
        const bool done = request.is_write ? try_write(request.tag, *fid, request.offset,
                                                       {write_data_[request.buffer], request.count})
                                           : try_read(request.tag, *fid, request.offset, request.count);
        if (!done)
            continue;
        request.used = false;
        if (request.is_write)
            write_buffer_used_[request.buffer] = false;
    }
}

void Server::abort_deferred(std::uint32_t fid) {
    for (Deferred& request : deferred_) {
        if (!request.used || request.fid != fid)
            continue;
        request.used = false;
        if (request.is_write)
            write_buffer_used_[request.buffer] = false;
        error(request.tag, "fid was clunked");
    }
}

void Server::clunk(const Message& request) {
    Fid* fid = find(request.fid);
    if (fid == nullptr)
        return error(request.tag, "unknown fid");
    abort_deferred(request.fid);
    release(*fid);
    Message answer;
    answer.type = Type::Rclunk;
    answer.tag = request.tag;
    reply(answer);
}

void Server::stat(const Message& request) {
    Fid* fid = find(request.fid);
    if (fid == nullptr)
        return error(request.tag, "unknown fid");
    Message answer;
    answer.type = Type::Rstat;
    answer.tag = request.tag;
    answer.stat = stat_of(fid->node);
    reply(answer);
}

void Server::flush(const Message& request) {
    // The flushed request is never answered after this.
    for (Deferred& other : deferred_) {
        if (!other.used || other.tag != request.old_tag)
            continue;
        other.used = false;
        if (other.is_write)
            write_buffer_used_[other.buffer] = false;
    }
    Message answer;
    answer.type = Type::Rflush;
    answer.tag = request.tag;
    reply(answer);
}

void Server::reply(const Message& message) {
    // Before a size is agreed on, only Rversion and Rerror are sent, which always fit.
    const std::uint32_t limit = message_size_ != 0 ? message_size_ : min_message_size;
    const std::uint32_t size = pack(message, out_, limit);
    if (size == 0)
        return error(message.tag, "the answer does not fit");
    transport_.send({out_, size});
}

void Server::error(std::uint16_t tag, const char* text) {
    Message answer;
    answer.type = Type::Rerror;
    answer.tag = tag;
    answer.text = {text, __builtin_strlen(text)};
    if (answer.text.size > min_message_size - 16)
        answer.text.size = min_message_size - 16;
    const std::uint32_t size = pack(answer, out_, sizeof out_);
    transport_.send({out_, size});
}

Server::Fid* Server::find(std::uint32_t number) {
    for (Fid& fid : fids_)
        if (fid.used && fid.number == number)
            return &fid;
    return nullptr;
}

Server::Fid* Server::create(std::uint32_t number) {
    for (Fid& fid : fids_) {
        if (fid.used)
            continue;
        fid = Fid{};
        fid.used = true;
        fid.number = number;
        return &fid;
    }
    return nullptr;
}

void Server::release(Fid& fid) {
    if (fid.open)
        tree_.closed(fid.node, fid.mode);
    fid.used = false;
}

Qid Server::qid_of(NodeId node) {
    return {(tree_.info(node).mode & mode_directory) ? qid_directory : qid_file, 0, node};
}

Stat Server::stat_of(NodeId node) {
    const NodeInfo info = tree_.info(node);
    Stat stat;
    stat.qid = qid_of(node);
    stat.mode = info.mode;
    stat.length = (info.mode & mode_directory) ? 0 : info.length;
    stat.name = node == 0 ? Text("/") : info.name;
    stat.uid = stat.gid = stat.muid = owner_name;
    return stat;
}

} // namespace ninep
