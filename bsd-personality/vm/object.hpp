// SPDX-License-Identifier: BSD-2-Clause
// Memory objects: what is behind map entries and behind tmpfs files, so that mmap, read and write see one
// memory. A page of an object is, in this order: a page of its own; a page of the jail's image (the initial
// content of a file, used where it lies, read-only, until it is written to); the page of the backing object
// (copy-on-write); zeros. All objects of a chain use the same page index, so a shadow needs no offset.
//
// Guarded by the giant token; nothing here blocks. Exhaustion is ENOMEM.
#pragma once

#include "bsd-personality/kern/errno.hpp"
#include "bsd-personality/kern/list.hpp"
#include "bsd-personality/kern/ref.hpp"
#include "bsd-personality/vm/entry.hpp"
#include "bsd-personality/vm/page_tree.hpp"

namespace bsd {
/// What is to be told when an object or a VmSpace goes that has umtx_keys; set by who cares
/// (kern/umtx_shm.cpp).
inline void (*umtx_owner_gone)(const void* owner) = nullptr;
} // namespace bsd

namespace bsd::vm {

/// Where a page lies. `own`: in the object that was asked, so that it may be written to.
struct Frame {
    enum class Place : std::uint8_t { nowhere, beyond_end, own, backing, image };
    Place place = Place::nowhere;
    glue::Source source = glue::Source::ram;
    glue::RamOffset offset{};

    std::byte* pointer() const; // not for nowhere and beyond_end; read-only unless place is own
};

class Object {
public:
    /// Zero-filled memory without a size limit of its own. Null when memory is exhausted.
    static Ref<Object> create_anonymous();
    /// A file's content: `size` bytes, zeros until written to. Null when memory is exhausted.
    static Ref<Object> create_file(std::uint64_t size = 0);
    /// A file whose first `size` bytes lie in Ram::image() from `image_offset`, a multiple of the page size,
    /// and are followed there by zeros up to the end of their last page. Null when memory is exhausted.
    static Ref<Object> create_image(std::uint64_t image_offset, std::uint64_t size);

    void ref() { references_++; }
    void unref();
    std::uint32_t references() const { return references_; }

    // --- files
    // -------------------------------------------------------------------------------------------------
    /// Bytes, for files; anonymous objects have none (0).
    std::uint64_t size() const { return size_; }
    /// Sets a file's size. Pages beyond it go, also out of the processes that have mapped them; the rest of
    /// the last page becomes zeros. Errors: ENOMEM (the last page lies in the image and no copy could be
    /// made), EFBIG.
    SysResult<void> resize(std::uint64_t size);
    /// The page's bytes for reading; a page of zeros for holes. Valid until the next sleep. index < size in
    /// pages.
    const std::byte* page(std::uint64_t index);
    /// page() of a file, for several vCPUs at once (shared mode).
    const std::byte* peek(std::uint64_t index) const;
    /// The page's bytes for writing if it is the object's own, else null; for several vCPUs at once.
    std::byte* peek_own(std::uint64_t index) const;
    /// The page's bytes for writing; makes it the object's own first, zeroing it unless `whole` says that the
    /// caller writes all of it. Errors: ENOMEM.
    SysResult<std::byte*> page_for_write(std::uint64_t index, bool whole = false);
    /// Pages of its own (st_blocks counts them).
    std::uint64_t resident() const { return tree_.count() + image_pages_; }

    // --- mappings (vm/fault.cpp, vm/vmspace.cpp)
    // -----------------------------------------------------------------
    /// Looks through the chain; allocates nothing.
    Frame find(std::uint64_t index) const;
    /// A new shadow in front of `backing`, whose reference it takes over. Null when memory is exhausted; then
    /// the reference stays with the caller.
    static Object* create_shadow(Object* backing);
    /// A copy of this object's own pages in [first, end), over the same backing object. Null when memory is
    /// exhausted.
    Object* duplicate(std::uint64_t first, std::uint64_t end) const;
    /// Adds a page of its own; there must be none at the index. False when memory is exhausted.
    bool insert(std::uint64_t index, PageNumber page);
    /// The same for `count` pages that lie one after the other; returns how many went in.
    std::uint64_t insert_run(std::uint64_t index, PageNumber first, std::uint64_t count);
    /// find() would say `place` for all of [index, index + count).
    bool alike(std::uint64_t index, std::uint64_t count, Frame::Place place) const;
    /// Frees own pages in [first, end) without a look at mappings. For anonymous objects.
    void free_pages(std::uint64_t first, std::uint64_t end);
    /// Anonymous memory that only its one holder can see.
    bool exclusive() const { return references_ == 1 && !file_; }
    /// Anonymous memory that only entries of this space see, each page through one entry at most, none
    /// copy-on-write.
    bool private_to(const VmSpace& space) const;
    bool is_file() const { return file_; }
    const Object* backing() const { return backing_; }
    std::uint64_t own_pages() const { return tree_.count(); }
    /// The first own page at or behind `from`.
    bool next_own(std::uint64_t from, std::uint64_t& index) const { return tree_.next(from, index) != 0; }

    void attach(MapEntry& entry) { entries_.push_back(&entry); }
    void detach(MapEntry& entry) { entries_.remove(&entry); }
    /// Takes pages [first, end) out of all address spaces that may have mapped them through this object or a
    /// shadow of it, but for the entry `except`.
    void unmap_everywhere(std::uint64_t first, std::uint64_t end, const MapEntry* except = nullptr);
    /// Another entry than this one, or a shadow, could have mapped its pages.
    bool mapped_beside(const MapEntry& entry) const {
        return entries_.first() != &entry || entries_.last() != &entry || !shadows_.empty();
    }

    /// Somebody may write to it through a mapping that is there, or could after mprotect.
    bool has_writable_mapping() const;

    bool umtx_keys = false; // umtx_owner_gone wants to know of its end
    bool umtx_dead = false; // of a page that was a word's and is it no more

    Link<Object> shadow_link; // in backing()->shadows_

private:
    Object() = default;
    ~Object() = default;
    static Object* make();
    static void destroy(Object* object);
    void collapse_into_only_shadow();
    const Object* next_shadow(const Object* root) const;

    std::uint32_t references_ = 1; // entries, shadows and vnodes
    bool file_ = false;            // immutable: has a size
    bool has_image_ = false;       // immutable
    std::uint64_t size_ = 0;
    std::uint64_t image_offset_ = 0; // immutable; bytes
    std::uint64_t image_pages_ = 0;  // may shrink
    Object* backing_ = nullptr;      // holds a reference
    PageTree tree_;
    List<MapEntry, &MapEntry::in_object> entries_;
    List<Object, &Object::shadow_link> shadows_;
};

/// Objects and pages in them, for leak checks and sysctl vm.
struct ObjectCounts {
    std::uint64_t objects, pages;
};
ObjectCounts object_counts();

} // namespace bsd::vm
