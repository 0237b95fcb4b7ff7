// SPDX-License-Identifier: BSD-2-Clause
// Control messages ("ancillary data") inside the personality: what sendmsg gave with its bytes and recvmsg
// will get. Rights are files and no longer, or not yet, descriptors. Under the giant token; nothing here
// blocks.
#pragma once

#include "bsd-personality/kern/file.hpp"

namespace bsd {

/// Level and types, in both systems. Only rights and credentials exist in DragonFly.
inline constexpr std::int32_t sol_socket = 0xffff;
enum ControlType : std::int32_t {
    scm_rights = 1,    // descriptors
    scm_timestamp = 2, // struct timeval
    scm_creds = 3,     // struct cmsgcred, or struct sockcred from LOCAL_CREDS
    scm_bintime = 4,
    scm_realtime = 5,  // struct timespec
    scm_monotonic = 6, // struct timespec
    scm_creds2 = 8,    // struct sockcred2
};

/// One message; its data lie behind it: bytes, or the files of scm_rights (a reference each).
struct Control {
    Control* next = nullptr;
    std::int32_t level = sol_socket, type = 0;
    std::uint32_t length = 0; // of the data as the receiver sees them, in bytes
    std::uint32_t memory = 0; // of this allocation

    /// `size` bytes of data, contents undefined. Null when there is no memory.
    static Control* create(ControlType type, std::uint32_t size);
    /// Room for `count` files, all null. Null when there is no memory.
    static Control* create_rights(std::uint32_t count);
    bool is_rights() const { return level == sol_socket && type == scm_rights; }
    std::byte* bytes() { return reinterpret_cast<std::byte*>(this + 1); }
    File** files() { return reinterpret_cast<File**>(this + 1); }
    std::uint32_t count() const { return length / static_cast<std::uint32_t>(sizeof(std::int32_t)); }
};
static_assert(sizeof(Control) % alignof(File*) == 0);

/// A list of control messages with one owner. What is left at the end is discarded: files are closed.
class Controls {
public:
    Controls() = default;
    Controls(Controls&& other) : first_(other.release()) {}
    Controls& operator=(Controls&& other) {
        Control* taken = other.release();
        discard();
        first_ = taken;
        return *this;
    }
    ~Controls() {
        if (first_)
            discard();
    }
    Control* first() const { return first_; }
    bool empty() const { return first_ == nullptr; }
    void push_front(Control* control);
    void push_back(Control* control);
    /// Moves all of another list to the end of this one.
    void append(Controls& other);
    Control* pop_front();
    /// Takes all messages of one type out and discards them.
    void remove(ControlType type);
    /// Memory that they take.
    std::uint32_t charge() const;
    /// How many descriptors they carry.
    std::uint32_t rights() const;
    /// Discards all. However deeply sockets lie inside sockets' buffers, this does not recurse: what the end
    /// of one file makes to be discarded waits until that file is gone.
    void discard();

private:
    Control* release() { return std::exchange(first_, nullptr); }
    Control* first_ = nullptr;
};

} // namespace bsd
