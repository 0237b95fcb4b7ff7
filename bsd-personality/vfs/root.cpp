// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/vfs/root.hpp"

#include "bsd-personality/kern/proc.hpp"
#include "bsd-personality/vfs/console.hpp"
#include "bsd-personality/vfs/devfs.hpp"
#include "bsd-personality/vfs/tmpfs.hpp"
#include "proto/image.hpp"

namespace bsd {

namespace {

SysResult<VnodeRef> make_directory(Vnode& parent, Text name, std::uint16_t mode) {
    Ucred superuser;
    auto made = parent.create(name, VnodeType::directory, mode, superuser);
    if (!made.ok() && made.error() == Errno::eexist)
        return parent.lookup(name);
    return made;
}

} // namespace

SysResult<VnodeRef> make_root(proto::Bytes image, const char*& why) {
    proto::ImageReader reader;
    why = "not enough memory for the file tree";
    if (image.size != 0) {
        auto opened = proto::ImageReader::open(image);
        if (!opened.ok()) {
            why = proto::describe(opened.error().error);
            return Failure(Errno::einval);
        }
        reader = opened.value();
    }
    Tmpfs* mount = Tmpfs::create("/", reader.entry_count() + 64);
    if (!mount)
        return Failure(Errno::enomem);
    if (image.size != 0)
        TRY(mount->fill(reader));
    VnodeRef root(&mount->root());
    VnodeRef dev = TRY(make_directory(*root, "dev", 0555));
    (void)TRY(make_directory(*root, "tmp", 01777));
    VnodeRef var = TRY(make_directory(*root, "var", 0755));
    (void)TRY(make_directory(*var, "run", 0755));
    (void)TRY(make_directory(*var, "tmp", 01777));
    (void)TRY(make_directory(*root, "etc", 0755));
    if (dev->type == VnodeType::directory) {
        Vnode& devices = devfs_root();
        dev->mounted = &devices; // for good: both references stay
        devices.covers = dev.release();
    }
    why = nullptr;
    return root;
}

SysResult<void> open_standard_files(Lwp& lwp) {
    FileTable& files = *lwp.proc.files;
    if (Tty* terminal = console->terminal()) {
        TRY(terminal->become_controlling(lwp.proc));
        FileRef file = TRY(terminal->open(lwp, open_read_write));
        for (int fd = 0; fd < 3; fd++)
            (void)TRY(files.install(FileRef(file), false, fd));
        return {};
    }
    for (int stream = 0; stream < 3; stream++)
        (void)TRY(files.install(TRY(open_console(stream)), false, stream));
    return {};
}

} // namespace bsd
