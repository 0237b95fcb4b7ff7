// SPDX-License-Identifier: BSD-2-Clause
// Pipes: a pair of byte channels between two open files. As in FreeBSD both directions work; a buffer comes
// with the first byte, so the direction that nobody uses costs nothing. Under the giant token.
#pragma once

#include "bsd-personality/kern/file.hpp"

namespace bsd {

inline constexpr std::uint32_t pipe_atomic = 512; // PIPE_BUF

/// One direction: a ring of bytes.
class Channel {
public:
    static constexpr std::uint32_t small_size = 16 << 10, large_size = 64 << 10;
    ~Channel();
    /// Room for bytes (after ensure()), bytes that wait.
    std::uint32_t space() const { return (capacity_ ? capacity_ : small_size) - used_; }
    std::uint32_t used() const { return used_; }
    /// Makes the buffer, or a larger one for a writer with much to say while it is empty. ENOMEM.
    SysResult<void> ensure(std::uint64_t wanted);
    bool has_buffer() const { return buffer_ != nullptr; }
    /// Moves up to `limit` bytes; returns how many were moved, which is less after EFAULT.
    SysResult<std::uint32_t> put(Uio& uio, std::uint32_t limit);
    SysResult<std::uint32_t> get(Uio& uio);

    Readiness readiness(Direction direction) const;
    /// Nobody reads any more: writers get EPIPE. Nobody writes any more: readers get what is there, then the
    /// end.
    void close_reader();
    void close_writer();

    /// What a reader does after it has taken bytes, a writer after it has put some.
    void wake_writers();
    void wake_readers();

    bool writer_gone = false, reader_gone = false;
    std::uint32_t readers_asleep = 0, writers_asleep = 0;
    std::uint32_t wanted = 0; // space that the sleeping writers wait for, at least
    EventSource readers, writers;
    Claimable contents; // all but who waits

private:
    std::byte* buffer_ = nullptr;
    std::uint32_t capacity_ = 0, first_ = 0, used_ = 0;
};

/// Blocking reads and writes through a channel, with the flags of `file`. Errors: EAGAIN, EPIPE, ERESTART,
/// EFAULT.
SysResult<void> read_channel(Lwp& lwp, const File& file, Channel& channel, Uio& uio);
SysResult<void> write_channel(Lwp& lwp, const File& file, Channel& channel, Uio& uio);

/// Both directions; end n reads from channel[n] and writes to channel[1 - n].
struct Pipe {
    Channel channel[2];
    std::uint32_t ends = 2;
    std::uint64_t inode = 0;
    std::uint64_t birth = 0; // wall clock, nanoseconds
};

class PipeEnd final : public File {
public:
    PipeEnd(std::uint32_t open_flags, Pipe& pipe, unsigned side)
        : File(FileType::pipe, open_flags), pipe_(pipe), side_(side) {}
    ~PipeEnd() = default;

    SysResult<void> read(Lwp& lwp, Uio& uio, const std::int64_t* position) override;
    SysResult<void> write(Lwp& lwp, Uio& uio, const std::int64_t* position) override;
    SysResult<void> read_shared(Lwp& lwp, Uio& uio, const std::int64_t* position) override;
    SysResult<void> write_shared(Lwp& lwp, Uio& uio, const std::int64_t* position) override;
    SysResult<int> ioctl(Lwp& lwp, std::uint64_t command, void* argument) override;
    SysResult<void> attributes(Lwp& lwp, Attributes& out) override;
    Readiness readiness(Direction direction) override;
    EventSource* events(Direction direction) override;

private:
    void destroy() override;
    Channel& in() { return pipe_.channel[side_]; }
    Channel& out() { return pipe_.channel[1 - side_]; }

    Pipe& pipe_;
    const unsigned side_;
};

struct PipePair {
    FileRef first, second; // pipe(2): first is read, second written
};
/// `flags` of OpenFlag (open_nonblock). Errors: ENOMEM.
SysResult<PipePair> create_pipe(std::uint32_t flags);

} // namespace bsd
