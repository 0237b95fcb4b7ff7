// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/vfs/namei.hpp"

#include <string.h>

#include "bsd-personality/kern/ktrace.hpp"
#include "bsd-personality/kern/proc.hpp"
#include "bsd-personality/vfs/vnode_file.hpp"
#include "bsd-personality/vm/usermem.hpp"

namespace bsd {

namespace {

constexpr unsigned max_links = 32;

// One walk. The rest of the path is a view into the caller's path, or, after a symbolic link, into
// `expanded_`: link target followed by what came after the link.
class Walk {
public:
    Walk(const LookupContext& context, unsigned flags, LookupResult& result)
        : context_(context), flags_(flags), result_(result), at_(&context.start) {}
    ~Walk() {
        if (expanded_)
            lwkt::release(expanded_, 2 * path_max);
    }
    SysResult<void> run(Text path);

private:
    Text next_component();
    SysResult<void> step(Text name, bool last);
    SysResult<void> step_up();
    SysResult<void> follow(Vnode& link);
    SysResult<void> finish_without_name();
    bool only_slashes_left() const {
        for (std::size_t i = 0; i < rest_.size; i++)
            if (rest_[i] != '/')
                return false;
        return true;
    }
    void descend_mounts() {
        while (at_->mounted)
            at_ = VnodeRef(at_->mounted);
    }

    const LookupContext& context_;
    const unsigned flags_;
    LookupResult& result_;
    VnodeRef at_;
    Text rest_;
    char* expanded_ = nullptr; // two halves, so that a new expansion can be built beside the old one
    unsigned half_ = 0, links_ = 0;
    unsigned depth_ = 0; // below the start, for lookup_beneath
};

Text Walk::next_component() {
    while (rest_.size != 0 && rest_[0] == '/')
        rest_ = {rest_.data + 1, rest_.size - 1};
    std::size_t length = 0;
    while (length < rest_.size && rest_[length] != '/')
        length++;
    Text component(rest_.data, length);
    rest_ = {rest_.data + length, rest_.size - length};
    return component;
}

SysResult<void> Walk::step_up() {
    if (depth_ == 0 && (flags_ & lookup_beneath))
        return Failure(Errno::enotcapable);
    depth_ -= depth_ != 0;
    if (at_.get() == &context_.root)
        return {};
    while (at_->covers && at_.get() != &context_.root)
        at_ = VnodeRef(at_->covers);
    if (at_.get() != &context_.root)
        at_ = at_->parent();
    descend_mounts();
    return {};
}

SysResult<void> Walk::follow(Vnode& link) {
    if (++links_ > max_links)
        return Failure(Errno::eloop);
    Text target = TRY(link.target());
    if (target.size == 0)
        return Failure(Errno::enoent);
    if (target.size + rest_.size >= path_max)
        return Failure(Errno::enametoolong);
    if (!expanded_ && !(expanded_ = static_cast<char*>(lwkt::allocate(2 * path_max))))
        return Failure(Errno::enomem);
    char* to = expanded_ + half_ * path_max;
    half_ ^= 1;
    memcpy(to, target.data, target.size);
    memcpy(to + target.size, rest_.data, rest_.size);
    rest_ = {to, target.size + rest_.size};
    if (rest_[0] == '/') {
        if (flags_ & lookup_beneath)
            return Failure(Errno::enotcapable);
        at_ = VnodeRef(&context_.root);
        descend_mounts();
    }
    return {};
}

SysResult<void> Walk::step(Text name, bool last) {
    if (name.size > name_max)
        return Failure(Errno::enametoolong);
    if (at_->type != VnodeType::directory)
        return Failure(Errno::enotdir);
    TRY(check_permission(*at_, context_.cred, may_exec));
    bool dots = name == Text(".") || name == Text("..");
    bool keep_name = last && (flags_ & (lookup_parent | lookup_hold_name));
    if (keep_name) {
        result_.directory = at_;
        memcpy(result_.name, name.data, name.size);
        result_.name[name.size] = '\0';
        result_.name_length = static_cast<unsigned>(name.size);
    }
    if (dots)
        return name.size == 2 ? step_up() : SysResult<void>{};
    auto found = at_->lookup(name);
    if (!found.ok()) {
        if (found.error() == Errno::enoent && last && (flags_ & lookup_parent)) {
            at_ = {};
            return {};
        }
        return Failure(found.error());
    }
    VnodeRef child = found.take();
    if (child->type == VnodeType::symlink && (!last || (flags_ & lookup_follow) || rest_.size != 0)) {
        if (last) {
            result_.directory = {};
            result_.name_length = 0;
        }
        return follow(*child);
    }
    at_ = static_cast<VnodeRef&&>(child);
    depth_++;
    descend_mounts();
    return {};
}

SysResult<void> Walk::run(Text path) {
    if (path.size == 0 && !(flags_ & lookup_empty))
        return Failure(Errno::enoent);
    rest_ = path;
    if (path.size != 0 && path[0] == '/') {
        if (flags_ & lookup_beneath)
            return Failure(Errno::enotcapable);
        at_ = VnodeRef(&context_.root);
    }
    descend_mounts();
    for (;;) {
        Text name = next_component();
        if (name.size == 0)
            break;
        bool last = only_slashes_left();
        result_.wants_directory = last && rest_.size != 0;
        TRY(step(name, last));
        if (!at_)
            break; // lookup_parent: not there
        if (result_.wants_directory && only_slashes_left() && at_->type != VnodeType::directory)
            return Failure(Errno::enotdir);
    }
    result_.vnode = static_cast<VnodeRef&&>(at_);
    return {};
}

} // namespace

SysResult<void> lookup(const LookupContext& context, Text path, unsigned flags, LookupResult& result) {
    return Walk(context, flags, result).run(path);
}

SysResult<void> PathBuffer::copy_in(Lwp& lwp, glue::UserAddress from) {
    length = static_cast<unsigned>(TRY(copyinstr(*lwp.proc.vmspace, from, bytes, sizeof bytes)));
    return {};
}

SysResult<void> namei(Lwp& lwp, int directory_fd, Text path, unsigned flags, LookupResult& result) {
    Proc& proc = lwp.proc;
    ktrace_path(lwp, path);
    Vnode* start = proc.cwd.get();
    if (directory_fd != at_fdcwd && (path.size == 0 || path[0] != '/')) {
        File* file = TRY(proc.files->find(directory_fd));
        start = file->vnode();
        if (!start || (start->type != VnodeType::directory && !(path.size == 0 && (flags & lookup_empty))))
            return Failure(Errno::enotdir);
    }
    if (!start || !proc.root)
        return Failure(Errno::enoent);
    return lookup({*proc.root, *start, *proc.cred}, path, flags, result);
}

SysResult<VnodeRef> find_vnode(Lwp& lwp, Text path) {
    LookupResult result;
    TRY(namei(lwp, at_fdcwd, path, lookup_follow, result));
    return static_cast<VnodeRef&&>(result.vnode);
}

SysResult<unsigned> directory_path(Vnode& root, Vnode& directory, char* buffer, unsigned capacity) {
    // Built from the end of the buffer backwards, then moved to its start.
    unsigned at = capacity;
    VnodeRef vnode(&directory);
    if (capacity < 2)
        return Failure(Errno::erange);
    buffer[--at] = '\0';
    while (vnode.get() != &root) {
        while (vnode->covers && vnode.get() != &root)
            vnode = VnodeRef(vnode->covers);
        if (vnode.get() == &root)
            break;
        Text name = vnode->name();
        if (name.size == 0)
            return Failure(Errno::enoent);
        if (name.size + 1 > at)
            return Failure(Errno::erange);
        at -= static_cast<unsigned>(name.size);
        memcpy(buffer + at, name.data, name.size);
        buffer[--at] = '/';
        vnode = vnode->parent();
    }
    if (buffer[at] == '\0') {
        if (at == 0)
            return Failure(Errno::erange);
        buffer[--at] = '/';
    }
    memmove(buffer, buffer + at, capacity - at);
    return capacity - at - 1;
}

// --- open ------------------------------------------------------------------------------------------------
namespace {

SysResult<VnodeRef> open_or_create(Lwp& lwp, int directory_fd, Text path, std::uint32_t flags,
                                   std::uint16_t mode, bool& created) {
    LookupResult found;
    unsigned how =
        lookup_parent | ((flags & (open_exclusive | open_no_follow)) ? 0u : unsigned{lookup_follow});
    TRY(namei(lwp, directory_fd, path, how, found));
    if (found.vnode) {
        if (flags & open_exclusive)
            return Failure(Errno::eexist);
        return static_cast<VnodeRef&&>(found.vnode);
    }
    if (found.wants_directory || (flags & open_directory))
        return Failure(Errno::eisdir);
    TRY(check_permission(*found.directory, *lwp.proc.cred, may_write));
    created = true;
    return found.directory->create(found.name_view(), VnodeType::regular,
                                   static_cast<std::uint16_t>(mode & 07777 & ~lwp.proc.umask & ~01000),
                                   *lwp.proc.cred);
}

} // namespace

SysResult<FileRef> open_path(Lwp& lwp, int directory_fd, Text path, std::uint32_t flags, std::uint16_t mode) {
    if ((flags & open_access_mask) == open_access_mask)
        return Failure(Errno::einval);
    if (flags & open_exec) // O_EXEC and O_SEARCH have access mode 0 and grant no reading
        flags |= open_path_only;
    VnodeRef vnode;
    bool created = false;
    if ((flags & open_create) && !(flags & open_path_only)) {
        vnode = TRY(open_or_create(lwp, directory_fd, path, flags, mode, created));
    } else {
        LookupResult found;
        TRY(namei(lwp, directory_fd, path, (flags & open_no_follow) ? 0u : unsigned{lookup_follow}, found));
        vnode = static_cast<VnodeRef&&>(found.vnode);
    }
    if (flags & open_path_only) {
        if ((flags & open_directory) && vnode->type != VnodeType::directory)
            return Failure(Errno::enotdir);
        return VnodeFile::create(static_cast<VnodeRef&&>(vnode), flags);
    }
    if (vnode->type == VnodeType::symlink)
        return Failure(Errno::emlink);
    if (vnode->type == VnodeType::socket)
        return Failure(Errno::eopnotsupp);
    if ((flags & open_directory) && vnode->type != VnodeType::directory)
        return Failure(Errno::enotdir);
    bool writes = (flags & open_access_mask) != open_read_only;
    if (vnode->type == VnodeType::directory && (writes || (flags & open_truncate)))
        return Failure(Errno::eisdir);
    if (!created) {
        unsigned permission = (flags & open_access_mask) != open_write_only ? unsigned{may_read} : 0;
        if (writes || (flags & open_truncate))
            permission |= may_write;
        TRY(check_permission(*vnode, *lwp.proc.cred, permission));
        if ((flags & open_truncate) && vnode->type == VnodeType::regular)
            TRY(vnode->truncate(0));
    }
    constexpr std::uint32_t kept =
        open_access_mask | open_nonblock | open_append | open_async | open_sync | open_direct;
    return vnode->open(lwp, flags & kept);
}

} // namespace bsd
