// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/uipc_sockbuf.hpp"

#include <new>

#include "lwkt/slab.hpp"

namespace bsd {

SocketBuffer::~SocketBuffer() {
    clear();
    free_segments(first_);
}

// Segments for `length` bytes, not linked in yet: of 4, 16 or 64 KiB. Null when there is no memory.
SocketBuffer::Segment* SocketBuffer::make_segments(std::uint32_t length) {
    constexpr std::uint32_t smallest = 4096, largest = 65536;
    Segment* chain = nullptr;
    while (length != 0) {
        auto* segment = lwkt::construct<Segment>();
        if (!segment)
            break;
        segment->next = chain;
        chain = segment;
        segment->size = smallest;
        while (segment->size < largest && segment->size < length)
            segment->size *= 4;
        segment->bytes = static_cast<std::byte*>(lwkt::allocate(segment->size));
        if (!segment->bytes)
            break;
        length -= least(length, segment->size);
    }
    if (length != 0) {
        free_segments(chain);
        return nullptr;
    }
    return chain;
}

void SocketBuffer::free_segments(Segment* chain) {
    while (Segment* segment = chain) {
        chain = segment->next;
        if (segment->bytes)
            lwkt::release(segment->bytes, segment->size);
        lwkt::destroy(segment);
    }
}

SysResult<void> SocketBuffer::append(Uio& uio, std::uint32_t length, Record* record) {
    std::uint32_t here = last_ ? least(last_->room(), length) : 0;
    if (used_ == 0 && here < length) // what is kept is too small: one of the right size instead
        here = 0;
    Segment* more = nullptr;
    if (here < length && !(more = make_segments(length - here)))
        return Failure(Errno::enobufs);
    SysResult<void> copied;
    if (here != 0)
        copied = uio.copy_in(last_->bytes + last_->first + last_->used, here);
    std::uint32_t left = length - here;
    for (Segment* segment = more; segment && copied.ok(); segment = segment->next) {
        segment->used = least(segment->size, left);
        left -= segment->used;
        copied = uio.copy_in(segment->bytes, segment->used);
    }
    if (!copied.ok()) {
        free_segments(more);
        return copied;
    }
    if (here != 0)
        last_->used += here;
    if (more && used_ == 0) {
        free_segments(first_);
        first_ = last_ = nullptr;
    }
    if (more)
        (last_ ? last_->next : first_) = more;
    while (more) {
        last_ = more;
        more = more->next;
    }
    used_ += length;
    if (record) {
        record->length = length;
        records_.push_back(record);
        controls_ += record->controls.charge();
        overhead_ += record_memory;
    } else {
        (records_.empty() ? lead_ : records_.last()->length) += length;
    }
    return {};
}

SysResult<void> SocketBuffer::peek(Uio& uio, std::uint32_t length) const {
    for (Segment* segment = first_; segment && length != 0; segment = segment->next) {
        std::uint32_t run = least(length, segment->used);
        TRY(uio.copy_out(segment->bytes + segment->first, run));
        length -= run;
    }
    return {};
}

void SocketBuffer::drop_bytes(std::uint32_t length) {
    used_ -= length;
    while (length != 0) {
        std::uint32_t run = least(length, first_->used);
        first_->first += run;
        first_->used -= run;
        length -= run;
        if (first_->used != 0)
            return;
        if (first_ == last_) {
            first_->first = 0; // short messages then touch the same cache lines again
            return;
        }
        Segment* empty = first_;
        first_ = empty->next;
        empty->next = nullptr;
        free_segments(empty);
    }
}

std::uint32_t SocketBuffer::run() const {
    std::uint32_t length = lead_;
    for (Record* record = records_.first(); record && length == 0; record = records_.next(record))
        length = record->length;
    return length;
}

void SocketBuffer::open_next(Controls& out) {
    while (lead_ == 0) {
        Record* record = records_.pop_front();
        if (!record)
            return;
        lead_ = record->length;
        controls_ -= record->controls.charge();
        overhead_ -= record_memory;
        out.append(record->controls);
        lwkt::destroy(record);
    }
}

void SocketBuffer::take_controls(Controls& out) {
    controls_ -= records_.first()->controls.charge();
    out.append(records_.first()->controls);
}

void SocketBuffer::drop_record() {
    Record* record = records_.pop_front();
    drop_bytes(record->length);
    controls_ -= record->controls.charge();
    overhead_ -= record_memory;
    lwkt::destroy(record);
}

void SocketBuffer::clear() {
    drop(lead_);
    while (records_.first())
        drop_record();
}

} // namespace bsd
