// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/shm.hpp"

#include "bsd-personality/kern/proc.hpp"
#include "bsd-personality/vm/vmspace.hpp"
#include "lwkt/slab.hpp"

#include <cstring>

namespace bsd {

constinit List<SharedMemory, &SharedMemory::named_> SharedMemory::all_named;

// --- names -----------------------------------------------------------------------------------------------
SysResult<Ref<SharedMemory>> SharedMemory::create(const Ucred& owner, std::uint16_t mode,
                                                  std::uint32_t flags) {
    static std::uint64_t next_inode = 1;
    auto* made = lwkt::construct<SharedMemory>();
    if (!made)
        return Failure(Errno::enomem);
    auto memory = Ref<SharedMemory>::adopt(made);
    memory->object_ = vm::Object::create_file(0);
    if (!memory->object_)
        return Failure(Errno::enomem);
    memory->inode_ = next_inode++;
    memory->mode_ = mode;
    memory->uid_ = owner.uid;
    memory->gid_ = owner.gid;
    memory->seals_ = flags & shm_allow_sealing ? 0 : std::uint32_t{seal_seal};
    memory->flags_ = flags;
    memory->access_ = memory->modify_ = memory->change_ = memory->birth_ = wall_clock();
    return memory;
}

void SharedMemory::inactive() {
    lwkt::destroy(this);
}

SharedMemory* SharedMemory::find(Text name) {
    for (SharedMemory* each = all_named.first(); each; each = all_named.next(each))
        if (each->name_.text().size == name.size &&
            std::memcmp(each->name_.text().data, name.data, name.size) == 0)
            return each;
    return nullptr;
}

SysResult<void> SharedMemory::insert(Text name) {
    TRY(set_name(name));
    all_named.push_back(this);
    ref();
    return {};
}

SysResult<void> SharedMemory::set_name(Text name) {
    OwnedText fresh;
    fresh.assign(name);
    if (fresh.empty())
        return Failure(Errno::enomem);
    name_.swap(fresh);
    return {};
}

void SharedMemory::exchange(SharedMemory& one, SharedMemory& other) {
    one.name_.swap(other.name_);
}

void SharedMemory::erase() {
    all_named.remove(this);
    name_.clear();
    unref();
}

// --- seals and attributes --------------------------------------------------------------------------------
SysResult<void> SharedMemory::add_seals(std::uint32_t seals) {
    if (seals_ & seal_seal)
        return Failure(Errno::eperm);
    if ((seals & ~seals_ & seal_write) && object_->has_writable_mapping())
        return Failure(Errno::ebusy);
    seals_ |= seals;
    return {};
}

static FileTime file_time(std::uint64_t nanoseconds) {
    TimeSpec time = to_timespec(nanoseconds);
    return {time.seconds, time.nanoseconds};
}

SysResult<void> SharedMemory::attributes(Attributes& out) {
    out = {};
    out.inode = inode_;
    out.type = type;
    out.mode = mode_;
    out.links = object_->references();
    out.uid = uid_;
    out.gid = gid_;
    out.access = file_time(access_);
    out.modify = file_time(modify_);
    out.change = file_time(change_);
    out.birth = file_time(birth_);
    out.size = size();
    out.blocks = (out.size + 4095) / 4096;
    return {};
}

SysResult<void> SharedMemory::change(const AttributeChange& change) {
    if (change.fields & AttributeChange::mode_field)
        mode_ = change.mode & 0777;
    if (change.fields & AttributeChange::owner_field)
        uid_ = change.uid;
    if (change.fields & AttributeChange::group_field)
        gid_ = change.gid;
    change_ = wall_clock();
    return {};
}

void SharedMemory::file_system(FileSystemInformation& out) {
    out = {"", "", "", 0, 0, 0, 0, 0, 0, false}; // it is in none: no descriptor of it is asked
}

// --- content ---------------------------------------------------------------------------------------------
SysResult<void> SharedMemory::read(Lwp&, Uio& uio, std::int64_t offset, std::uint32_t) {
    access_ = wall_clock();
    auto at = static_cast<std::uint64_t>(offset);
    while (uio.residual() != 0 && at < object_->size()) {
        std::uint64_t within = at & vm::page_mask;
        std::uint64_t run = least(least(uio.residual(), vm::page_size - within), object_->size() - at);
        TRY(uio.copy_out(object_->page(at >> vm::page_shift) + within, run));
        at += run;
    }
    return {};
}

SysResult<void> SharedMemory::write(Lwp&, Uio& uio, std::int64_t offset, std::uint32_t) {
    auto at = static_cast<std::uint64_t>(offset);
    std::uint64_t end;
    if (__builtin_add_overflow(at, uio.residual(), &end) || end > limit_infinity)
        return Failure(Errno::efbig);
    if (seals_ & seal_write)
        return Failure(Errno::eperm);
    if (end > object_->size() && (flags_ & shm_grow_on_write)) {
        if (seals_ & seal_grow)
            return Failure(Errno::eperm);
        TRY(object_->resize(end));
    }
    modify_ = change_ = wall_clock();
    while (uio.residual() != 0 && at < object_->size()) {
        std::uint64_t within = at & vm::page_mask;
        std::uint64_t run = least(least(uio.residual(), vm::page_size - within), object_->size() - at);
        std::byte* page = TRY(object_->page_for_write(at >> vm::page_shift));
        TRY(uio.copy_in(page + within, run));
        at += run;
    }
    return {};
}

SysResult<void> SharedMemory::truncate(std::int64_t length) {
    std::int64_t now = size();
    if (length < 0)
        return Failure(Errno::einval);
    if ((length < now && (seals_ & seal_shrink)) || (length > now && (seals_ & seal_grow)))
        return Failure(Errno::eperm);
    TRY(object_->resize(static_cast<std::uint64_t>(length)));
    modify_ = change_ = wall_clock();
    return {};
}

// --- descriptors -----------------------------------------------------------------------------------------
SysResult<FileRef> SharedMemoryFile::create(Ref<SharedMemory> memory, std::uint32_t flags) {
    auto* file = lwkt::construct<SharedMemoryFile>(static_cast<Ref<SharedMemory>&&>(memory), flags);
    if (!file)
        return Failure(Errno::enomem);
    return FileRef::adopt(file);
}

void SharedMemoryFile::destroy() {
    lwkt::destroy(this);
}

SysResult<void> SharedMemoryFile::read(Lwp& lwp, Uio& uio, const std::int64_t* position) {
    std::uint64_t before = uio.residual();
    auto result = memory_->read(lwp, uio, position ? *position : offset, flags);
    if (!position)
        offset += static_cast<std::int64_t>(before - uio.residual());
    return result;
}

SysResult<void> SharedMemoryFile::write(Lwp& lwp, Uio& uio, const std::int64_t* position) {
    std::uint64_t before = uio.residual();
    auto result = memory_->write(lwp, uio, position ? *position : offset, flags);
    if (!position)
        offset += static_cast<std::int64_t>(before - uio.residual());
    return result;
}

SysResult<std::int64_t> SharedMemoryFile::seek(Lwp&, std::int64_t to, int whence) {
    std::int64_t base = whence == 1 ? offset : whence == 2 ? memory_->size() : 0;
    if (whence < 0 || whence > 2)
        return Failure(Errno::einval);
    if (__builtin_add_overflow(base, to, &to))
        return Failure(Errno::eoverflow);
    if (to < 0 || to > memory_->size())
        return Failure(Errno::einval);
    return offset = to;
}

// A writable descriptor's shared mapping may be made writable later, so it counts as one that is.
SysResult<void> SharedMemoryFile::restrict_mapping(MapRequest& request) {
    if (request.shared && (memory_->seals() & seal_write)) {
        if (request.protection & vm::protection_write)
            return Failure(Errno::eacces);
        request.max_protection &= static_cast<std::uint8_t>(~vm::protection_write);
    }
    return {};
}

} // namespace bsd
