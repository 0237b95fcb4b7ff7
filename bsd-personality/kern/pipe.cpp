// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/pipe.hpp"

#include "bsd-personality/kern/ioctl.hpp"
#include "bsd-personality/kern/sleep.hpp"
#include "bsd-personality/kern/time.hpp"
#include "bsd-personality/vfs/vnode.hpp"
#include "lwkt/slab.hpp"

namespace bsd {

// --- channel ---------------------------------------------------------------------------------------------
Channel::~Channel() {
    if (buffer_)
        lwkt::release(buffer_, capacity_);
}

SysResult<void> Channel::ensure(std::uint64_t wanted) {
    if (buffer_ && (wanted <= capacity_ || capacity_ == large_size || used_ != 0)) [[likely]]
        return {};
    std::uint32_t size = wanted > small_size ? large_size : small_size;
    auto* buffer = static_cast<std::byte*>(lwkt::allocate(size));
    if (!buffer && buffer_)
        return {};
    if (!buffer && size == large_size)
        buffer = static_cast<std::byte*>(lwkt::allocate(size = small_size));
    if (!buffer)
        return Failure(Errno::enomem);
    if (buffer_)
        lwkt::release(buffer_, capacity_);
    buffer_ = buffer;
    capacity_ = size;
    first_ = 0;
    return {};
}

SysResult<std::uint32_t> Channel::put(Uio& uio, std::uint32_t limit) {
    std::uint32_t done = 0;
    while (done < limit) {
        std::uint32_t at = (first_ + used_) & (capacity_ - 1), run = least(limit - done, capacity_ - at);
        auto moved = uio.copy_in(buffer_ + at, run);
        if (!moved.ok())
            return Failure(moved.error());
        used_ += run;
        done += run;
    }
    return done;
}

SysResult<std::uint32_t> Channel::get(Uio& uio) {
    auto limit = static_cast<std::uint32_t>(least<std::uint64_t>(uio.residual(), used_));
    std::uint32_t done = 0;
    while (done < limit) {
        std::uint32_t run = least(limit - done, capacity_ - first_);
        auto moved = uio.copy_out(buffer_ + first_, run);
        if (!moved.ok())
            return Failure(moved.error());
        first_ = (first_ + run) & (capacity_ - 1);
        used_ -= run;
        done += run;
    }
    if (used_ == 0)
        first_ = 0; // an empty ring starts over: short messages then touch one cache line
    return done;
}

// Writers of much wait until half the buffer is free: fewer switches, and each moves a good piece.
void Channel::wake_writers() {
    if (writers_asleep != 0 && space() >= wanted) {
        wanted = 0;
        lwkt::wakeup(&writers_asleep);
    }
    writers.notify();
}

void Channel::wake_readers() {
    if (readers_asleep != 0)
        lwkt::wakeup(&readers_asleep);
    readers.notify();
}

Readiness Channel::readiness(Direction direction) const {
    if (direction == Direction::read)
        return {used_ != 0 || writer_gone, writer_gone, used_, 0, writer_gone};
    return {space() >= pipe_atomic || reader_gone, reader_gone, space(), 0, reader_gone};
}

void Channel::close_reader() {
    reader_gone = true;
    lwkt::wakeup(&writers_asleep);
    lwkt::wakeup(&readers_asleep);
    writers.notify();
}

void Channel::close_writer() {
    writer_gone = true;
    lwkt::wakeup(&readers_asleep);
    lwkt::wakeup(&writers_asleep);
    readers.notify();
}

// --- an end ----------------------------------------------------------------------------------------------
SysResult<void> PipeEnd::read(Lwp& lwp, Uio& uio, const std::int64_t* position) {
    if (position)
        return Failure(Errno::espipe);
    return read_channel(lwp, *this, in(), uio);
}

SysResult<void> PipeEnd::write(Lwp& lwp, Uio& uio, const std::int64_t* position) {
    if (position)
        return Failure(Errno::espipe);
    return write_channel(lwp, *this, out(), uio);
}

SysResult<void> PipeEnd::read_shared(Lwp&, Uio& uio, const std::int64_t* position) {
    Channel& channel = in();
    Claim claim(channel.contents);
    if (!claim || position || channel.used() == 0 || channel.writers.watched() ||
        !uio.at_hand(channel.used(), true))
        return Failure(Errno::eexclusive);
    TRY(channel.get(uio));
    channel.wake_writers();
    return {};
}

// What fits at once.
SysResult<void> PipeEnd::write_shared(Lwp&, Uio& uio, const std::int64_t* position) {
    Channel& channel = out();
    Claim claim(channel.contents);
    if (!claim || position || channel.reader_gone || channel.writer_gone || !channel.has_buffer() ||
        channel.space() < uio.residual() || channel.readers.watched() || !uio.at_hand(uio.residual(), false))
        return Failure(Errno::eexclusive);
    TRY(channel.put(uio, static_cast<std::uint32_t>(uio.residual())));
    channel.wake_readers();
    return {};
}

SysResult<void> read_channel(Lwp& lwp, const File& file, Channel& channel, Uio& uio) {
    if (uio.residual() == 0)
        return {};
    while (channel.used() == 0) {
        if (channel.writer_gone || channel.reader_gone)
            return {}; // end of file
        if (file.nonblocking())
            return Failure(Errno::eagain);
        channel.readers_asleep++;
        auto sleep = interruptible_sleep(lwp, &channel.readers_asleep, "piperd");
        channel.readers_asleep--;
        if (!sleep.ok() && channel.used() == 0 && !channel.writer_gone)
            return Failure(sleep.error());
    }
    auto moved = channel.get(uio);
    channel.wake_writers();
    if (!moved.ok())
        return Failure(moved.error());
    return {};
}

SysResult<void> write_channel(Lwp& lwp, const File& file, Channel& channel, Uio& uio) {
    const std::uint64_t total = uio.residual();
    const std::uint32_t indivisible = total <= pipe_atomic ? static_cast<std::uint32_t>(total) : 1;
    if (total == 0)
        return {};
    while (uio.residual() != 0) {
        if (channel.reader_gone || channel.writer_gone)
            return Failure(Errno::epipe);
        TRY(channel.ensure(uio.residual()));
        if (channel.space() >= indivisible) {
            auto moved = channel.put(
                uio, static_cast<std::uint32_t>(least<std::uint64_t>(channel.space(), uio.residual())));
            channel.wake_readers();
            if (!moved.ok())
                return Failure(moved.error());
            continue;
        }
        if (file.nonblocking())
            return Failure(Errno::eagain); // a short count if something was written
        auto wanted =
            static_cast<std::uint32_t>(least<std::uint64_t>(uio.residual(), Channel::small_size / 2));
        channel.wanted = channel.wanted ? least(channel.wanted, wanted) : wanted;
        channel.writers_asleep++;
        auto sleep = interruptible_sleep(lwp, &channel.writers_asleep, "pipewr");
        channel.writers_asleep--;
        if (!sleep.ok())
            return Failure(sleep.error()); // a short count if something was written
    }
    return {};
}

SysResult<int> PipeEnd::ioctl(Lwp&, std::uint64_t command, void* argument) {
    if (command != fionread)
        return Failure(Errno::enotty);
    *static_cast<std::int32_t*>(argument) = static_cast<std::int32_t>(in().used());
    return 0;
}

SysResult<void> PipeEnd::attributes(Lwp&, Attributes& out) {
    out = {};
    out.type = VnodeType::fifo;
    out.mode = 0600;
    out.inode = pipe_.inode;
    out.links = 0;
    out.size = in().used();
    TimeSpec birth = to_timespec(pipe_.birth);
    out.access = out.modify = out.change = out.birth = {birth.seconds, birth.nanoseconds};
    return {};
}

Readiness PipeEnd::readiness(Direction direction) {
    return (direction == Direction::read ? in() : out()).readiness(direction);
}

EventSource* PipeEnd::events(Direction direction) {
    return direction == Direction::read ? &in().readers : &out().writers;
}

void PipeEnd::destroy() {
    in().close_reader();
    out().close_writer();
    if (--pipe_.ends == 0)
        lwkt::destroy(&pipe_);
    lwkt::destroy(this);
}

SysResult<PipePair> create_pipe(std::uint32_t flags) {
    static std::uint64_t next_inode = 1; // guarded by giant
    auto* pipe = lwkt::construct<Pipe>();
    if (!pipe)
        return Failure(Errno::enomem);
    pipe->inode = next_inode++;
    pipe->birth = wall_clock();
    auto* first = lwkt::construct<PipeEnd>(open_read_write | flags, *pipe, 0u);
    auto* second = first ? lwkt::construct<PipeEnd>(open_read_write | flags, *pipe, 1u) : nullptr;
    if (!second) {
        lwkt::destroy(first);
        lwkt::destroy(pipe);
        return Failure(Errno::enomem);
    }
    return PipePair{FileRef::adopt(first), FileRef::adopt(second)};
}

} // namespace bsd
