// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/vfs/devfs.hpp"

#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/kern/ioctl.hpp"
#include "bsd-personality/kern/proc.hpp"
#include "bsd-personality/kern/pty.hpp"
#include "bsd-personality/kern/random.hpp"
#include "bsd-personality/kern/time.hpp"
#include "bsd-personality/kern/upmap.hpp"
#include "bsd-personality/vfs/console.hpp"
#include "bsd-personality/vfs/vnode_file.hpp"
#include "lwkt/slab.hpp"

namespace bsd {

namespace {

constexpr std::uint64_t first_descriptor_inode = 0x1000;

enum class Device : std::uint8_t {
    root,
    fd_directory,
    null,
    zero,
    random,
    urandom,
    console,
    input,
    output,
    error,
    kernel_page,
    process_page,
    thread_page,
    pty_directory,
    ptmx,
    terminal
};

struct DeviceName {
    Device device;
    const char* name;
    const char* link; // target of a symbolic link, or null
    std::uint16_t mode;
};
// The order is the one of getdirentries.
constexpr DeviceName device_names[] = {
    {Device::console, "console", nullptr, 0600},    {Device::fd_directory, "fd", nullptr, 0555},
    {Device::kernel_page, "kpmap", nullptr, 0444},  {Device::thread_page, "lpmap", nullptr, 0666},
    {Device::null, "null", nullptr, 0666},          {Device::ptmx, "ptmx", nullptr, 0666},
    {Device::pty_directory, "pts", nullptr, 0555},  {Device::random, "random", nullptr, 0644},
    {Device::error, "stderr", "fd/2", 0755},        {Device::input, "stdin", "fd/0", 0755},
    {Device::output, "stdout", "fd/1", 0755},       {Device::terminal, "tty", nullptr, 0666},
    {Device::process_page, "upmap", nullptr, 0666}, {Device::urandom, "urandom", nullptr, 0644},
    {Device::zero, "zero", nullptr, 0666},
};
constexpr unsigned device_count = sizeof device_names / sizeof device_names[0];

// Which the other system does not have.
bool absent(const DeviceName& row) {
    return default_abi->kind != AbiKind::dragonfly &&
           (row.device == Device::kernel_page || row.device == Device::process_page ||
            row.device == Device::thread_page);
}

constexpr VnodeType type_of(const DeviceName* row) {
    if (!row || row->device == Device::fd_directory || row->device == Device::pty_directory)
        return VnodeType::directory;
    return row->link ? VnodeType::symlink : VnodeType::character;
}

Vnode* descriptor_node(int fd);

// A directory, device or link of the fixed set. `row` null: the root. Never freed.
class DeviceNode final : public Vnode {
public:
    explicit constexpr DeviceNode(const DeviceName* row) : Vnode(type_of(row)), row_(row) {}

    SysResult<void> attributes(Attributes& out) override {
        out = {};
        out.device = devfs_device;
        out.inode = row_ ? static_cast<std::uint64_t>(row_ - device_names) + 3 : 2;
        out.type = type;
        out.mode = row_ ? row_->mode : 0555;
        out.links = type == VnodeType::directory ? 2 : 1;
        out.special = type == VnodeType::character ? out.inode : 0;
        out.size = row_ && row_->link             ? static_cast<std::int64_t>(text(row_->link).size)
                   : type == VnodeType::directory ? 512
                                                  : 0;
        TimeSpec boot = to_timespec(wall_clock() - glue::Clock::now().value);
        out.access = out.modify = out.change = out.birth = {boot.seconds, boot.nanoseconds};
        return {};
    }
    SysResult<void> change(const AttributeChange&) override {
        return {};
    } // modes of devices are fixed; not an error
    SysResult<VnodeRef> lookup(Text name) override;
    SysResult<void> read_directory(std::int64_t from, DirectoryConsumer& consumer) override;
    VnodeRef parent() override { return VnodeRef(&devfs_root()); }
    Text name() override { return row_ ? text(row_->name) : Text(); }
    SysResult<Text> target() override {
        if (!row_ || !row_->link)
            return Failure(Errno::einval);
        return text(row_->link);
    }
    SysResult<FileRef> open(Lwp& lwp, std::uint32_t flags) override;
    SysResult<void> read(Lwp& lwp, Uio& uio, std::int64_t offset, std::uint32_t flags) override;
    SysResult<void> write(Lwp& lwp, Uio& uio, std::int64_t offset, std::uint32_t flags) override;
    SysResult<void> read_shared(Uio& uio, std::int64_t) override {
        if (is(Device::null))
            return {};
        if (!is(Device::zero))
            return Failure(Errno::eexclusive);
        return uio.zero_out(uio.residual()); // zeros that were written before a page is missing do no harm
    }
    SysResult<void> write_shared(Uio& uio, std::int64_t) override {
        if (!is(Device::null) && !is(Device::zero))
            return Failure(Errno::eexclusive);
        uio.skip(uio.residual());
        return {};
    }
    SysResult<void> truncate(std::int64_t) override { return {}; }
    SysResult<vm::Object*> object() override;
    SysResult<int> ioctl(Lwp&, std::uint64_t command, void* argument) override {
        if (command == fiodtype) {
            *static_cast<std::int32_t*>(argument) = 0; // of no special kind
            return 0;
        }
        if (command == fionread && is(Device::console)) {
            *static_cast<std::int32_t*>(argument) = static_cast<std::int32_t>(console->input_available());
            return 0;
        }
        return Failure(Errno::enotty);
    }
    Readiness readiness(Direction direction) override {
        return is(Device::console) ? console->readiness(1, direction) : Readiness{.ready = true};
    }
    EventSource* events(Direction direction) override {
        return is(Device::console) ? console->events(direction) : nullptr;
    }
    void file_system(FileSystemInformation& out) override {
        out = {"devfs", "devfs", "/dev", 0xad, 1, 0, device_count, 0, devfs_device, false};
    }

private:
    bool is(Device device) const { return row_ && row_->device == device; }
    void inactive() override {}
    const DeviceName* row_;
};

template <std::size_t... I>
struct Nodes {
    DeviceNode node[sizeof...(I)] = {DeviceNode(&device_names[I])...};
};
template <std::size_t... I>
Nodes<I...> nodes_for(std::index_sequence<I...>);
constinit DeviceNode root_node(nullptr);
constinit decltype(nodes_for(std::make_index_sequence<device_count>())) device_nodes;

SysResult<VnodeRef> DeviceNode::lookup(Text name) {
    if (type != VnodeType::directory)
        return Failure(Errno::enotdir);
    if (!row_) {
        if (Tty* terminal = console ? console->terminal() : nullptr; terminal && name == terminal->name())
            return VnodeRef(terminal);
        for (unsigned i = 0; i < device_count; i++)
            if (name == text(device_names[i].name) && !absent(device_names[i]))
                return VnodeRef(&device_nodes.node[i]);
        return Failure(Errno::enoent);
    }
    int number = 0;
    for (std::size_t i = 0; i < name.size; i++) {
        if (name[i] < '0' || name[i] > '9' || (i > 0 && number == 0) || number >= FileTable::limit)
            return Failure(Errno::enoent);
        number = number * 10 + (name[i] - '0');
    }
    if (is(Device::pty_directory)) {
        Pty* pty = find_pty(static_cast<unsigned>(number));
        return pty ? SysResult<VnodeRef>(VnodeRef(pty)) : Failure(Errno::enoent);
    }
    Vnode* node = descriptor_node(number);
    if (!node)
        return Failure(Errno::enomem);
    return VnodeRef::adopt(node);
}

SysResult<void> DeviceNode::read_directory(std::int64_t from, DirectoryConsumer& consumer) {
    if (type != VnodeType::directory)
        return Failure(Errno::enotdir);
    if (from <= 0 && !consumer.take({2, type, Text("."), 1}))
        return {};
    if (from <= 1 && !consumer.take({2, type, Text(".."), 2}))
        return {};
    std::int64_t index = most<std::int64_t>(from - 2, 0);
    if (!row_) {
        for (; index < device_count; index++) {
            auto i = static_cast<unsigned>(index);
            if (!absent(device_names[i]) &&
                !consumer.take({i + 3u, device_nodes.node[i].type, text(device_names[i].name), index + 3}))
                return {};
        }
        return {};
    }
    // Names are numbers: of the process's descriptors, or of ptys.
    const bool terminals = is(Device::pty_directory);
    Lwp* lwp = current_lwp();
    std::int64_t end = terminals ? std::int64_t{Pty::most} : lwp ? lwp->proc.files->end() : 0;
    for (; index < end; index++) {
        auto number = static_cast<int>(index);
        Pty* pty = terminals ? find_pty(static_cast<unsigned>(number)) : nullptr;
        if (terminals ? !pty : !lwp->proc.files->get(number))
            continue;
        char digits[8];
        std::size_t at = sizeof digits;
        for (int rest = number; at == sizeof digits || rest != 0; rest /= 10)
            digits[--at] = static_cast<char>('0' + rest % 10);
        if (!consumer.take({pty ? pty->inode() : first_descriptor_inode + static_cast<unsigned>(number),
                            VnodeType::character,
                            {digits + at, sizeof digits - at},
                            index + 3}))
            return {};
    }
    return {};
}

SysResult<FileRef> DeviceNode::open(Lwp& lwp, std::uint32_t flags) {
    if (is(Device::ptmx))
        return open_pty(lwp, flags);
    if (is(Device::kernel_page) && (flags & open_access_mask) != open_read_only)
        return Failure(Errno::eperm);
    if (is(Device::terminal)) {
        Tty* terminal = lwp.proc.pgrp->session->terminal;
        if (!terminal || !terminal->controls(lwp.proc))
            return Failure(Errno::enxio);
        return TtyRef(terminal)->open(lwp, flags);
    }
    return Vnode::open(lwp, flags);
}

// Mappings of /dev/zero are memory of the mapper's own.
SysResult<vm::Object*> DeviceNode::object() {
    Lwp* lwp = current_lwp();
    if (is(Device::zero))
        return nullptr;
    if (is(Device::kernel_page))
        return kernel_page_object();
    if (is(Device::process_page) && lwp)
        return process_page_object(*lwp);
    return is(Device::thread_page) && lwp ? thread_page_object(*lwp) : Vnode::object();
}

SysResult<void> DeviceNode::read(Lwp& lwp, Uio& uio, std::int64_t offset, std::uint32_t flags) {
    if (type == VnodeType::directory)
        return Vnode::read(lwp, uio, offset, flags);
    switch (row_->device) {
    case Device::zero:
        return uio.zero_out(uio.residual());
    case Device::random:
    case Device::urandom: {
        std::byte chunk[256];
        while (uio.residual() != 0) {
            std::uint64_t count = least<std::uint64_t>(uio.residual(), sizeof chunk);
            random_source.fill(chunk, count);
            TRY(uio.copy_out(chunk, count));
        }
        return {};
    }
    case Device::console:
        return console->read(lwp, uio, (flags & open_nonblock) != 0);
    default:
        return {}; // null: end of file
    }
}

SysResult<void> DeviceNode::write(Lwp& lwp, Uio& uio, std::int64_t offset, std::uint32_t flags) {
    if (type == VnodeType::directory)
        return Vnode::write(lwp, uio, offset, flags);
    switch (row_->device) {
    case Device::random:
    case Device::urandom: {
        std::byte chunk[64];
        while (uio.residual() != 0) {
            std::uint64_t count = least<std::uint64_t>(uio.residual(), sizeof chunk);
            TRY(uio.copy_in(chunk, count));
            random_source.add(chunk, count);
        }
        return {};
    }
    case Device::console:
        return console->write(lwp, uio, 1, (flags & open_nonblock) != 0);
    default:
        uio.skip(uio.residual());
        return {};
    }
}

// /dev/fd/N: opening it duplicates descriptor N of the opener. Made when looked up.
class DescriptorNode final : public Vnode {
public:
    explicit DescriptorNode(int fd) : Vnode(VnodeType::character), fd_(fd) {}
    ~DescriptorNode() = default;
    SysResult<void> attributes(Attributes& out) override {
        out = {};
        Lwp* lwp = current_lwp();
        if (!lwp)
            return {};
        File* file = TRY(lwp->proc.files->find(fd_));
        // A descriptor that was opened for its path only stands for no other one, which could be itself.
        if (file->vnode() && file->vnode()->mount_identity() == mount_identity()) {
            TRY(root_node.attributes(out));
            out.type = type;
            out.mode = 0666;
            out.links = 1;
            out.size = 0;
            return {};
        }
        return file->attributes(*lwp, out);
    }
    const void* mount_identity() const override { return &root_node; }
    SysResult<FileRef> open(Lwp& lwp, std::uint32_t flags) override {
        File* file = TRY(lwp.proc.files->find(fd_));
        std::uint32_t access = flags & open_access_mask;
        if ((access != open_write_only && !file->readable()) ||
            (access != open_read_only && !file->writable()))
            return Failure(Errno::eacces);
        return FileRef(file);
    }
    SysResult<void> truncate(std::int64_t) override { return {}; }
    void file_system(FileSystemInformation& out) override { root_node.file_system(out); }

private:
    void inactive() override { lwkt::destroy(this); }
    const int fd_;
};

Vnode* descriptor_node(int fd) {
    return lwkt::construct<DescriptorNode>(fd);
}

// Standard input, output and error of the first process: as /dev/console, but each with its own ring.
class ConsoleFile final : public File {
public:
    explicit ConsoleFile(int stream)
        : File(FileType::vnode, stream == 0 ? open_read_only : open_write_only), stream_(stream) {}
    ~ConsoleFile() = default;
    SysResult<void> read(Lwp& lwp, Uio& uio, const std::int64_t*) override {
        return console->read(lwp, uio, nonblocking());
    }
    SysResult<void> write(Lwp& lwp, Uio& uio, const std::int64_t*) override {
        return console->write(lwp, uio, stream_, nonblocking());
    }
    SysResult<int> ioctl(Lwp& lwp, std::uint64_t command, void* argument) override {
        return device_nodes.node[0].ioctl(lwp, command, argument);
    }
    SysResult<void> attributes(Lwp&, Attributes& out) override {
        return device_nodes.node[0].attributes(out);
    }
    Readiness readiness(Direction direction) override { return console->readiness(stream_, direction); }
    EventSource* events(Direction direction) override { return console->events(direction); }

private:
    void destroy() override { lwkt::destroy(this); }
    const int stream_;
};

} // namespace

Vnode& devfs_root() {
    return root_node;
}

SysResult<FileRef> open_console(int stream) {
    auto* file = lwkt::construct<ConsoleFile>(stream);
    if (!file)
        return Failure(Errno::enomem);
    return FileRef::adopt(file);
}

} // namespace bsd
