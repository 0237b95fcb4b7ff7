// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/file.hpp"

#include <string.h>

#include "bsd-personality/kern/kqueue.hpp"
#include "bsd-personality/kern/uipc_rights.hpp"
#include "bsd-personality/vfs/locks.hpp"
#include "lwkt/slab.hpp"

namespace bsd {

// --- defaults of operations that a kind of file does not have --------------------------------------------
SysResult<void> File::read(Lwp&, Uio&, const std::int64_t*) {
    return Failure(Errno::eopnotsupp);
}
SysResult<void> File::write(Lwp&, Uio&, const std::int64_t*) {
    return Failure(Errno::eopnotsupp);
}
SysResult<std::int64_t> File::seek(Lwp&, std::int64_t, int) {
    return Failure(Errno::espipe);
}
SysResult<int> File::ioctl(Lwp&, std::uint64_t, void*) {
    return Failure(Errno::enotty);
}
SysResult<void> File::attributes(Lwp&, Attributes&) {
    return Failure(Errno::eopnotsupp);
}
SysResult<void> File::truncate(Lwp&, std::int64_t) {
    return Failure(Errno::einval);
}
SysResult<void> File::read_shared(Lwp&, Uio&, const std::int64_t*) {
    return Failure(Errno::eexclusive);
}
SysResult<void> File::write_shared(Lwp&, Uio&, const std::int64_t*) {
    return Failure(Errno::eexclusive);
}
SysResult<std::int64_t> File::seek_shared(Lwp&, std::int64_t, int) {
    return Failure(Errno::eexclusive);
}
SysResult<void> File::attributes_shared(Lwp&, Attributes&) {
    return Failure(Errno::eexclusive);
}
Readiness File::readiness(Direction) {
    return {.ready = true};
}
EventSource* File::events(Direction) {
    return nullptr;
}
SysResult<vm::Object*> File::mapping(Lwp&) {
    return Failure(Errno::enodev);
}

// --- descriptor tables -----------------------------------------------------------------------------------
FileTable* FileTable::create() {
    return lwkt::construct<FileTable>();
}

FileTable* FileTable::copy() const {
    FileTable* table = create();
    if (!table)
        return nullptr;
    table->maximum_ = maximum_;
    if (used_ > 0 && !table->grow(used_).ok()) {
        table->unref();
        return nullptr;
    }
    for (int fd = 0; fd < used_; fd++) {
        if (!slots_[fd].file || !slots_[fd].file->inheritable())
            continue;
        table->slots_[fd] = slots_[fd];
        table->slots_[fd].file->ref();
        table->used_ = fd + 1;
    }
    while (table->first_free_ < table->used_ && table->slots_[table->first_free_].file)
        table->first_free_++;
    return table;
}

void FileTable::unref() {
    if (--references_ != 0)
        return;
    for (Kqueue* queue = kqueues; queue; queue = queue->next_in_table)
        queue->forget_table();
    kqueues = nullptr;
    bool flying = false;
    for (int fd = 0; fd < used_; fd++)
        if (File* file = slots_[fd].file) {
            flying |= is_in_flight(*file);
            file->unref();
        }
    if (flying)
        collect_sockets();
    if (slots_)
        lwkt::release(slots_, static_cast<std::size_t>(size_) * sizeof(Descriptor));
    lwkt::destroy(this);
}

SysResult<File*> FileTable::find(int fd) const {
    File* file = get(fd);
    if (!file)
        return Failure(Errno::ebadf);
    return file;
}

// The slab's largest block bounds the table: 65536 bytes hold 4096 descriptors.
SysResult<void> FileTable::grow(int descriptors) {
    constexpr int largest = 65536 / sizeof(Descriptor);
    if (descriptors > largest)
        return Failure(Errno::emfile);
    int size = most(size_, 16);
    while (size < descriptors)
        size *= 2;
    auto* slots =
        static_cast<Descriptor*>(lwkt::allocate(static_cast<std::size_t>(size) * sizeof(Descriptor)));
    if (!slots)
        return Failure(Errno::enomem);
    for (int fd = 0; fd < size; fd++)
        slots[fd] = fd < used_ ? slots_[fd] : Descriptor{};
    if (slots_)
        lwkt::release(slots_, static_cast<std::size_t>(size_) * sizeof(Descriptor));
    slots_ = slots;
    size_ = size;
    return {};
}

SysResult<int> FileTable::install(FileRef file, bool close_on_exec, int from) {
    int fd = most(from, first_free_);
    while (fd < used_ && slots_[fd].file)
        fd++;
    if (fd >= maximum_)
        return Failure(Errno::emfile);
    if (fd >= size_)
        TRY(grow(fd + 1));
    slots_[fd] = {file.release(), close_on_exec};
    used_ = most(used_, fd + 1);
    if (fd == first_free_)
        first_free_ = fd + 1;
    return fd;
}

void FileTable::clear(int fd) {
    File* file = slots_[fd].file;
    for (Kqueue* queue = kqueues; queue; queue = queue->next_in_table)
        queue->forget_descriptor(fd, file);
    slots_[fd] = {};
    first_free_ = least(first_free_, fd);
    while (used_ > 0 && !slots_[used_ - 1].file)
        used_--;
    if (Vnode* vnode = file->vnode())
        release_process_locks(*vnode, *this);
    const bool flying = is_in_flight(*file);
    file->unref();
    if (flying) // what remains of it may lie in its own buffer
        collect_sockets();
}

SysResult<int> FileTable::duplicate(int from, int to, bool close_on_exec) {
    FileRef file(TRY(find(from)));
    if (to < 0 || to >= maximum_)
        return Failure(Errno::ebadf);
    if (from == to) {
        slots_[to].close_on_exec = close_on_exec;
        return to;
    }
    if (to >= size_)
        TRY(grow(to + 1));
    if (slots_[to].file)
        clear(to);
    slots_[to] = {file.release(), close_on_exec};
    used_ = most(used_, to + 1);
    return to;
}

SysResult<void> FileTable::close(int fd) {
    if (!get(fd))
        return Failure(Errno::ebadf);
    clear(fd);
    return {};
}

void FileTable::close_range(unsigned low, unsigned high) {
    for (int fd = static_cast<int>(least<unsigned>(high, static_cast<unsigned>(used_))); fd >= 0; fd--)
        if (static_cast<unsigned>(fd) >= low && static_cast<unsigned>(fd) <= high && get(fd))
            clear(fd);
}

void FileTable::set_close_on_exec_range(unsigned low, unsigned high) {
    for (unsigned fd = low; fd < static_cast<unsigned>(used_) && fd <= high; fd++)
        slots_[fd].close_on_exec = true;
}

void FileTable::close_on_exec() {
    for (int fd = used_ - 1; fd >= 0; fd--)
        if (get(fd) && slots_[fd].close_on_exec)
            clear(fd);
}

int FileTable::open_count() const {
    int count = 0;
    for (int fd = 0; fd < used_; fd++)
        count += slots_[fd].file != nullptr;
    return count;
}

} // namespace bsd
