// SPDX-License-Identifier: BSD-2-Clause
// A string with memory of its own, as long as it is. Where memory is exhausted it is empty instead.
#pragma once

#include <cstring>
#include <utility>

#include "bsd-personality/kern/text.hpp"
#include "lwkt/slab.hpp"

namespace bsd {

class OwnedText {
public:
    OwnedText() = default;
    OwnedText(const OwnedText&) = delete;
    OwnedText& operator=(const OwnedText&) = delete;
    ~OwnedText() { clear(); }

    void assign(Text from) {
        clear();
        data_ = static_cast<char*>(lwkt::allocate(from.size + 1));
        if (data_ == nullptr)
            return;
        if (from.size != 0) // an empty text has no address
            std::memcpy(data_, from.data, from.size);
        data_[from.size] = '\0';
        size_ = from.size;
    }
    void clear() {
        lwkt::release(data_, size_ + 1);
        data_ = nullptr;
        size_ = 0;
    }
    void swap(OwnedText& other) {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
    }
    bool empty() const { return size_ == 0; }
    Text text() const { return {data_, size_}; }

private:
    char* data_ = nullptr; // NUL-terminated
    std::size_t size_ = 0;
};

} // namespace bsd
