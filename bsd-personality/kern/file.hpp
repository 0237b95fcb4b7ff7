// SPDX-License-Identifier: BSD-2-Clause
// Open files and descriptor tables. A File is what open(2), pipe(2), kqueue(2) and socketpair(2) make;
// descriptors of several processes can share it. A FileTable maps the descriptors of a process (or of several
// after rfork) to files. Both are guarded by the giant token. A call that may block holds a FileRef of its
// own, since another thread can close the descriptor in between.
#pragma once

#include "bsd-personality/kern/event.hpp"
#include "bsd-personality/kern/giant.hpp"
#include "bsd-personality/kern/ref.hpp"
#include "bsd-personality/kern/uio.hpp"

namespace bsd {

struct Lwp;
struct Proc;
struct Attributes;
class Kqueue;
class Socket;
class Vnode;

struct MapRequest;

namespace vm {
class Object;
}

/// Flags of open files, with FreeBSD's O_ numbers; DragonFly's are translated where calls enter.
enum OpenFlag : std::uint32_t {
    open_read_only = 0,
    open_write_only = 1,
    open_read_write = 2,
    open_access_mask = 3,
    open_nonblock = 4,
    open_append = 8,
    open_shared_lock = 0x10,
    open_exclusive_lock = 0x20,
    open_async = 0x40,
    open_sync = 0x80,
    open_no_follow = 0x100,
    open_create = 0x200,
    open_truncate = 0x400,
    open_exclusive = 0x800,
    open_no_ctty = 0x8000,
    open_direct = 0x1'0000,
    open_directory = 0x2'0000,
    open_exec = 0x4'0000,
    open_close_on_exec = 0x10'0000,
    open_path_only = 0x40'0000,
    open_no_sigpipe = 0x8000'0000, // of a socket: SO_NOSIGPIPE
};

/// Numbers of FreeBSD's DTYPE_; kern.file and F_KINFO show them.
enum class FileType : std::uint8_t {
    vnode = 1,
    socket = 2,
    pipe = 3,
    fifo = 4,
    kqueue = 5,
    shared_memory = 8,
    device = 11,
    process_descriptor = 12,
    timer = 14,
};

enum class Direction : std::uint8_t { read, write };

class File {
public:
    File(FileType kind, std::uint32_t open_flags) : type(kind), flags(open_flags) {}
    File(const File&) = delete;
    File& operator=(const File&) = delete;

    void ref() { references_++; }
    /// The last one closes the file: close() and then its memory is gone.
    void unref() {
        if (--references_ == 0)
            destroy();
    }
    std::uint32_t references() const { return references_; }
    bool readable() const {
        return (flags & open_access_mask) != open_write_only && !(flags & open_path_only);
    }
    bool writable() const {
        return (flags & open_access_mask) != open_read_only && !(flags & open_path_only);
    }
    bool nonblocking() const { return (flags & open_nonblock) != 0; }

    /// Moves bytes; the count moved is what the Uio says afterwards. `position` null: at the file's own
    /// offset, which advances. Blocks (interruptibly) unless nonblocking(). Errors: EAGAIN, EINTR/ERESTART,
    /// EFAULT, EPIPE (the caller posts SIGPIPE), EISDIR, ESPIPE (position on something that has none),
    /// ENOSPC, EFBIG.
    virtual SysResult<void> read(Lwp& lwp, Uio& uio, const std::int64_t* position);
    virtual SysResult<void> write(Lwp& lwp, Uio& uio, const std::int64_t* position);
    /// whence 0, 1, 2 (and 3 data, 4 hole). Errors: ESPIPE, EINVAL.
    virtual SysResult<std::int64_t> seek(Lwp& lwp, std::int64_t offset, int whence);
    /// `argument` is a kernel copy of at most 128 bytes for commands that carry one. Errors: ENOTTY.
    virtual SysResult<int> ioctl(Lwp& lwp, std::uint64_t command, void* argument);
    virtual SysResult<void> attributes(Lwp& lwp, Attributes& out);
    virtual SysResult<void> truncate(Lwp& lwp, std::int64_t length);
    // In shared mode (giant.hpp), with a borrowed file: the same without an effect, or all of it. eexclusive.
    virtual SysResult<void> read_shared(Lwp& lwp, Uio& uio, const std::int64_t* position);
    virtual SysResult<void> write_shared(Lwp& lwp, Uio& uio, const std::int64_t* position);
    virtual SysResult<std::int64_t> seek_shared(Lwp& lwp, std::int64_t offset, int whence);
    virtual SysResult<void> attributes_shared(Lwp& lwp, Attributes& out);
    /// What poll, select and kevent ask. The default is always ready.
    virtual Readiness readiness(Direction direction);
    /// Where changes of readiness are announced; null: never changes.
    virtual EventSource* events(Direction direction);
    /// Null unless it is a vnode's file.
    virtual Vnode* vnode() { return nullptr; }
    /// Null unless it is a socket.
    virtual Socket* socket() { return nullptr; }
    /// The object behind mmap; null: memory of the mapper's own. Errors: ENODEV (cannot be mapped), ENOMEM.
    /// Borrowed from the file.
    virtual SysResult<vm::Object*> mapping(Lwp& lwp);
    /// Takes from a mapping the rights that this file does not give; asked before mapping(). Errors: EACCES.
    virtual SysResult<void> restrict_mapping(MapRequest&) { return {}; }
    /// What fchmod and fchown are about.
    virtual Vnode* owned_node() { return vnode(); }
    /// Whether descriptors of it are inherited by fork.
    virtual bool inheritable() const { return type != FileType::kqueue; }

    const FileType type;
    std::uint32_t flags;          // OpenFlag; fcntl changes some
    std::int64_t offset = 0;      // of vnodes
    std::uint32_t owner_pgrp = 0; // F_SETOWN

protected:
    ~File() = default;
    /// Releases what the file holds and its memory.
    virtual void destroy() = 0;

private:
    std::uint32_t references_ = 1;
};
using FileRef = Ref<File>;

struct Descriptor {
    File* file = nullptr; // holds a reference
    bool close_on_exec = false;
};

class FileTable {
public:
    static constexpr int limit = 4096; // no process has more, whatever its resource limit says

    /// An empty table. Null when there is no memory.
    static FileTable* create();
    /// What fork gives the child: all descriptors that are inheritable(). Null when there is no memory.
    FileTable* copy() const;
    /// Sharing (rfork without RFFDG, threads): counted. The last unref closes everything.
    void ref() { references_++; }
    void unref();
    std::uint32_t references() const { return references_; }

    /// Borrowed; null when the descriptor is not open. Any sleep invalidates it.
    File* get(int fd) const {
        return static_cast<unsigned>(fd) < static_cast<unsigned>(size_) ? slots_[fd].file : nullptr;
    }
    /// EBADF when it is not open.
    SysResult<File*> find(int fd) const;
    /// The lowest free descriptor at or above `from` gets `file` (the table takes over the caller's reference
    /// only on success). Errors: EMFILE, ENOMEM.
    SysResult<int> install(FileRef file, bool close_on_exec, int from = 0);
    /// dup2: what was at `to` is closed. Errors: EBADF, ENOMEM.
    SysResult<int> duplicate(int from, int to, bool close_on_exec);
    /// Errors: EBADF.
    SysResult<void> close(int fd);
    void close_range(unsigned low, unsigned high);
    void set_close_on_exec_range(unsigned low, unsigned high);
    /// At exec.
    void close_on_exec();
    Descriptor* slot(int fd) { return get(fd) ? &slots_[fd] : nullptr; }
    /// One more than the highest open descriptor.
    int end() const { return used_; }
    int open_count() const;
    /// Whether `descriptors` more could be installed.
    bool has_room(std::uint32_t descriptors) const {
        const auto most = static_cast<std::int64_t>(maximum_);
        return used_ + std::int64_t{descriptors} <= most ||
               open_count() + std::int64_t{descriptors} <= most || descriptors == 0;
    }
    void set_limit(int descriptors) { maximum_ = descriptors; }

    Kqueue* kqueues = nullptr; // all that were made through this table; they watch its descriptors

private:
    SysResult<void> grow(int descriptors);
    void clear(int fd);

    Descriptor* slots_ = nullptr;
    int size_ = 0;       // of slots_
    int used_ = 0;       // one above the highest open one
    int first_free_ = 0; // nothing below is free
    int maximum_ = limit;
    std::uint32_t references_ = 1;
};

} // namespace bsd
