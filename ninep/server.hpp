// SPDX-License-Identifier: BSD-2-Clause
//
// A 9P2000 server over any byte stream. It does no I/O: bytes go in by receive(), messages come out through a
// Transport, files come from a Tree. A read or write that cannot be answered yet is deferred: its request is
// kept and tried again by retry(), which the owner calls whenever something may have changed; replies come in
// any order.
//
// Everything lives in the object (about 350 KiB: make it static), nothing is allocated. One caller at a time.
// A peer can send anything: a message that does not parse is answered by Rerror, a broken frame ends the
// session.
#pragma once

#include "ninep/codec.hpp"

namespace ninep {

inline constexpr std::uint32_t server_message_size = 64 << 10; ///< the largest message taken or sent
inline constexpr std::uint32_t server_max_fids = 256;
inline constexpr std::uint32_t server_max_deferred = 64;
inline constexpr std::uint32_t server_max_deferred_writes = 16;
inline constexpr std::uint32_t server_write_unit =
    8 << 10; ///< most bytes one Twrite is answered for; writes may be short

/// A file or directory of a Tree; becomes its qid's path. The root is 0.
using NodeId = std::uint64_t;

struct NodeInfo {
    Text name;              ///< valid until the Tree is changed
    std::uint32_t mode = 0; ///< 0777 bits, with mode_directory; the owner's bits decide about open
    std::uint64_t length = 0;
};

/// What became of a read or write. `error` non-null: Rerror. Otherwise deferred, or `count` bytes were moved.
struct IoOutcome {
    std::uint32_t count = 0;
    bool deferred = false;
    const char* error = nullptr;
};

/// The files. Called by the server only, from whatever context the server was called in.
class Tree {
public:
    /// The entry of that name in a directory; false when there is none.
    virtual bool lookup(NodeId directory, Text name, NodeId& out) = 0;
    /// The entry number `index` (from 0) of a directory; false past the last.
    virtual bool child(NodeId directory, std::uint32_t index, NodeId& out) = 0;
    virtual NodeId parent(NodeId node) = 0;
    virtual NodeInfo info(NodeId node) = 0;
    /// Null, or why it may not be opened. Every success is matched by one closed().
    virtual const char* opened(NodeId node, std::uint8_t mode) = 0;
    virtual void closed(NodeId node, std::uint8_t mode) = 0;
    virtual IoOutcome read(NodeId node, std::uint64_t offset, std::uint8_t* out, std::uint32_t count) = 0;
    virtual IoOutcome write(NodeId node, std::uint64_t offset, Bytes data) = 0;

protected:
    ~Tree() = default;
};

class Transport {
public:
    /// Takes the whole message; may wait for the line, may not call the server.
    virtual void send(Bytes message) = 0;

protected:
    ~Transport() = default;
};

class Server {
public:
    Server(Tree& tree, Transport& transport) : tree_(tree), transport_(transport) {}

    /// Takes bytes of the stream in any pieces and answers what is complete.
    void receive(const std::uint8_t* data, std::size_t size);
    /// Tries deferred requests again.
    void retry();
    /// Forgets all fids and deferred requests: the peer is gone or starts anew.
    void reset();
    [[nodiscard]] std::uint32_t deferred_count() const;

private:
    struct Fid {
        bool used = false;
        bool open = false;
        std::uint8_t mode = 0;
        std::uint32_t number = 0;
        NodeId node = 0;
        std::uint32_t next_child = 0;  ///< of a directory that is being read
        std::uint64_t next_offset = 0; ///< where the next directory read must start
    };
    struct Deferred {
        bool used = false;
        bool is_write = false;
        std::uint16_t tag = 0;
        std::uint32_t fid = 0;
        std::uint64_t offset = 0;
        std::uint32_t count = 0;
        std::uint32_t buffer = 0; ///< of a write: index into write_data_
    };

    void handle(Bytes bytes);
    void dispatch(const Message& request);
    void version(const Message& request);
    void attach(const Message& request);
    void walk(const Message& request);
    void open(const Message& request);
    void read(const Message& request);
    void write(const Message& request);
    void clunk(const Message& request);
    void stat(const Message& request);
    void flush(const Message& request);

    /// One attempt; false when it is to be deferred.
    bool try_read(std::uint16_t tag, Fid& fid, std::uint64_t offset, std::uint32_t count);
    bool try_write(std::uint16_t tag, Fid& fid, std::uint64_t offset, Bytes data);
    void read_directory(std::uint16_t tag, Fid& fid, std::uint64_t offset, std::uint32_t count);
    void defer(const Message& request, bool is_write);

    void reply(const Message& message);
    void error(std::uint16_t tag, const char* text);
    Fid* find(std::uint32_t number);
    Fid* create(std::uint32_t number);
    void release(Fid& fid);
    /// Requests of a fid that goes away are answered by an error.
    void abort_deferred(std::uint32_t fid);
    [[nodiscard]] Qid qid_of(NodeId node);
    [[nodiscard]] Stat stat_of(NodeId node);

    Tree& tree_;
    Transport& transport_;
    std::uint32_t message_size_ = 0; ///< negotiated; 0 before Tversion
    std::uint32_t fill_ = 0;         ///< bytes of an incomplete message in in_
    Fid fids_[server_max_fids];
    Deferred deferred_[server_max_deferred];
    bool write_buffer_used_[server_max_deferred_writes] = {};
    std::uint8_t write_data_[server_max_deferred_writes][server_write_unit];
    std::uint8_t in_[server_message_size];
    std::uint8_t out_[server_message_size];
    std::uint8_t data_[server_message_size];
};

} // namespace ninep
