// SPDX-License-Identifier: BSD-2-Clause
#include "ninep/codec.hpp"

namespace ninep {

const char* describe(CodecError error) {
    switch (error) {
    case CodecError::none:
        return "no error";
    case CodecError::short_message:
        return "message too short for its fields";
    case CodecError::bad_size:
        return "message length disagrees with its bytes";
    case CodecError::trailing_bytes:
        return "bytes after the last field";
    case CodecError::unknown_type:
        return "unknown message type";
    case CodecError::too_many_names:
        return "more than 16 names in a walk";
    case CodecError::bad_stat:
        return "a stat's lengths disagree";
    }
    return "unknown codec error";
}

namespace {

/// Takes little-endian fields off the front; after the first failure everything reads as zero.
class Reader {
public:
    explicit Reader(Bytes bytes) : rest_(bytes) {}

    template <typename T>
    void get(T& out) {
        if (!take(sizeof(T)))
            return;
        out = proto::load<T>(taken_, 0);
    }
    void get(Text& out) {
        std::uint16_t length = 0;
        get(length);
        if (take(length))
            out = {reinterpret_cast<const char*>(taken_.data), length};
    }
    void get(Qid& out) {
        get(out.type);
        get(out.version);
        get(out.path);
    }
    void get(Stat& out) {
        get(out.type);
        get(out.device);
        get(out.qid);
        get(out.mode);
        get(out.atime);
        get(out.mtime);
        get(out.length);
        get(out.name);
        get(out.uid);
        get(out.gid);
        get(out.muid);
    }
    Bytes get_bytes(std::size_t length) { return take(length) ? taken_ : Bytes{}; }
    [[nodiscard]] bool failed() const { return failed_; }
    [[nodiscard]] std::size_t left() const { return rest_.size; }

private:
    bool take(std::size_t length) {
        if (failed_ || length > rest_.size) {
            failed_ = true;
            return false;
        }
        taken_ = rest_.part(0, length);
        rest_ = rest_.part(length, rest_.size - length);
        return true;
    }
    Bytes rest_;
    Bytes taken_{};
    bool failed_ = false;
};

class Writer {
public:
    Writer(std::uint8_t* out, std::size_t capacity) : out_(out), capacity_(capacity) {}

    template <typename T>
    void put(const T& value) {
        if (room(sizeof value)) {
            __builtin_memcpy(out_ + used_, &value, sizeof value);
            used_ += sizeof value;
        }
    }
    void put(const Text& text) {
        if (text.size > 0xffff)
            failed_ = true;
        put(static_cast<std::uint16_t>(text.size));
        put_bytes({reinterpret_cast<const std::uint8_t*>(text.data), text.size});
    }
    void put(const Qid& qid) {
        put(qid.type);
        put(qid.version);
        put(qid.path);
    }
    void put(const Stat& stat) {
        const std::size_t start = used_;
        put(std::uint16_t{0});
        put(stat.type);
        put(stat.device);
        put(stat.qid);
        put(stat.mode);
        put(stat.atime);
        put(stat.mtime);
        put(stat.length);
        put(stat.name);
        put(stat.uid);
        put(stat.gid);
        put(stat.muid);
        if (!failed_)
            patch(start, static_cast<std::uint16_t>(used_ - start - 2));
    }
    void put_bytes(Bytes bytes) {
        if (room(bytes.size) && bytes.size != 0) {
            __builtin_memcpy(out_ + used_, bytes.data, bytes.size);
            used_ += bytes.size;
        }
    }
    template <typename T>
    void patch(std::size_t at, T value) {
        __builtin_memcpy(out_ + at, &value, sizeof value);
    }
    /// 0 when something did not fit.
    [[nodiscard]] std::uint32_t used() const { return failed_ ? 0 : static_cast<std::uint32_t>(used_); }

private:
    bool room(std::size_t length) {
        if (failed_ || length > capacity_ - used_)
            failed_ = true;
        return !failed_;
    }
    std::uint8_t* out_;
    std::size_t capacity_;
    std::size_t used_ = 0;
    bool failed_ = false;
};

CodecError get_stat(Reader& reader, Stat& out) {
    std::uint16_t size = 0;
    reader.get(size);
    Reader inside(reader.get_bytes(size));
    if (reader.failed())
        return CodecError::short_message;
    inside.get(out);
    return inside.failed() || inside.left() != 0 ? CodecError::bad_stat : CodecError::none;
}

CodecError get_fields(Reader& reader, Message& out) {
    switch (out.type) {
    case Type::Tversion:
    case Type::Rversion:
        reader.get(out.message_size);
        reader.get(out.text);
        break;
    case Type::Tauth:
        reader.get(out.auth_fid);
        reader.get(out.user);
        reader.get(out.tree);
        break;
    case Type::Tattach:
        reader.get(out.fid);
        reader.get(out.auth_fid);
        reader.get(out.user);
        reader.get(out.tree);
        break;
    case Type::Rauth:
    case Type::Rattach:
        reader.get(out.qid);
        break;
    case Type::Rerror:
        reader.get(out.text);
        break;
    case Type::Tflush:
        reader.get(out.old_tag);
        break;
    case Type::Twalk:
        reader.get(out.fid);
        reader.get(out.new_fid);
        reader.get(out.name_count);
        if (out.name_count > max_walk)
            return CodecError::too_many_names;
        for (unsigned i = 0; i < out.name_count; i++)
            reader.get(out.names[i]);
        break;
    case Type::Rwalk:
        reader.get(out.name_count);
        if (out.name_count > max_walk)
            return CodecError::too_many_names;
        for (unsigned i = 0; i < out.name_count; i++)
            reader.get(out.qids[i]);
        break;
    case Type::Topen:
        reader.get(out.fid);
        reader.get(out.mode);
        break;
    case Type::Tcreate:
        reader.get(out.fid);
        reader.get(out.text);
        reader.get(out.permissions);
        reader.get(out.mode);
        break;
    case Type::Ropen:
    case Type::Rcreate:
        reader.get(out.qid);
        reader.get(out.io_unit);
        break;
    case Type::Tread:
        reader.get(out.fid);
        reader.get(out.offset);
        reader.get(out.count);
        break;
    case Type::Twrite:
        reader.get(out.fid);
        reader.get(out.offset);
        [[fallthrough]];
    case Type::Rread:
        reader.get(out.count);
        out.data = reader.get_bytes(out.count);
        break;
    case Type::Rwrite:
        reader.get(out.count);
        break;
    case Type::Tclunk:
    case Type::Tremove:
    case Type::Tstat:
        reader.get(out.fid);
        break;
    case Type::Twstat:
        reader.get(out.fid);
        [[fallthrough]];
    case Type::Rstat: {
        std::uint16_t size = 0; // once more around the stat, which has a size of its own
        reader.get(size);
        if (!reader.failed() && size != reader.left())
            return CodecError::bad_stat;
        return get_stat(reader, out.stat);
    }
    case Type::Rflush:
    case Type::Rclunk:
    case Type::Rremove:
    case Type::Rwstat:
        break;
    default:
        return CodecError::unknown_type;
    }
    return CodecError::none;
}

void put_fields(Writer& writer, const Message& message) {
    switch (message.type) {
    case Type::Tversion:
    case Type::Rversion:
        writer.put(message.message_size);
        writer.put(message.text);
        break;
    case Type::Tattach:
        writer.put(message.fid);
        [[fallthrough]];
    case Type::Tauth:
        writer.put(message.auth_fid);
        writer.put(message.user);
        writer.put(message.tree);
        break;
    case Type::Rauth:
    case Type::Rattach:
        writer.put(message.qid);
        break;
    case Type::Rerror:
        writer.put(message.text);
        break;
    case Type::Tflush:
        writer.put(message.old_tag);
        break;
    case Type::Twalk:
        writer.put(message.fid);
        writer.put(message.new_fid);
        writer.put(message.name_count);
        for (unsigned i = 0; i < message.name_count; i++)
            writer.put(message.names[i]);
        break;
    case Type::Rwalk:
        writer.put(message.name_count);
        for (unsigned i = 0; i < message.name_count; i++)
            writer.put(message.qids[i]);
        break;
    case Type::Topen:
        writer.put(message.fid);
        writer.put(message.mode);
        break;
    case Type::Tcreate:
        writer.put(message.fid);
        writer.put(message.text);
        writer.put(message.permissions);
        writer.put(message.mode);
        break;
    case Type::Ropen:
    case Type::Rcreate:
        writer.put(message.qid);
        writer.put(message.io_unit);
        break;
    case Type::Tread:
        writer.put(message.fid);
        writer.put(message.offset);
        writer.put(message.count);
        break;
    case Type::Twrite:
        writer.put(message.fid);
        writer.put(message.offset);
        [[fallthrough]];
    case Type::Rread:
        writer.put(static_cast<std::uint32_t>(message.data.size));
        writer.put_bytes(message.data);
        break;
    case Type::Rwrite:
        writer.put(message.count);
        break;
    case Type::Tclunk:
    case Type::Tremove:
    case Type::Tstat:
        writer.put(message.fid);
        break;
    case Type::Twstat:
        writer.put(message.fid);
        [[fallthrough]];
    case Type::Rstat: {
        const std::uint32_t at = writer.used();
        writer.put(std::uint16_t{0});
        writer.put(message.stat);
        if (writer.used() != 0)
            writer.patch(at, static_cast<std::uint16_t>(writer.used() - at - 2));
        break;
    }
    default:
        break;
    }
}

} // namespace

std::uint32_t framed_size(Bytes bytes) {
    return bytes.holds(0, sizeof(std::uint32_t)) ? proto::load<std::uint32_t>(bytes, 0) : 0;
}

CodecError unpack(Bytes bytes, Message& out) {
    out = Message{};
    Reader reader(bytes);
    std::uint32_t size = 0;
    reader.get(size);
    reader.get(out.type);
    reader.get(out.tag);
    if (reader.failed())
        return CodecError::short_message;
    if (size != bytes.size)
        return CodecError::bad_size;
    if (const CodecError error = get_fields(reader, out); error != CodecError::none)
        return error;
    if (reader.failed())
        return CodecError::short_message;
    return reader.left() == 0 ? CodecError::none : CodecError::trailing_bytes;
}

std::uint32_t pack(const Message& message, std::uint8_t* out, std::size_t capacity) {
    Writer writer(out, capacity);
    writer.put(std::uint32_t{0});
    writer.put(message.type);
    writer.put(message.tag);
    put_fields(writer, message);
    if (writer.used() != 0)
        writer.patch(0, writer.used());
    return writer.used();
}

std::uint32_t pack_stat(const Stat& stat, std::uint8_t* out, std::size_t capacity) {
    Writer writer(out, capacity);
    writer.put(stat);
    return writer.used();
}

CodecError unpack_stat(Bytes bytes, Stat& out, std::uint32_t& used) {
    out = Stat{};
    Reader reader(bytes);
    const CodecError error = get_stat(reader, out);
    used = static_cast<std::uint32_t>(bytes.size - reader.left());
    return error;
}

} // namespace ninep
