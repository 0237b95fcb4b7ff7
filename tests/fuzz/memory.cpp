// SPDX-License-Identifier: BSD-2-Clause
// Mapping, unmapping, protecting; and probing what a guest really sees at an address.
#include "tests/fuzz/puppet.hpp"

namespace fuzz {

namespace {

constexpr Word all_flags = abi::map_read | abi::map_write | abi::map_execute | abi::map_uncached |
                           abi::map_replace | abi::map_write_combining;
constexpr Word rights_flags = abi::map_read | abi::map_write | abi::map_execute;

Word random_flags() {
    Word flags = abi::map_read;
    flags |= random.one_in(2) ? Word{abi::map_write} : 0;
    flags |= random.one_in(3) ? Word{abi::map_execute} : 0;
    flags |= random.one_in(3) ? Word{abi::map_replace} : 0;
    return random.one_in(32) ? random.next() & 127 : flags;
}

Word random_place() {
    if (random.one_in(40)) {
        const Word wild[] = {abi::user_end, abi::user_end - page, 0xffff'8000'0000'0000, 0x5000'0800,
                             ~Word{0xfff}};
        return wild[random.below(5)];
    }
    return windows[random.below(window_count)] +
           (random.one_in(3) ? random.below(2) * 512 : random.below(window_pages)) * page;
}

// A range that stays in its window, so that the model follows all of it.
Word random_pages(Word address) {
    for (Word window : windows)
        if (address >= window && address < window + window_pages * page) {
            Word rest = window_pages - (address - window) / page;
            return random.one_in(6)   ? rest
                   : random.one_in(6) ? (rest < 512 ? rest : 512)
                                      : 1 + random.below(rest < 8 ? rest : 8);
        }
    return 1 + random.below(3);
}

bool user_range(Word address, Word pages) {
    return address % page == 0 && pages <= abi::user_end / page && address <= abi::user_end - pages * page;
}

void look_flags(Word flags, Expect& expect) {
    constexpr Word one_of = abi::map_uncached | abi::map_write_combining;
    expect.on(flags & ~all_flags || !(flags & abi::map_read) || (flags & one_of) == one_of,
              Error::bad_argument);
}

std::uint8_t may_of(std::uint32_t rights) {
    return static_cast<std::uint8_t>((rights & abi::region_right::write ? Word{abi::map_write} : 0) |
                                     (rights & abi::region_right::execute ? Word{abi::map_execute} : 0));
}

// Why the kernel may refuse the page.
bool refusable(Space& space, Word address, Word ram, Word rest, bool replace) {
    Page& at = *space.at(address);
    bool whole = rest >= 512 && address % abi::large_page_size == 0 && ram % 512 == 0;
    for (Word i = 0; i < (whole ? 512 : 1); ++i) {
        Page& one = (&at)[i];
        if (one.kernel_owned || (one.ram != nobody && !replace))
            return true;
    }
    return false;
}

void split(Space& space, Word address) {
    Page* at = space.at(address & ~(abi::large_page_size - 1));
    for (Word i = 0; i < 512; ++i)
        at[i].large = false;
    space.table_at(address) = true;
}

} // namespace

int task_of_binding(int binding) {
    int task = model[binding].task;
    return task == static_cast<int>(max_objects) ? 0 : model.task_index(task);
}

void map_error(int binding, Word address, Word offset, Word flags, Expect& expect) {
    const Object& b = model[binding];
    look_flags(flags, expect);
    expect.on(flags & (abi::map_write | abi::map_execute) & ~Word{may_of(b.rights)}, Error::no_right)
        .on(address >= abi::user_end, Error::bad_address)
        .on(offset % page || offset >= b.size * page, Error::bad_range);
    if (!expect.fine())
        return;
    Space& space = model.tasks[task_of_binding(binding)].space;
    if (space.at(address))
        expect.on(refusable(space, address, b.base + offset / page, 1, flags & abi::map_replace),
                  Error::occupied);
}

void model_map(int binding, Word address, Word offset, Word pages, Word flags) {
    const Object& b = model[binding];
    Space& space = model.tasks[task_of_binding(binding)].space;
    for (Word i = 0; i < pages;) {
        Word at = address + i * page, ram = b.base + offset / page + i;
        bool whole =
            pages - i >= 512 && at % abi::large_page_size == 0 && ram % 512 == 0 && !space.table_at(at);
        if (!whole && !space.table_at(at))
            split(space, at);
        for (Word j = 0; j < (whole ? 512 : 1); ++j)
            *space.at(at + j * page) = {static_cast<std::int32_t>(ram + j),
                                        static_cast<std::uint8_t>(flags & rights_flags),
                                        may_of(b.rights),
                                        false,
                                        false,
                                        whole,
                                        false,
                                        binding};
        i += whole ? 512 : 1;
    }
}

namespace {

void map_step(Actor actor) {
    Selector selector = pick(actor, Kind::binding);
    Expect expect;
    int binding = look(actor, selector, Kind::binding, abi::binding_right::map, expect);
    Word address = random_place(), pages = random_pages(address), flags = random_flags();
    Word offset = random.one_in(2) ? random.below(2) * 512 * page : random.below(ram_pages) * page;
    offset += random.one_in(40) ? 5 : 0;
    look_flags(flags, expect);
    expect.on(!user_range(address, pages), Error::bad_address);
    int task = nobody;
    if (binding != nobody) {
        const Object& b = model[binding];
        expect.on(flags & (abi::map_write | abi::map_execute) & ~Word{may_of(b.rights)}, Error::no_right);
        expect.on(offset % page || offset > b.size * page || pages > b.size - offset / page,
                  Error::bad_range);
        task = task_of_binding(binding);
        int object = model.tasks[task].object;
        expect.memory = object == nobody ? nobody : model[object].pool;
    }
    if (!expect.fine()) {
        check(issue(actor, Operation::map, selector, address, offset, pages, flags), expect);
        return;
    }
    Space& space = model.tasks[task].space;
    if (!space.at(address))
        return; // allowed, but not followed
    Reply reply = issue(actor, Operation::map, selector, address, offset, pages, flags);
    bool replace = flags & abi::map_replace;
    Word ram = model[binding].base + offset / page;
    if (reply.value > pages)
        disagree("pages mapped", reply.value, pages);
    if (reply.error == Error::occupied) {
        if (reply.value == pages ||
            !refusable(space, address + reply.value * page, ram + reply.value, pages - reply.value, replace))
            disagree("error (nothing is in the way)", static_cast<Word>(reply.error), 0);
    } else if (!check(reply, expect)) {
        // exhausted
    } else if (reply.value == 0) {
        disagree("pages mapped", 0, pages);
    }
    for (Word i = 0; i < reply.value; ++i) {
        Page& at = *space.at(address + i * page);
        if (at.kernel_owned || (at.ram != nobody && !replace))
            disagree("map over an occupied page", i, 0);
    }
    model_map(binding, address, offset, reply.value, flags);
    // Tables may have been made on the way to a page that was refused.
    Word end = address + reply.value * page;
    if (Page* at = space.at(end); at && reply.value < pages && !reply.ok()) {
        bool whole =
            pages - reply.value >= 512 && end % abi::large_page_size == 0 && (ram + reply.value) % 512 == 0;
        if (!at->large)
            space.table_at(end) |= !whole;
        else if (reply.error == Error::occupied && !whole)
            split(space, end);
    }
}

// unmap and protect: a range of a task's space, in a call that may come part of the way.
void range_step(Actor actor, bool protect) {
    Selector selector =
        actor.puppet == nobody && random.one_in(2) ? Selector{abi::root_task} : pick(actor, Kind::task);
    Expect expect;
    int task = 0;
    if (actor.puppet != nobody || selector != abi::root_task) {
        int object = look(actor, selector, Kind::task, abi::task_right::map, expect);
        task = object == nobody ? nobody : model.task_index(object);
        expect.memory = object == nobody ? nobody : model[object].pool;
    } else {
        expect.memory = nobody;
    }
    Word address = random_place(), pages = random_pages(address),
         flags = random_flags() & ~Word{abi::map_replace};
    expect.on(!user_range(address, pages), Error::bad_address);
    if (protect)
        look_flags(flags, expect);
    auto run = [&] {
        return protect ? issue(actor, Operation::protect, selector, address, pages, flags)
                       : issue(actor, Operation::unmap, selector, address, pages);
    };
    if (!expect.fine()) {
        check(run(), expect);
        return;
    }
    Space& space = model.tasks[task].space;
    if (!space.at(address))
        return;
    auto refuses = [&](const Page& at) {
        return protect && at.ram != nobody && !at.kernel_owned &&
               flags & (abi::map_write | abi::map_execute) & ~Word{at.may};
    };
    Reply reply = run();
    if (reply.value > pages)
        disagree("pages visited", reply.value, pages);
    if (reply.error == Error::no_right && reply.value < pages &&
        refuses(*space.at(address + reply.value * page))) {
        // as it must
    } else if (check(reply, expect) && reply.value == 0) {
        disagree("pages visited", 0, pages);
    }
    bool any = false, dirty = false, maybe = false;
    for (Word i = 0; i < reply.value; ++i) {
        Word here = address + i * page;
        Page& at = *space.at(here);
        if (at.ram == nobody || at.kernel_owned)
            continue;
        if (refuses(at))
            disagree("protect beyond the binding's rights", i, 0);
        bool whole = here % abi::large_page_size == 0 && reply.value - i >= 512;
        if (at.large && !whole && (here % abi::large_page_size == 0 || i == 0))
            split(space, here);
        any = true;
        dirty |= at.dirty;
        maybe |= at.maybe;
        at.dirty = at.maybe = false;
        if (protect)
            at.flags = static_cast<std::uint8_t>(flags & rights_flags);
        else
            at = {};
    }
    constexpr Word accessed_bit = 0x20, dirty_bit = 0x40;
    if (dirty || !maybe)
        equal("dirty bit", reply.second & dirty_bit, dirty ? dirty_bit : 0);
    if (!any)
        equal("accessed bit", reply.second & accessed_bit, 0);
    // A large page of which a part was to be visited may have been split even if that was all.
    Word end = address + reply.value * page;
    if (reply.error == Error::no_right && space.at(end)->large &&
        (end % abi::large_page_size != 0 || pages - reply.value < 512))
        split(space, end);
}

enum class Probe : Word { load, store, jump };

} // namespace

// Loads the first word of the page at `address`, or stores its second.
IN_CHILD void probe_main(Word) {
    asm volatile("test %%rsi, %%rsi\n"
                 "jnz 1f\n"
                 "mov (%%rdi), %%rax\n"
                 "syscall\n"
                 "1: mov %%rdx, 8(%%rdi)\n"
                 "syscall\n" ::
                     : "memory");
}

void probe_step() {
    int task = static_cast<int>(random.below(max_tasks));
    Task& t = model.tasks[task];
    if ((task != 0 && t.object == nobody) || !t.has_text)
        return;
    Word address = windows[random.below(window_count)] + random.below(window_pages) * page;
    for (unsigned i = 0; i < 64 && t.space.at(address)->ram == nobody; ++i) // rather where something is
        address = windows[random.below(window_count)] + random.below(window_pages) * page;
    Page& at = *t.space.at(address);
    auto probe = static_cast<Probe>(random.below(3));
    if (probe == Probe::jump && at.ram != nobody && at.flags & abi::map_execute)
        probe = Probe::load;
    if (at.kernel_owned)
        return;
    auto& vcpu = *reinterpret_cast<volatile abi::VcpuPage*>(guest_page);
    Word value = random.next();
    vcpu.user.rip = probe == Probe::jump ? address : reinterpret_cast<Word>(&probe_main);
    vcpu.user.rdi = address;
    vcpu.user.rsi = static_cast<Word>(probe);
    vcpu.user.rdx = value;
    vcpu.user.rsp = address;
    vcpu.user.rflags = 0x202;
    vcpu.user.vector = 0;
    Selector selector = task == 0 ? Selector{abi::root_task} : golden + static_cast<Selector>(t.object);
    Reply reply = issue({}, Operation::vcpu_run, selector);
    equal("vcpu_run", static_cast<Word>(reply.error), 0);
    bool mapped = at.ram != nobody;
    bool allowed = mapped && probe != Probe::jump && (probe == Probe::load || at.flags & abi::map_write);
    if (allowed) {
        equal("trap of a probe", reply.value, static_cast<Word>(abi::Trap::system_call));
        if (probe == Probe::load) {
            equal("page seen by a guest", vcpu.user.rax, static_cast<Word>(at.ram));
        } else {
            model.ram_word[at.ram] = value;
            equal("word stored by a guest",
                  *reinterpret_cast<volatile Word*>(ram_address + static_cast<Word>(at.ram) * page + 8),
                  value);
            at.dirty = true;
            Page* first = t.space.at(address & ~(abi::large_page_size - 1));
            for (Word i = 0; i < 512; ++i)
                first[i].maybe = true;
        }
        return;
    }
    equal("trap of a probe", reply.value, static_cast<Word>(abi::Trap::page_fault));
    equal("fault address", vcpu.fault_address, probe == Probe::store ? address + 8 : address);
    equal("fault code", vcpu.user.error,
          4u | (mapped ? 1 : 0) | (probe == Probe::store ? 2 : 0) | (probe == Probe::jump ? 16 : 0));
}

void memory_step(Actor actor) {
    switch (random.below(5)) {
    case 0:
    case 1:
    case 2:
        return map_step(actor);
    case 3:
        return range_step(actor, false);
    default:
        return range_step(actor, true);
    }
}

} // namespace fuzz
