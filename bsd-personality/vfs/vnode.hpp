// SPDX-License-Identifier: BSD-2-Clause
// Vnodes: files, directories, links and devices of all file systems, with the operations on them. Counted
// references, guarded by the giant token. Names passed to operations are single path components that namei
// has checked (1 to 255 bytes, no '/', neither "." nor "..").
#pragma once

#include "bsd-personality/kern/event.hpp"
#include "bsd-personality/kern/file.hpp"

namespace bsd {

struct Ucred;
class Vnode;
using VnodeRef = Ref<Vnode>;

/// Numbers of BSD's vtype; type_bits() gives the S_IF bits, directory_type() dirent's DT_.
enum class VnodeType : std::uint8_t { none, regular, directory, block, character, symlink, socket, fifo };
constexpr std::uint16_t type_bits(VnodeType type) {
    constexpr std::uint16_t bits[] = {0, 0x8000, 0x4000, 0x6000, 0x2000, 0xa000, 0xc000, 0x1000};
    return bits[static_cast<unsigned>(type)];
}
constexpr std::uint8_t directory_type(VnodeType type) {
    return static_cast<std::uint8_t>(type_bits(type) >> 12);
}

struct FileTime {
    std::int64_t seconds = 0;
    std::int64_t nanoseconds = 0;
};

/// What stat(2) shows, before an ABI's layout.
struct Attributes {
    std::uint64_t device = 0, inode = 0;
    VnodeType type = VnodeType::none;
    std::uint16_t mode = 0; // permission bits, 07777
    std::uint32_t links = 1;
    std::uint32_t uid = 0, gid = 0;
    std::uint64_t special = 0; // st_rdev
    FileTime access, modify, change, birth;
    std::int64_t size = 0;
    std::int64_t blocks = 0; // of 512 bytes
    std::int32_t block_size = 4096;
    std::uint32_t flags = 0;
    std::uint64_t generation = 0;
};

/// What chmod, chown, utimes, chflags and truncate change: fields whose bit is set.
struct AttributeChange {
    enum Field : unsigned {
        mode_field = 1,
        owner_field = 2,
        group_field = 4,
        access_field = 8,
        modify_field = 16,
        flags_field = 32
    };
    unsigned fields = 0;
    std::uint16_t mode = 0;
    std::uint32_t uid = 0, gid = 0;
    FileTime access, modify;
    std::uint32_t flags = 0;
};

/// One name of a directory, as readdir hands it to its consumer.
struct DirectoryEntry {
    std::uint64_t inode;
    VnodeType type;
    Text name;
    std::int64_t next; // offset of what follows
};
/// Returns false when it has no room: that entry will come again.
struct DirectoryConsumer {
    virtual bool take(const DirectoryEntry& entry) = 0;

protected:
    ~DirectoryConsumer() = default;
};

struct FileSystemInformation {
    const char* type_name;
    const char* mounted_from;
    const char* mounted_on;
    std::uint32_t type;
    std::uint64_t blocks, free_blocks, files, free_files; // of 4096 bytes
    std::uint64_t identity;
    bool read_only;
};

/// Permission to ask for, as access(2).
enum Permission : unsigned { may_exec = 1, may_write = 2, may_read = 4 };

class Vnode {
public:
    explicit constexpr Vnode(VnodeType kind) : type(kind) {}
    Vnode(const Vnode&) = delete;
    Vnode& operator=(const Vnode&) = delete;
    void ref() { references_++; }
    void unref() {
        if (--references_ == 0)
            inactive();
    }

    virtual SysResult<void> attributes(Attributes& out) = 0;
    virtual SysResult<void> change(const AttributeChange& change);

    // Directories. Errors: ENOTDIR on anything else, ENOENT, EEXIST, ENOTEMPTY, EROFS, ENOSPC.
    virtual SysResult<VnodeRef> lookup(Text name);
    virtual SysResult<VnodeRef> create(Text name, VnodeType kind, std::uint16_t mode, const Ucred& owner,
                                       Text target = {});
    virtual SysResult<void> link(Text name, Vnode& existing);
    virtual SysResult<void> remove(Text name, bool directory);
    /// Within one file system (EXDEV otherwise); what `to_name` names is replaced.
    virtual SysResult<void> rename(Text name, Vnode& to_directory, Text to_name);
    /// Offers entries from offset `from` on; "." and ".." come first.
    virtual SysResult<void> read_directory(std::int64_t from, DirectoryConsumer& consumer);
    /// The directory above; itself for the root of a file system.
    virtual VnodeRef parent();
    /// How a directory is called in its parent; empty when unknown or removed.
    virtual Text name() { return {}; }

    /// Target of a symbolic link; valid as long as the vnode lives. EINVAL otherwise.
    virtual SysResult<Text> target();

    // Regular files and devices. `offset` is not negative.
    virtual SysResult<void> read(Lwp& lwp, Uio& uio, std::int64_t offset, std::uint32_t flags);
    virtual SysResult<void> write(Lwp& lwp, Uio& uio, std::int64_t offset, std::uint32_t flags);
    virtual SysResult<void> truncate(std::int64_t length);
    // In shared mode: the same without an effect, or all of it. eexclusive.
    virtual SysResult<void> read_shared(Uio& uio, std::int64_t offset);
    virtual SysResult<void> write_shared(Uio& uio, std::int64_t offset);
    virtual SysResult<void> attributes_shared(Attributes& out);
    virtual std::int64_t size() { return 0; }
    /// Content as pages, for mmap and exec. ENODEV when it has none.
    virtual SysResult<vm::Object*> object();
    /// Makes the open file; permission has been checked. The default is a plain vnode file.
    virtual SysResult<FileRef> open(Lwp& lwp, std::uint32_t flags);
    virtual SysResult<int> ioctl(Lwp& lwp, std::uint64_t command, void* argument);
    /// revoke(2). EOPNOTSUPP: only terminals can be taken from those who have them open.
    virtual SysResult<void> revoke();
    virtual Readiness readiness(Direction direction);
    virtual EventSource* events(Direction direction);

    virtual void file_system(FileSystemInformation& out) = 0;
    /// Of which mount this is a node, for those that hold trees: an open file's attributes do not tell that
    /// of a node that stands for it (/dev/fd).
    virtual const void* mount_identity() const { return nullptr; }

    const VnodeType type;
    Vnode* mounted =
        nullptr; // root of a file system on top of this directory; mounts last as long as the jail
    Vnode* covers = nullptr;             // of such a root: the directory below it
    EventSource* vnode_events = nullptr; // EVFILT_VNODE; made when first asked for
    struct FileLocks* locks = nullptr;   // advisory locks; made when first asked for
    Socket* bound_socket = nullptr;      // of type socket: who is bound here; cleared by its end

protected:
    ~Vnode() = default;
    /// The last reference is gone: file systems that keep nodes return here with their own count.
    virtual void inactive() = 0;
    std::uint32_t references_ = 1;
};

/// EACCES unless `cred` has all of `permission` (bits of Permission); the superuser passes as in BSD.
SysResult<void> check_permission(Vnode& vnode, const Ucred& cred, unsigned permission);

} // namespace bsd
