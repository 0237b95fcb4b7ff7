// SPDX-License-Identifier: BSD-2-Clause
// A core file while it is written: bytes one after the other, and ELF notes. The first error ends it; what is
// put afterwards goes nowhere. Without a vnode nothing is written and only the size counts, so that the same
// code says how long the notes are and writes them.
#pragma once

#include "bsd-personality/kern/proc.hpp"

namespace bsd {

class CoreFile {
public:
    explicit CoreFile(Lwp& lwp, Vnode* vnode = nullptr) : lwp_(lwp), vnode_(vnode) {}
    CoreFile(const CoreFile&) = delete;
    CoreFile& operator=(const CoreFile&) = delete;

    void put(const void* bytes, std::uint64_t size);
    template <class T>
    void put_value(const T& value) {
        put(&value, sizeof value);
    }
    void put_zeros(std::uint64_t size);
    /// Writes what is put so far.
    void flush();
    /// Zeros up to an offset, without memory behind them. After a flush.
    void skip_to(std::uint64_t offset) { written_ = offset; }
    /// Pages of the process, flushed; what cannot be read is left out. May give up the core.
    void put_memory(std::uint64_t address, std::uint64_t length);

    /// A note as a whole, or its head, before as many bytes as it says and end_note().
    void note(const char* name, std::uint32_t type, const void* bytes, std::uint32_t size);
    void begin_note(const char* name, std::uint32_t type, std::uint32_t size);
    void end_note();

    std::uint64_t size() const { return written_ + filled_; }
    bool failed() const { return error_ != Errno{}; }
    Errno error() const { return error_; }

private:
    void write(Uio& uio);

    Lwp& lwp_;
    Vnode* vnode_;
    Errno error_{};
    std::uint64_t written_ = 0;
    unsigned filled_ = 0;
    std::byte buffer_[1024];
};

} // namespace bsd
