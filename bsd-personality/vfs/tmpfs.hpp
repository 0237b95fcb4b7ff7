// SPDX-License-Identifier: BSD-2-Clause
// tmpfs: a file system in memory. The root of a jail is one, filled from the jail's image: names and link
// targets stay in the image, and so does the content of files until it is written to; a memory object is made
// when a file is first opened. All names of a mount lie in one hash table keyed by (directory, name):
// directory lookup and name cache are the same thing here. Under the giant token.
#pragma once

#include "bsd-personality/vfs/vnode.hpp"
#include "bsd-personality/vm/object.hpp"

namespace proto {
class ImageReader;
}

namespace bsd {

class TmpfsNode;

/// A name in a directory.
struct TmpfsEntry {
    Link<TmpfsEntry> in_directory; // ascending by cookie
    TmpfsEntry* next_in_bucket = nullptr;
    TmpfsNode* directory = nullptr;
    TmpfsNode* node = nullptr;
    Text name; // in the image, or behind this structure
    std::uint32_t hash = 0;
    std::uint32_t own_bytes = 0; // of the name, when behind this structure
    std::int64_t cookie = 0;     // position for getdirentries; larger for later entries
};

class Tmpfs {
public:
    /// An empty file system with a root directory. Null when memory is exhausted.
    static Tmpfs* create(const char* mounted_on, std::uint32_t expected_names = 1024);
    /// Frees everything; nobody may hold a vnode of it any more.
    static void destroy(Tmpfs* mount);
    TmpfsNode& root() { return *root_; }

    /// Enters everything of an image. Errors: ENOMEM, EINVAL (an entry that cannot be). Names and contents
    /// stay where the image lies, which must be for good.
    SysResult<void> fill(const proto::ImageReader& image);

    TmpfsEntry* find(const TmpfsNode& directory, Text name) const;
    /// Enters a name; `copy` unless its bytes live for good. Null when memory is exhausted.
    TmpfsEntry* insert(TmpfsNode& directory, TmpfsNode& node, Text name, bool copy);
    void erase(TmpfsEntry& entry);

    std::uint64_t next_inode = 2;
    std::uint64_t nodes = 0;
    const char* mounted_on = "/";
    std::uint32_t device = 0; // st_dev

private:
    static std::uint32_t key(const TmpfsNode& directory, std::uint32_t name_hash);
    void grow();
    TmpfsEntry** buckets_ = nullptr;
    std::uint32_t bucket_count_ = 0, used_ = 0; // a power of two; entries
    TmpfsNode* root_ = nullptr;
};

class TmpfsNode final : public Vnode {
public:
    /// `link_count` names will refer to it. Null when memory is exhausted.
    static TmpfsNode* create(Tmpfs& mount, VnodeType type, std::uint16_t mode, std::uint32_t uid,
                             std::uint32_t gid);
    TmpfsNode(Tmpfs& mount, VnodeType kind) : Vnode(kind), mount_(mount), inode_(mount.next_inode++) {
        mount.nodes++;
    }
    ~TmpfsNode();
    Tmpfs& mount() { return mount_; }
    const void* mount_identity() const override { return &mount_; }

    SysResult<void> attributes(Attributes& out) override;
    SysResult<void> change(const AttributeChange& change) override;
    SysResult<VnodeRef> lookup(Text name) override;
    SysResult<VnodeRef> create(Text name, VnodeType kind, std::uint16_t mode, const Ucred& owner,
                               Text target) override;
    SysResult<void> link(Text name, Vnode& existing) override;
    SysResult<void> remove(Text name, bool directory) override;
    SysResult<void> rename(Text name, Vnode& to_directory, Text to_name) override;
    SysResult<void> read_directory(std::int64_t from, DirectoryConsumer& consumer) override;
    VnodeRef parent() override;
    Text name() override { return self_ ? self_->name : Text(); }
    SysResult<Text> target() override;
    SysResult<void> read(Lwp& lwp, Uio& uio, std::int64_t offset, std::uint32_t flags) override;
    SysResult<void> write(Lwp& lwp, Uio& uio, std::int64_t offset, std::uint32_t flags) override;
    SysResult<void> truncate(std::int64_t length) override;
    SysResult<void> read_shared(Uio& uio, std::int64_t offset) override;
    SysResult<void> write_shared(Uio& uio, std::int64_t offset) override;
    SysResult<void> attributes_shared(Attributes& out) override;
    std::int64_t size() override;
    SysResult<vm::Object*> object() override;
    SysResult<FileRef> open(Lwp& lwp, std::uint32_t flags) override;
    void file_system(FileSystemInformation& out) override;

private:
    friend class Tmpfs;
    void inactive() override;
    void drop_link();
    void free_if_unused();
    bool is_empty() const { return entries_.empty(); }
    bool is_below(const TmpfsNode& other) const;
    void touch(std::uint64_t& stamp);
    void settle(FileTime& time, std::uint64_t& stamp);
    void changed(std::uint32_t note);

    Tmpfs& mount_;
    const std::uint64_t inode_;
    std::uint16_t mode_ = 0;
    std::uint32_t links_ = 0, uid_ = 0, gid_ = 0, flags_ = 0;
    FileTime access_, modify_, change_, birth_;
    Claimable times_; // the times above
    // Ticks of what happened since the times above were brought up to date; 0: nothing. Converted when asked
    // for. atomic: readers and writers in shared mode set them.
    std::uint64_t access_stamp_ = 0, modify_stamp_ = 0, change_stamp_ = 0;
    // Regular files: content; made from the image's bytes when first needed.
    Ref<vm::Object> object_;
    std::uint64_t image_offset_ = 0, image_size_ = 0;
    // Directories.
    List<TmpfsEntry, &TmpfsEntry::in_directory> entries_;
    TmpfsEntry* self_ = nullptr;   // this directory's name in its parent; null for the root and when removed
    std::int64_t next_cookie_ = 2; // 0 and 1 are "." and ".."
    TmpfsEntry* hint_ = nullptr;   // where the last read_directory stopped
    // Symbolic links.
    Text target_;
    std::uint32_t own_target_bytes_ = 0; // 0: lies in the image
    // FIFOs: while one is open.
    struct FifoState* fifo_ = nullptr;
};

} // namespace bsd
