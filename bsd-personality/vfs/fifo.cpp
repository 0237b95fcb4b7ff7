// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/vfs/fifo.hpp"

#include "bsd-personality/kern/ioctl.hpp"
#include "bsd-personality/kern/sleep.hpp"
#include "lwkt/slab.hpp"

namespace bsd {

namespace {

class FifoFile final : public File {
public:
    FifoFile(Vnode& vnode, FifoState*& state, std::uint32_t open_flags)
        : File(FileType::fifo, open_flags), vnode_(&vnode), state_(state) {}
    ~FifoFile() = default;

    SysResult<void> read(Lwp& lwp, Uio& uio, const std::int64_t* position) override {
        if (position)
            return Failure(Errno::espipe);
        return read_channel(lwp, *this, state_->channel, uio);
    }
    SysResult<void> write(Lwp& lwp, Uio& uio, const std::int64_t* position) override {
        if (position)
            return Failure(Errno::espipe);
        return write_channel(lwp, *this, state_->channel, uio);
    }
    SysResult<int> ioctl(Lwp&, std::uint64_t command, void* argument) override {
        if (command != fionread)
            return Failure(Errno::enotty);
        *static_cast<std::int32_t*>(argument) = static_cast<std::int32_t>(state_->channel.used());
        return 0;
    }
    SysResult<void> attributes(Lwp&, Attributes& out) override { return vnode_->attributes(out); }
    Readiness readiness(Direction direction) override { return state_->channel.readiness(direction); }
    EventSource* events(Direction direction) override {
        return direction == Direction::read ? &state_->channel.readers : &state_->channel.writers;
    }
    Vnode* vnode() override { return vnode_.get(); }

private:
    void destroy() override {
        FifoState& state = *state_;
        if (readable() && --state.readers == 0)
            state.channel.close_reader();
        if (writable() && --state.writers == 0)
            state.channel.close_writer();
        if (state.readers == 0 && state.writers == 0) {
            state_ = nullptr;
            lwkt::destroy(&state);
        }
        lwkt::destroy(this);
    }
    VnodeRef vnode_; // keeps the node, and with it state_'s place
    FifoState*& state_;
};

} // namespace

SysResult<FileRef> open_fifo(Lwp& lwp, Vnode& vnode, FifoState*& state, std::uint32_t flags) {
    bool reads = (flags & open_access_mask) != open_write_only;
    bool writes = (flags & open_access_mask) != open_read_only;
    if (writes && !reads && (flags & open_nonblock) && (!state || state->readers == 0))
        return Failure(Errno::enxio);
    if (!state && !(state = lwkt::construct<FifoState>()))
        return Failure(Errno::enomem);
    auto* made = lwkt::construct<FifoFile>(vnode, state, flags);
    if (!made) {
        if (state->readers == 0 && state->writers == 0) {
            lwkt::destroy(state);
            state = nullptr;
        }
        return Failure(Errno::enomem);
    }
    state->readers += reads;
    state->writers += writes;
    state->channel.reader_gone = state->readers == 0;
    // A reader that came first does not see an end of file before a writer has been there.
    if (state->writers != 0)
        state->channel.writer_gone = false;
    FileRef file = FileRef::adopt(made); // from here on an error closes it
    lwkt::wakeup(&state->readers);
    while (!(flags & open_nonblock) && (reads ? state->writers : state->readers) == 0)
        (void)TRY(interruptible_sleep(lwp, &state->readers, "fifoop"));
    return file;
}

} // namespace bsd
