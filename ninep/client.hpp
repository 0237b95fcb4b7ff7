// SPDX-License-Identifier: BSD-2-Clause
//
// A 9P2000 client for the host: any number of requests outstanding, each answered through its own callback.
// It does no I/O: the owner sends what `send` is given and passes what arrives to feed(). It allocates; not
// for L4 tasks.
#pragma once

#include "ninep/codec.hpp"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace ninep {

class Client {
public:
    using Send = std::function<void(const std::vector<std::uint8_t>&)>;
    /// Called once with the answer, whose views are valid during the call. Rerror is an answer too.
    using Answer = std::function<void(const Message&)>;

    explicit Client(Send send, std::uint32_t message_size = 64 << 10)
        : send_(std::move(send)), message_size_(message_size) {}

    /// Sends a request under a tag of its own; false when it is too large or all tags are out.
    bool request(Message message, Answer answer);
    /// Takes what arrived. An error text when the stream is beyond repair, else null.
    [[nodiscard]] const char* feed(const std::uint8_t* data, std::size_t size);

    /// The largest piece of data that a read or write may ask for.
    [[nodiscard]] std::uint32_t io_size() const { return message_size_ - io_header_size; }
    /// After Rversion: the size that was agreed on.
    void set_message_size(std::uint32_t size) { message_size_ = size; }
    [[nodiscard]] std::uint32_t message_size() const { return message_size_; }
    [[nodiscard]] std::uint32_t new_fid() { return next_fid_++; }
    [[nodiscard]] std::size_t outstanding() const { return waiting_.size(); }

private:
    [[nodiscard]] const char* take(Bytes bytes);

    Send send_;
    std::uint32_t message_size_;
    std::uint32_t next_fid_ = 1;
    std::uint16_t next_tag_ = 0;
    std::map<std::uint16_t, Answer> waiting_;
    std::vector<std::uint8_t> in_;
};

} // namespace ninep
