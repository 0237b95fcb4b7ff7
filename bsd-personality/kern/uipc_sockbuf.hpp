// SPDX-License-Identifier: BSD-2-Clause
// SocketBuffer: bytes that wait in a socket, in segments that come and go with them, and what lies between
// them: a Record for each message of a datagram or sequenced-packet socket; in a stream only where control
// messages belong to a place. Under the giant token (Socket says what is done in shared mode).
#pragma once

#include "bsd-personality/kern/uipc_control.hpp"
#include "bsd-personality/kern/uipc_name.hpp"

namespace bsd {

struct Record {
    Link<Record> in_buffer;
    std::uint32_t length = 0; // bytes of it in the buffer
    bool ends_record = false; // the sender said MSG_EOR
    Controls controls;
    SocketName name; // of the sender
};

class SocketBuffer {
public:
    SocketBuffer() = default;
    SocketBuffer(const SocketBuffer&) = delete;
    SocketBuffer& operator=(const SocketBuffer&) = delete;
    ~SocketBuffer();

    /// Bytes of data.
    std::uint32_t used() const { return used_; }
    /// What limits are about: data, control messages, and something for each record, so that empty messages
    /// are not free.
    std::uint32_t charged() const { return used_ + controls_ + overhead_ / 8; }

    /// Takes `length` bytes from `uio` (which has that many) to the end; all or nothing. With a record they
    /// are its bytes, and the buffer owns it from then on; without one they continue what is there. Errors:
    /// ENOBUFS, EFAULT.
    SysResult<void> append(Uio& uio, std::uint32_t length, Record* record);
    /// The oldest message; in a stream: what follows lead(). Null: none.
    Record* first() const { return records_.first(); }
    static Record* next(Record* record) { return List<Record, &Record::in_buffer>::next(record); }
    /// Stream: bytes in front of the first record.
    std::uint32_t lead() const { return lead_; }
    /// Stream: bytes up to the next record that is not in front.
    std::uint32_t run() const;
    /// Stream: takes the records that come next as far as there are bytes again; `out` gets their controls.
    void open_records(Controls& out) {
        if (lead_ == 0 && !records_.empty())
            open_next(out);
    }
    /// Messages: takes the controls of the first one.
    void take_controls(Controls& out);
    /// Copies the first `length` bytes out and leaves them there. EFAULT.
    SysResult<void> peek(Uio& uio, std::uint32_t length) const;
    /// Forgets the first `length` bytes of lead().
    void drop(std::uint32_t length) {
        lead_ -= length;
        drop_bytes(length);
    }
    /// Forgets the first message with its bytes. Its controls must have been taken, or go with it.
    void drop_record();
    void clear();

    // In shared mode: neither allocates nor frees. Only among plain bytes of one segment.
    bool takes_plain(std::uint64_t length) const {
        return records_.empty() && last_ && length <= last_->room();
    }
    bool gives_plain(std::uint64_t length) const {
        return records_.empty() && first_ == last_ && used_ != 0 && length != 0;
    }
    SysResult<void> put_plain(Uio& uio, std::uint32_t length) {
        TRY(uio.copy_in(last_->bytes + last_->first + last_->used, length));
        last_->used += length;
        used_ += length;
        lead_ += length;
        return {};
    }
    SysResult<void> get_plain(Uio& uio, std::uint32_t length) {
        TRY(uio.copy_out(first_->bytes + first_->first, length));
        first_->used -= length;
        first_->first = first_->used != 0 ? first_->first + length : 0;
        used_ -= length;
        lead_ -= length;
        return {};
    }

private:
    static constexpr std::uint32_t record_memory = sizeof(Record);
    struct Segment {
        Segment* next = nullptr;
        std::byte* bytes = nullptr;
        std::uint32_t size = 0, first = 0, used = 0; // of its bytes
        std::uint32_t room() const { return size - first - used; }
    };
    static Segment* make_segments(std::uint32_t length);
    static void free_segments(Segment* chain);
    void drop_bytes(std::uint32_t length);
    void open_next(Controls& out);

    Segment* first_ = nullptr;
    Segment* last_ = nullptr; // an empty buffer keeps its last segment
    List<Record, &Record::in_buffer> records_;
    std::uint32_t used_ = 0, lead_ = 0, controls_ = 0, overhead_ = 0;
};

} // namespace bsd
