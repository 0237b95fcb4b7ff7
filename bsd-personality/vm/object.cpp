// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/vm/object.hpp"

#include <cstring>

#include "bsd-personality/kern/text.hpp"
#include "bsd-personality/vm/vmspace.hpp"

namespace bsd::vm {
namespace {

constexpr std::uint64_t max_file_size = std::uint64_t{1} << 50;
constexpr std::uint64_t longest_copied_run = 64; // pages that duplicate() asks for at once

alignas(page_size) constinit const std::byte zero_page[page_size] = {};
constinit ObjectCounts counts{};

std::uint64_t pages_of(std::uint64_t bytes) {
    return round_up(bytes) >> page_shift;
}

} // namespace

ObjectCounts object_counts() {
    return counts;
}

std::byte* Frame::pointer() const {
    if (source == glue::Source::image)
        return const_cast<std::byte*>(glue::Ram::image().data()) + offset.value;
    return glue::Ram::pointer(offset);
}

Object* Object::make() {
    void* memory = lwkt::allocate(sizeof(Object));
    if (memory == nullptr)
        return nullptr;
    counts.objects++;
    return new (memory) Object;
}

Ref<Object> Object::create_anonymous() {
    return Ref<Object>::adopt(make());
}

Ref<Object> Object::create_file(std::uint64_t size) {
    Object* object = make();
    if (object != nullptr) {
        object->file_ = true;
        object->size_ = size;
    }
    return Ref<Object>::adopt(object);
}

Ref<Object> Object::create_image(std::uint64_t image_offset, std::uint64_t size) {
    auto object = create_file(size);
    std::uint64_t image_size = glue::Ram::image().size();
    if (object && (image_offset & page_mask) == 0 && image_offset < image_size) {
        object->image_offset_ = image_offset;
        object->image_pages_ = least(pages_of(size), (image_size - image_offset) >> page_shift);
    }
    return object;
}

Object* Object::create_shadow(Object* backing) {
    Object* object = make();
    if (object != nullptr) {
        object->backing_ = backing;
        backing->shadows_.push_back(object);
    }
    return object;
}

// What lies one after the other does so in the copy, too, so that it can be mapped as one.
Object* Object::duplicate(std::uint64_t first, std::uint64_t end) const {
    Object* copy = backing_ != nullptr ? create_shadow(backing_) : make();
    if (copy == nullptr)
        return nullptr;
    if (backing_ != nullptr)
        backing_->references_++;
    std::uint64_t index = 0;
    for (std::uint64_t from = first; tree_.next(from, index) != 0 && index < end;) {
        std::uint64_t count = 1;
        while (index + count < end && count < longest_copied_run && tree_.find(index + count) != 0)
            count++;
        unsigned order = count == 1 ? 0 : 64 - static_cast<unsigned>(__builtin_clzll(count - 1));
        PageNumber page = pages_allocate(order, Urgency::user);
        if (page != 0)
            pages_free_run(static_cast<PageNumber>(page + count), (std::uint64_t{1} << order) - count);
        else if ((page = page_allocate(Urgency::user)) != 0)
            count = 1;
        std::uint64_t done = page != 0 ? copy->insert_run(index, page, count) : 0;
        for (std::uint64_t i = 0; i < done; i++)
            page_copy(static_cast<PageNumber>(page + i), page_pointer(tree_.find(index + i)));
        if (done != count || page == 0) {
            if (page != 0)
                pages_free_run(static_cast<PageNumber>(page + done), count - done);
            copy->unref();
            return nullptr;
        }
        from = index + count;
    }
    return copy;
}

void Object::unref() {
    verify(references_ != 0);
    if (--references_ == 0)
        destroy(this);
    else if (references_ == 1 && !file_ && !shadows_.empty())
        collapse_into_only_shadow();
}

// Walks down the chain as long as the object below loses its last reference too; chains can be long.
void Object::destroy(Object* object) {
    while (object != nullptr) {
        verify(object->entries_.empty() && object->shadows_.empty());
        if (object->umtx_keys)
            umtx_owner_gone(object);
        object->free_pages(0, ~std::uint64_t{0});
        Object* below = object->backing_;
        if (below != nullptr) {
            below->shadows_.remove(object);
            if (--below->references_ != 0) {
                if (below->references_ == 1 && !below->file_ && !below->shadows_.empty())
                    below->collapse_into_only_shadow();
                below = nullptr;
            }
        }
        object->~Object();
        lwkt::release(object, sizeof(Object));
        counts.objects--;
        object = below;
    }
}

// The only holder is one shadow: both become one object. Whichever has fewer pages gives them to the other.
// Nobody else sees this object, so a collapse that stops half way (a tree node could not be had) leaves a
// chain that is as good as before; it is then tried again when a reference goes.
void Object::collapse_into_only_shadow() {
    Object& shadow = *shadows_.first();
    std::uint64_t index = 0;
    if (shadow.tree_.count() < tree_.count()) {
        while (PageNumber page = shadow.tree_.next(index, index)) {
            PageNumber old = tree_.find(index);
            if (old != 0)
                tree_.replace(index, page);
            else if (!tree_.insert(index, page))
                return shadow.unmap_everywhere(0, ~std::uint64_t{0}); // what moved is writable nowhere
            shadow.tree_.remove(index);
            if (old != 0) {
                page_free(old);
                counts.pages--;
            }
        }
        tree_.swap(shadow.tree_);
    } else {
        while (PageNumber page = tree_.next(index, index)) {
            if (shadow.tree_.find(index) != 0) {
                page_free(page);
                counts.pages--;
            } else if (!shadow.tree_.insert(index, page)) {
                return;
            }
            tree_.remove(index);
        }
    }
    // The shadow takes this object's place, and its reference, in front of what is below.
    shadows_.remove(&shadow);
    shadow.backing_ = backing_;
    if (backing_ != nullptr) {
        backing_->shadows_.remove(this);
        backing_->shadows_.push_back(&shadow);
    }
    verify(entries_.empty() && shadows_.empty());
    if (umtx_keys)
        umtx_owner_gone(this);
    this->~Object();
    lwkt::release(this, sizeof(Object));
    counts.objects--;
}

Frame Object::find(std::uint64_t index) const {
    for (const Object* object = this; object != nullptr; object = object->backing_) {
        if (PageNumber page = object->tree_.find(index); page != 0)
            return {object == this ? Frame::Place::own : Frame::Place::backing, glue::Source::ram,
                    page_offset(page)};
        if (index < object->image_pages_)
            return {Frame::Place::image, glue::Source::image,
                    glue::RamOffset{object->image_offset_ + (index << page_shift)}};
        if (object->file_ && index >= pages_of(object->size_))
            return {Frame::Place::beyond_end, {}, {}};
    }
    return {};
}

bool Object::insert(std::uint64_t index, PageNumber page) {
    if (!tree_.insert(index, page))
        return false;
    counts.pages++;
    return true;
}

std::uint64_t Object::insert_run(std::uint64_t index, PageNumber first, std::uint64_t count) {
    std::uint64_t done = tree_.insert_run(index, first, count);
    counts.pages += done;
    return done;
}

bool Object::alike(std::uint64_t index, std::uint64_t count, Frame::Place place) const {
    if (place == Frame::Place::nowhere && backing_ == nullptr && !file_) {
        std::uint64_t at = 0;
        return tree_.next(index, at) == 0 || at >= index + count;
    }
    for (std::uint64_t i = 0; i < count; i++)
        if (find(index + i).place != place)
            return false;
    return true;
}

void Object::free_pages(std::uint64_t first, std::uint64_t end) {
    PageBatch batch;
    tree_.take_range(first, end, batch);
    counts.pages -= batch.count();
}

SysResult<void> Object::resize(std::uint64_t size) {
    if (size > max_file_size)
        return Failure(Errno::efbig);
    std::uint64_t cut = least(size, size_); // bytes from here to the end of its page become zeros
    if ((cut & page_mask) != 0) {
        std::uint64_t last = cut >> page_shift;
        Frame frame = find(last);
        // The image has zeros behind the end of the file, so only a cut inside its data needs a copy.
        if (frame.place == Frame::Place::own || (frame.place == Frame::Place::image && size < size_)) {
            std::byte* page = TRY(page_for_write(last));
            std::memset(page + (cut & page_mask), 0, page_size - (cut & page_mask));
        }
    }
    std::uint64_t pages = pages_of(size), old_pages = pages_of(size_);
    size_ = size;
    if (pages < old_pages) {
        image_pages_ = least(image_pages_, pages);
        unmap_everywhere(pages, old_pages);
        free_pages(pages, ~std::uint64_t{0});
    }
    return {};
}

const std::byte* Object::page(std::uint64_t index) {
    Frame frame = find(index);
    bool present = frame.place != Frame::Place::nowhere && frame.place != Frame::Place::beyond_end;
    return present ? frame.pointer() : zero_page;
}

std::byte* Object::peek_own(std::uint64_t index) const {
    PageNumber page = tree_.peek(index);
    return page != 0 ? page_pointer(page) : nullptr;
}

const std::byte* Object::peek(std::uint64_t index) const {
    if (const std::byte* own = peek_own(index))
        return own;
    if (index >= image_pages_)
        return zero_page;
    glue::RamOffset offset{image_offset_ + (index << page_shift)};
    return Frame{Frame::Place::image, glue::Source::image, offset}.pointer();
}

SysResult<std::byte*> Object::page_for_write(std::uint64_t index, bool whole) {
    Frame frame = find(index);
    if (frame.place == Frame::Place::own)
        return frame.pointer();
    PageNumber page = page_allocate(Urgency::user);
    if (page == 0)
        return Failure(Errno::enomem);
    bool present = frame.place == Frame::Place::image || frame.place == Frame::Place::backing;
    if (present && !whole)
        page_copy(page, frame.pointer());
    else if (!whole)
        page_zero(page);
    if (!insert(index, page)) {
        page_free(page);
        return Failure(Errno::enomem);
    }
    if (present)
        unmap_everywhere(index, index + 1);
    return page_pointer(page);
}

bool Object::private_to(const VmSpace& space) const {
    if (file_ || !shadows_.empty())
        return false;
    std::uint32_t count = 0;
    for (const MapEntry* entry = entries_.first(); entry != nullptr; entry = entries_.next(entry)) {
        if (entry->space != &space || entry->needs_copy || entry->shared)
            return false;
        count++;
    }
    return count == references_;
}

// Pre-order walk over the shadows below `root` without recursion: chains can be long.
const Object* Object::next_shadow(const Object* root) const {
    if (const Object* child = shadows_.first(); child != nullptr)
        return child;
    const Object* at = this;
    while (at != root) {
        if (const Object* sibling = at->shadow_link.next; sibling != nullptr)
            return sibling;
        at = at->backing_;
    }
    return nullptr;
}

bool Object::has_writable_mapping() const {
    for (const MapEntry* entry = entries_.first(); entry != nullptr; entry = entries_.next(entry))
        if (entry->shared && (entry->max_protection & protection_write) != 0)
            return true;
    return false;
}

void Object::unmap_everywhere(std::uint64_t first, std::uint64_t end, const MapEntry* except) {
    for (const Object* object = this; object != nullptr; object = object->next_shadow(this)) {
        for (MapEntry* entry = object->entries_.first(); entry != nullptr;
             entry = object->entries_.next(entry)) {
            if (entry == except || end <= entry->index || first >= entry->index + entry->pages())
                continue;
            std::uint64_t from = most(first, entry->index), to = least(end, entry->index + entry->pages());
            entry->space->forget(*entry, entry->start + ((from - entry->index) << page_shift),
                                 entry->start + ((to - entry->index) << page_shift));
        }
    }
}

} // namespace bsd::vm
