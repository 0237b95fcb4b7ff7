// SPDX-License-Identifier: BSD-2-Clause
#include "ninep/client.hpp"

namespace ninep {

bool Client::request(Message message, Answer answer) {
    if (message.type == Type::Tversion) {
        message.tag = no_tag;
    } else {
        if (waiting_.size() >= 0xfff0)
            return false;
        while (next_tag_ == no_tag || waiting_.count(next_tag_) != 0)
            next_tag_++;
        message.tag = next_tag_++;
    }
    std::vector<std::uint8_t> out(message_size_);
    const std::uint32_t size = pack(message, out.data(), out.size());
    if (size == 0)
        return false;
    out.resize(size);
    waiting_[message.tag] = std::move(answer);
    send_(out);
    return true;
}

const char* Client::feed(const std::uint8_t* data, std::size_t size) {
    in_.insert(in_.end(), data, data + size);
    std::size_t start = 0;
    const char* fault = nullptr;
    while (fault == nullptr) {
        const Bytes rest{in_.data() + start, in_.size() - start};
        if (rest.size < sizeof(std::uint32_t))
            break;
        const std::uint32_t length = framed_size(rest);
        if (length < header_size || length > message_size_)
            return "a message of impossible length arrived";
        if (rest.size < length)
            break;
        fault = take(rest.part(0, length));
        start += length;
    }
    in_.erase(in_.begin(), in_.begin() + static_cast<std::ptrdiff_t>(start));
    return fault;
}

const char* Client::take(Bytes bytes) {
    Message message;
    if (const CodecError error = unpack(bytes, message); error != CodecError::none)
        return describe(error);
    const auto found = waiting_.find(message.tag);
    if (found == waiting_.end())
        return "an answer to no request arrived";
    // The callback may send the next request, even under the same tag.
    const Answer answer = std::move(found->second);
    waiting_.erase(found);
    answer(message);
    return nullptr;
}

} // namespace ninep
