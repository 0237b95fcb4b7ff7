// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/upmap.hpp"

#include "bsd-personality/kern/random.hpp"
#include "bsd-personality/kern/text.hpp"
#include "bsd-personality/kern/timekeep.hpp"
#include "bsd-personality/vm/vmspace.hpp"

#include <cstring>

namespace bsd {

namespace {

// Types of what is in a page: number | size << 8, where 2 is 4 bytes, 3 is 8, 5 is 32, 10 is 1024.
enum UserMapType : std::uint16_t {
    type_version = 0x0201,
    type_ticks = 0x8200,
    type_up_time = 0x8501,
    type_wall_time = 0x8502,
    type_counter_rate = 0x8303,
    type_tick_rate = 0x8304,
    type_fast_clock = 0x8205,
    type_fork_id = 0x0311,
    type_pid = 0x0212,
    type_process_title = 0x0a13,
    type_vforks = 0x0214,
    type_thread_title = 0x4a13,
    type_tid = 0x4214,
};

vm::Object* kernel_page; // for ever, once made

template <class Page>
Page* page_of(vm::Object* object) {
    return object ? reinterpret_cast<Page*>(object->page_for_write(0).value()) : nullptr;
}

// A page of zeros with its list; what lies behind it in the mapping is not there.
template <class Page, std::size_t Count>
SysResult<vm::Object*> make_page(const UserMapHeader (&header)[Count]) {
    auto object = vm::Object::create_file(vm::page_size);
    if (!object)
        return Failure(Errno::enomem);
    auto* page = reinterpret_cast<Page*>(TRY(object->page_for_write(0)));
    std::memcpy(page->header, header, sizeof header);
    page->version = 1;
    object->ref(); // for who keeps it
    return object.get();
}

SysResult<vm::Object*> make_process_page(const Proc& proc) {
    constexpr UserMapHeader header[] = {{type_version, offsetof(ProcessPage, version)},
                                        {type_fork_id, offsetof(ProcessPage, fork_id)},
                                        {type_pid, offsetof(ProcessPage, pid)},
                                        {type_process_title, offsetof(ProcessPage, title)},
                                        {type_vforks, offsetof(ProcessPage, vforks)}};
    vm::Object* object = TRY(make_page<ProcessPage>(header));
    auto* page = page_of<ProcessPage>(object);
    page->pid = proc.pid;
    random_source.fill(&page->fork_id, sizeof page->fork_id);
    return object;
}

SysResult<vm::Object*> make_thread_page(const Lwp& lwp) {
    constexpr UserMapHeader header[] = {{type_version, offsetof(ThreadPage, version)},
                                        {type_thread_title, offsetof(ThreadPage, title)},
                                        {type_tid, offsetof(ThreadPage, tid)}};
    vm::Object* object = TRY(make_page<ThreadPage>(header));
    auto* page = page_of<ThreadPage>(object);
    page->tid = static_cast<std::uint32_t>(lwp.tid);
    std::memcpy(page->title, lwp.name, sizeof lwp.name);
    return object;
}

void drop(vm::Object*& object) {
    if (vm::Object* old = object) {
        object = nullptr;
        old->unref();
    }
}

} // namespace

SysResult<vm::Object*> kernel_page_object() {
    constexpr UserMapHeader header[] = {{type_version, offsetof(KernelPage, version)},
                                        {type_ticks, offsetof(KernelPage, ticks)},
                                        {type_up_time, offsetof(KernelPage, up_time)},
                                        {type_wall_time, offsetof(KernelPage, wall_time)},
                                        {type_counter_rate, offsetof(KernelPage, counter_rate)},
                                        {type_tick_rate, offsetof(KernelPage, tick_rate)},
                                        {type_fast_clock, offsetof(KernelPage, fast_clock)}};
    if (!kernel_page) {
        kernel_page = TRY(make_page<KernelPage>(header));
        auto* page = page_of<KernelPage>(kernel_page);
        page->counter_rate = static_cast<std::int64_t>(glue::Clock::ticks_per_second());
        publish_ticks(*page);
    }
    return kernel_page;
}

SysResult<vm::Object*> process_page_object(Lwp& lwp) {
    Proc& own = lwp.proc;
    const bool borrowed = (own.flags & proc_vfork_wait) != 0 && own.parent;
    Proc& proc = borrowed ? *own.parent : own;
    if (!proc.user_page) {
        proc.user_page = TRY(make_process_page(proc));
        if (borrowed)
            begin_shared_pages(proc);
    }
    return proc.user_page;
}

SysResult<vm::Object*> thread_page_object(Lwp& lwp) {
    if (!lwp.user_page)
        lwp.user_page = TRY(make_thread_page(lwp));
    return lwp.user_page;
}

bool fork_user_pages(Lwp& parent, Lwp& child) {
    VmSpace& space = *child.proc.vmspace;
    if (parent.proc.user_page) {
        auto made = make_process_page(child.proc);
        if (!made)
            return false;
        child.proc.user_page = made.value();
        page_of<ProcessPage>(made.value())->vforks = 0;
        std::memcpy(page_of<ProcessPage>(made.value())->title,
                    page_of<ProcessPage>(parent.proc.user_page)->title, sizeof(ProcessPage::title));
        space.replace_object(*parent.proc.user_page, *made.value());
    }
    // What the child has mapped of other threads is its own, too: it is the only one.
    for (Lwp* each = parent.proc.lwps.first(); each; each = parent.proc.lwps.next(each)) {
        if (!each->user_page)
            continue;
        if (!child.user_page) {
            auto made = make_thread_page(child);
            if (!made)
                return false;
            child.user_page = made.value();
        }
        space.replace_object(*each->user_page, *child.user_page);
    }
    return true;
}

void begin_shared_pages(Proc& parent) {
    if (auto* page = page_of<ProcessPage>(parent.user_page))
        __atomic_fetch_add(&page->vforks, 1, __ATOMIC_RELAXED);
}

void end_shared_pages(Proc& parent) {
    // The parent may be another one by now, and the program may write there.
    auto* page = page_of<ProcessPage>(parent.user_page);
    if (page && __atomic_load_n(&page->vforks, __ATOMIC_RELAXED) != 0)
        __atomic_fetch_sub(&page->vforks, 1, __ATOMIC_RELAXED);
}

void drop_process_page(Proc& proc) {
    drop(proc.user_page);
}
void drop_thread_page(Lwp& lwp) {
    drop(lwp.user_page);
}

// The program writes to it as it likes: it ends where there is room no more.
Text process_title(const Proc& proc) {
    const auto* page = page_of<ProcessPage>(proc.user_page);
    if (!page)
        return Text();
    std::size_t length = 0;
    while (length + 1 < sizeof page->title && page->title[length] != '\0')
        length++;
    return {page->title, length};
}

char* thread_title(Lwp& lwp) {
    auto* page = page_of<ThreadPage>(lwp.user_page);
    return page ? page->title : nullptr;
}

} // namespace bsd
