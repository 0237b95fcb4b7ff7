// SPDX-License-Identifier: BSD-2-Clause
// POSIX shared memory of FreeBSD: objects with or without a name, which descriptors read, write, size and
// map. DragonFly's library uses files for it. Names are the jail's. Under giant.
#pragma once

#include "bsd-personality/kern/owned_text.hpp"
#include "bsd-personality/vfs/vnode.hpp"
#include "bsd-personality/vm/object.hpp"

namespace bsd {

/// Flags of shm_open2(2); memory that cannot be sealed has seal_seal from the beginning.
enum SharedMemoryFlag : std::uint32_t { shm_allow_sealing = 1, shm_grow_on_write = 2, shm_large_page = 4 };
enum SharedMemorySeal : std::uint32_t { seal_seal = 1, seal_shrink = 2, seal_grow = 4, seal_write = 8 };

/// A node of no file system: attributes and content as files have them.
class SharedMemory final : public Vnode {
public:
    /// Empty. Errors: ENOMEM.
    static SysResult<Ref<SharedMemory>> create(const Ucred& owner, std::uint16_t mode, std::uint32_t flags);
    SharedMemory() : Vnode(VnodeType::regular) {}
    ~SharedMemory() = default;

    /// The named object; null if there is none.
    static SharedMemory* find(Text name);
    /// Any that has a name; null if none has.
    static SharedMemory* first_named() { return all_named.first(); }
    /// Enters it under a name that nobody has. Errors: ENOMEM.
    SysResult<void> insert(Text name);
    /// Its name goes, and with the last descriptor and mapping the object. It may be the last reference.
    void erase();
    /// The objects of two names exchange them.
    static void exchange(SharedMemory& one, SharedMemory& other);
    /// This object, which has a name, takes another that nobody has. Errors: ENOMEM.
    SysResult<void> set_name(Text name);

    std::uint32_t seals() const { return seals_; }
    /// Errors: EPERM (sealed against it), EBUSY (seal_write, and somebody may write through a mapping).
    SysResult<void> add_seals(std::uint32_t seals);
    /// For who opens it once more and does not ask for seals.
    void forbid_seals() { seals_ |= seal_seal; }
    std::uint32_t flags() const { return flags_; }

    SysResult<void> attributes(Attributes& out) override;
    SysResult<void> change(const AttributeChange& change) override;
    SysResult<void> read(Lwp& lwp, Uio& uio, std::int64_t offset, std::uint32_t flags) override;
    /// Beyond the end only if it grows; else as much as there is room for.
    SysResult<void> write(Lwp& lwp, Uio& uio, std::int64_t offset, std::uint32_t flags) override;
    SysResult<void> truncate(std::int64_t length) override;
    std::int64_t size() override { return static_cast<std::int64_t>(object_->size()); }
    SysResult<vm::Object*> object() override { return object_.get(); }
    vm::Object& content() { return *object_; }
    void file_system(FileSystemInformation& out) override;

private:
    void inactive() override;

    Ref<vm::Object> object_;
    std::uint64_t inode_ = 0;
    std::uint16_t mode_ = 0;
    std::uint32_t uid_ = 0, gid_ = 0, seals_ = 0;
    std::uint32_t flags_ = 0;
    std::uint64_t access_ = 0, modify_ = 0, change_ = 0, birth_ = 0; // wall clock, nanoseconds
    OwnedText name_;                                                 // while it is in the list
    Link<SharedMemory> named_;

    static List<SharedMemory, &SharedMemory::named_> all_named;
};

class SharedMemoryFile final : public File {
public:
    /// `flags`: open_read_only or open_read_write. Errors: ENOMEM.
    static SysResult<FileRef> create(Ref<SharedMemory> memory, std::uint32_t flags);
    SharedMemoryFile(Ref<SharedMemory> memory, std::uint32_t open_flags)
        : File(FileType::shared_memory, open_flags), memory_(static_cast<Ref<SharedMemory>&&>(memory)) {}
    ~SharedMemoryFile() = default;
    SharedMemory& memory() { return *memory_; }

    SysResult<void> read(Lwp& lwp, Uio& uio, const std::int64_t* position) override;
    SysResult<void> write(Lwp& lwp, Uio& uio, const std::int64_t* position) override;
    SysResult<std::int64_t> seek(Lwp& lwp, std::int64_t offset, int whence) override;
    SysResult<void> attributes(Lwp&, Attributes& out) override { return memory_->attributes(out); }
    SysResult<void> truncate(Lwp&, std::int64_t length) override { return memory_->truncate(length); }
    SysResult<vm::Object*> mapping(Lwp&) override { return memory_->object(); }
    SysResult<void> restrict_mapping(MapRequest& request) override;
    Vnode* owned_node() override { return memory_.get(); }

private:
    void destroy() override;
    Ref<SharedMemory> memory_;
};

} // namespace bsd
