// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/exec.hpp"

#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/kern/cpu.hpp"
#include "bsd-personality/kern/debug.hpp"
#include "bsd-personality/kern/exec_layout.hpp"
#include "bsd-personality/kern/exec_script.hpp"
#include "bsd-personality/kern/random.hpp"
#include "bsd-personality/kern/stack_image.hpp"
#include "bsd-personality/kern/timekeep.hpp"
#include "bsd-personality/kern/upmap.hpp"
#include "bsd-personality/vfs/namei.hpp"
#include "bsd-personality/vm/usermem.hpp"
#include "lwkt/slab.hpp"

#include <cstring>

namespace bsd {

namespace {

// One page an ABI, shared read-only by all processes: the signal trampoline, and what kern/timekeep.cpp
// writes. Immutable after start.
Ref<vm::Object> trampolines[2];

const Abi* const abis[] = {&freebsd_abi, &dragonfly_abi};

// The bytes of a file's object.
class ObjectSource final : public ElfSource {
public:
    explicit ObjectSource(vm::Object& object) : object_(object) {}
    bool read(std::uint64_t offset, void* to, std::uint64_t size) const override {
        if (offset > object_.size() || size > object_.size() - offset)
            return false;
        for (auto* out = static_cast<std::byte*>(to); size != 0;) {
            std::uint64_t within = offset & vm::page_mask, run = least(size, vm::page_size - within);
            std::memcpy(out, object_.page(offset >> vm::page_shift) + within, run);
            out += run, offset += run, size -= run;
        }
        return true;
    }
    std::uint64_t size() const override { return object_.size(); }

private:
    vm::Object& object_;
};

class SpaceWriter final : public StackWriter {
public:
    explicit SpaceWriter(VmSpace& space) : space_(space) {}
    SysResult<void> put(std::uint64_t address, const void* from, std::uint64_t size) override {
        return copyout(space_, from, UserAddress{address}, size);
    }

private:
    VmSpace& space_;
};

// A reference to a space that goes unless it is kept.
struct SpaceHolder {
    VmSpace* space;
    ~SpaceHolder() {
        if (space)
            space->unref();
    }
};

SysResult<void> map_segments(VmSpace& space, vm::Object& object, const ElfFile& file, std::uint64_t bias) {
    for (unsigned i = 0; i < file.segment_count; i++) {
        const ElfSegment& segment = file.segments[i];
        std::uint64_t start = vm::round_down(segment.address + bias);
        std::uint64_t file_end = segment.address + bias + segment.file_size;
        std::uint64_t end = vm::round_up(segment.address + bias + segment.memory_size);
        std::uint64_t middle = segment.file_size ? vm::round_up(file_end) : start;
        bool tail =
            segment.memory_size > segment.file_size && segment.file_size && (file_end & vm::page_mask);
        MapRequest request;
        request.fixed = true;
        if (segment.file_size) {
            request.address = start;
            request.length = middle - start;
            request.protection =
                static_cast<std::uint8_t>(segment.protection | (tail ? vm::protection_write : 0));
            request.object = &object;
            request.no_core = !(segment.protection & vm::protection_write); // the file has it
            request.offset = vm::round_down(segment.offset);
            TRY(space.map(request));
            if (tail) {
                TRY(zero_user(space, UserAddress{file_end},
                              least(middle, segment.address + bias + segment.memory_size) - file_end));
                if (!(segment.protection & vm::protection_write))
                    TRY(space.protect(start, middle, segment.protection));
            }
        }
        if (end > middle) {
            request = MapRequest{};
            request.fixed = true;
            request.address = middle;
            request.length = end - middle;
            request.protection = segment.protection;
            TRY(space.map(request));
        }
    }
    return {};
}

SysResult<void> map_stack(VmSpace& space, const Abi& abi, const ElfFile& file, const ExecLayout& layout,
                          std::uint64_t limit) {
    auto protection = static_cast<std::uint8_t>(vm::protection_read | vm::protection_write |
                                                (file.executable_stack ? vm::protection_execute : 0));
    space.limits.stack = least(most(limit, std::uint64_t{1} << 20), abi.max_stack);
    MapRequest request;
    request.fixed = true;
    request.stack = true;
    request.protection = protection;
    request.address = layout.stack_end - abi.max_stack;
    request.length = abi.max_stack;
    TRY(space.map(request));
    request = MapRequest{};
    request.fixed = true;
    request.shared = true;
    request.address = layout.shared_page;
    request.length = vm::page_size;
    request.protection = request.max_protection = vm::protection_read | vm::protection_execute;
    request.object = trampolines[static_cast<unsigned>(abi.kind) - 1].get();
    TRY(space.map(request));
    if (abi.stack_top >
        abi.sigcode_address + vm::page_size) { // what lies above the trampoline, for ps_strings
        request = MapRequest{};
        request.fixed = true;
        request.address = abi.sigcode_address + vm::page_size;
        request.length = abi.stack_top - request.address;
        request.protection = vm::protection_read | vm::protection_write;
        TRY(space.map(request));
    }
    return {};
}

const Abi* abi_of(const ElfFile& file) {
    if (file.brand == ElfBrand::freebsd)
        return &freebsd_abi;
    if (file.brand == ElfBrand::dragonfly)
        return &dragonfly_abi;
    // DragonFly's static executables from other tool chains carry no brand; FreeBSD refuses such files.
    if (file.brand == ElfBrand::none && default_abi->kind == AbiKind::dragonfly)
        return &dragonfly_abi;
    return nullptr;
}

Errno to_errno(ElfError error) {
    return error == ElfError::bad_segment ? Errno::einval : Errno::enoexec;
}

SysResult<void> check_executable(Lwp& lwp, Vnode& vnode) {
    if (vnode.type != VnodeType::regular)
        return Failure(Errno::eacces);
    Attributes attributes;
    TRY(vnode.attributes(attributes));
    if (!(attributes.mode & 0111))
        return Failure(Errno::eacces);
    return check_permission(vnode, *lwp.proc.cred, may_exec);
}

// Loads the interpreter named in a dynamically linked program, at `from` or right behind. Returns its entry;
// `base` is where it was loaded.
SysResult<std::uint64_t> load_interpreter(Lwp& lwp, VmSpace& space, const ElfFile& program,
                                          std::uint64_t from, std::uint64_t& base) {
    VnodeRef vnode = TRY(find_vnode(lwp, text(program.interpreter)));
    TRY(check_executable(lwp, *vnode));
    vm::Object* object = TRY(vnode->object());
    auto parsed = parse_elf(ObjectSource(*object));
    if (!parsed)
        return Failure(to_errno(parsed.error()));
    const ElfFile& file = parsed.value();
    if (!file.position_independent || file.interpreter[0])
        return Failure(Errno::enoexec);
    base = (from + file.alignment - 1) & ~(file.alignment - 1);
    if (base < file.low || file.high > user_address_end - base)
        return Failure(Errno::enoexec);
    TRY(map_segments(space, *object, file, base));
    return file.entry + base;
}

void absolute_path(Lwp& lwp, Text path, char (&out)[1024]) {
    unsigned length = 0;
    if (path.size != 0 && path[0] != '/' && lwp.proc.cwd) {
        auto directory = directory_path(*lwp.proc.root, *lwp.proc.cwd, out, sizeof out - 1);
        length = directory ? directory.value() : 0;
        if (length > 1 || length == 0)
            out[length++] = '/';
    }
    std::uint64_t count = least(path.size, sizeof out - 1 - length);
    std::memcpy(out + length, path.data, count);
    out[length + count] = '\0';
}

void remember_arguments(Proc& proc, const ExecStrings& strings) {
    if (proc.arguments)
        lwkt::release(proc.arguments, proc.arguments_size);
    proc.arguments = nullptr;
    proc.arguments_size = 0;
    std::uint64_t size = 0;
    for (std::uint32_t i = 0; i < strings.argument_count; i++)
        while (size < strings.size() && strings.data()[size++] != '\0')
            ;
    if (size == 0 || size > 65536 || !(proc.arguments = static_cast<char*>(lwkt::allocate(size))))
        return; // only for ps: may be missing
    std::memcpy(proc.arguments, strings.data(), size);
    proc.arguments_size = static_cast<std::uint32_t>(size);
}

// The new program stands: everything of the old one goes. Nothing here fails.
void commit(Lwp& lwp, const Abi& abi, const ElfFile& file, const ExecLayout& layout, VmSpace* space,
            VnodeRef vnode, const char* path, ExecIds ids) {
    Proc& proc = lwp.proc;
    proc.cred = static_cast<UcredRef&&>(ids.cred);
    if (ids.gains)
        proc.flags |= proc_set_id, proc.memory_policy = {};
    else if (proc.cred->uid == proc.cred->ruid && proc.cred->gid == proc.cred->rgid)
        proc.flags &= ~std::uint32_t{proc_set_id};
    VmSpace* old = proc.vmspace;
    proc.usage.max_resident = usage_of(proc).max_resident;
    proc.vmspace = space;
    if (old)
        old->unref();
    proc.abi = &abi;
    proc.osrel = file.osrel;
    proc.features = file.features;
    drop_process_page(proc);
    drop_thread_page(lwp);
    proc.memory_policy.no_stack_gap = proc.memory_policy.no_stack_gap_after_exec;
    proc.sigcode = layout.shared_page;
    proc.ps_strings = layout.ps_strings;
    proc.user_stack = vm::round_up(layout.stack_top);
    proc.text = static_cast<VnodeRef&&>(vnode);
    proc.path.assign(text(path));
    const char* last = path;
    for (const char* at = path; *at; at++)
        if (*at == '/' && at[1])
            last = at + 1;
    std::memset(proc.command, 0, sizeof proc.command);
    for (unsigned i = 0; i + 1 < sizeof proc.command && last[i]; i++)
        proc.command[i] = last[i];
    std::memset(lwp.name, 0, sizeof lwp.name);
    for (std::uint64_t& list : lwp.robust_lists)
        list = 0;
    reset_signals_for_exec(lwp);
    reset_fpu(lwp);
    proc.barriers = 0;
    proc.umtx_min_timeout = 0;
    proc.flags |= proc_executed;
    if (proc.cred->uid == proc.cred->ruid && proc.cred->gid == proc.cred->rgid)
        proc.flags &= ~proc_set_id; // of what the old program did with its ids nothing is left
    release_vfork_parent(proc);
    note_debug_event(lwp, debug_exec, stop_exec);
    proc.events.notify(0x2000'0000 /* NOTE_EXEC */);
}

} // namespace

const Abi* default_abi = &freebsd_abi;

SysResult<void> initialize_exec() {
    for (unsigned i = 0; i < 2; i++) {
        trampolines[i] = vm::Object::create_anonymous();
        if (!trampolines[i])
            return Failure(Errno::enomem);
        std::byte* page = TRY(trampolines[i]->page_for_write(0));
        std::memset(page, 0xcc, vm::page_size);
        std::memcpy(page, abis[i]->trampoline, abis[i]->trampoline_size);
        if (abis[i]->kind == AbiKind::freebsd)
            start_timekeep(*reinterpret_cast<VdsoTimekeep*>(page + timekeep_offset));
    }
    return {};
}

SysResult<void> exec_program(Lwp& lwp, Text path, ExecStrings& strings, ExecFailure* failure) {
    VnodeRef vnode = TRY(find_vnode(lwp, path));
    return exec_vnode(lwp, static_cast<VnodeRef&&>(vnode), path, strings, failure);
}

SysResult<void> exec_vnode(Lwp& lwp, VnodeRef vnode, Text path, ExecStrings& strings, ExecFailure* failure) {
    Proc& proc = lwp.proc;
    TRY(check_executable(lwp, *vnode));
    vm::Object* object = TRY(vnode->object());
    Ref<vm::Object> hold(object);
    char absolute[path_max] = {};
    absolute_path(lwp, path, absolute);
    if (is_script(ObjectSource(*object))) {
        const AbiKind rules = (proc.abi ? proc.abi : default_abi)->kind;
        char interpreter[path_max];
        TRY(expand_script(ObjectSource(*object), rules, path, strings, interpreter, sizeof interpreter));
        vnode = TRY(find_vnode(lwp, text(interpreter)));
        TRY(check_executable(lwp, *vnode));
        object = TRY(vnode->object());
        hold = Ref<vm::Object>(object);
        if (is_script(ObjectSource(*object))) // a script does not run scripts
            return Failure(rules == AbiKind::freebsd ? Errno::eloop : Errno::enoexec);
        absolute_path(lwp, text(interpreter), absolute);
    }
    auto parsed = parse_elf(ObjectSource(*object));
    if (!parsed) {
        if (failure)
            failure->elf = parsed.error();
        return Failure(to_errno(parsed.error()));
    }
    const ElfFile& file = parsed.value();
    const Abi* abi = abi_of(file);
    if (!abi) {
        if (failure)
            failure->elf = ElfError::unknown_abi;
        return Failure(Errno::enoexec);
    }

    SpaceHolder holder{VmSpace::create()};
    if (!holder.space)
        return Failure(Errno::enomem);
    VmSpace& space = *holder.space;
    const ExecLayout layout = layout_for(proc, *abi, file, TRY(ids_for_exec(proc, *vnode)).gains);
    const std::uint64_t bias = layout.bias;
    if (file.high > user_address_end - bias || file.high + bias > layout.stack_end - abi->max_stack ||
        file.low + bias == 0)
        return Failure(Errno::enoexec);
    space.limits.total = proc.limits[limit_vmem].current;
    space.limits.data = proc.limits[limit_data].current;
    space.limits.locked = proc.limits[limit_memlock].current;
    TRY(map_segments(space, *object, file, bias));
    space.set_layout({.program = vm::round_down(file.low + bias),
                      .heap = layout.heap,
                      .heap_end = layout.heap_end,
                      .base = layout.map_base,
                      .keep_heap_room = memory_settings.honor_break || !layout.randomized});
    space.randomized = layout.randomized;
    TRY(map_stack(space, *abi, file, layout, proc.limits[limit_stack].current));

    ExecImage image;
    image.entry = image.start = file.entry + bias;
    image.base = bias;
    if (file.interpreter[0])
        image.start = TRY(load_interpreter(lwp, space, file, layout.interpreter, image.base));
    image.strings = strings.data();
    image.strings_size = strings.size();
    image.argument_count = strings.argument_count;
    image.environment_count = strings.environment_count;
    image.path = text(absolute);
    image.headers = file.headers ? file.headers + bias : 0;
    image.header_count = file.header_count;
    image.header_flags = file.flags;
    image.executable_stack = file.executable_stack;
    image.stack_limit = space.limits.stack;
    image.stack_top = layout.stack_top;
    image.ps_strings = layout.ps_strings;
    image.shared_page = layout.shared_page;
    image.stack_gap = abi->kind == AbiKind::dragonfly ? random_stack_gap() : 0;
    image.cpus = lwkt::cpu_count();
    random_source.fill(image.canary, sizeof image.canary);
    UserContext registers = *lwp.frame;
    SpaceWriter writer(space);
    TRY(abi->build_stack(image, writer, registers));
    space.expect(registers.rip, glue::Access::execute);

    TRY(single_thread(lwp)); // sleeps
    if (!proc.actions.unshare())
        return Failure(Errno::enomem);
    ExecIds ids = TRY(ids_for_exec(proc, *vnode));
    if (ids.gains)
        TRY(fill_standard_files(lwp)); // so that its messages go into no file that it opens
    // From here on nothing fails.
    if (proc.files->references() > 1)
        if (FileTable* own = proc.files->copy()) {
            proc.files->unref();
            proc.files = own;
        }
    proc.files->close_on_exec();
    if (ids.gains)
        (void)fill_standard_files(lwp); // those that went just now; there is room for them
    proc.timers.stop_all(true);
    remember_arguments(proc, strings);
    *lwp.frame = registers;
    holder.space = nullptr;
    commit(lwp, *abi, file, layout, &space, static_cast<VnodeRef&&>(vnode), absolute,
           static_cast<ExecIds&&>(ids));
    return {};
}

} // namespace bsd
