// SPDX-License-Identifier: BSD-2-Clause
// Regions, bindings and mappings; attributes of pages; taking a region back.
#include "tests/kernel/check.hpp"

namespace laboratory {

namespace {
constexpr Word read_write = abi::map_read | abi::map_write;

// A batch that advances in steps: calls step(done) until it fails or passed all; how far it came.
template <class Step>
Word in_steps(Step step, Word pages = 512) {
    Word done = 0;
    while (done < pages) {
        Reply reply = step(done);
        done += reply.value;
        if (!reply.ok() || reply.value == 0)
            break;
    }
    return done;
}

} // namespace

void test_regions_and_mapping() {
    Selector part = new_selector(), binding = new_selector();
    Word offset = take_ram(4);
    auto carve = [&](Selector slot, Word from, Word size, Word rights) {
        return invoke(Operation::region_carve, abi::root_ram, slot, abi::root_pool, from, size, rights);
    };
    Word whole = invoke(Operation::region_info, abi::root_ram).value;
    CHECK_ERROR(carve(part, 1, page, 1), bad_argument);
    CHECK_ERROR(carve(part, 0, 0, 1), bad_argument);
    CHECK_ERROR(carve(part, 0, page, 16), bad_argument);
    CHECK_ERROR(carve(part, whole, page, 1), bad_range);
    CHECK_ERROR(carve(part, page, whole, 1), bad_range);
    CHECK_ERROR(carve(part, offset, 2 * page, abi::region_right::read), ok);
    CHECK_EQ(invoke(Operation::region_info, part).value, 2 * page);
    CHECK_ERROR(invoke(Operation::region_carve, part, new_selector(), abi::root_pool, 0, page, 1), no_right);
    CHECK_ERROR(invoke(Operation::bind, abi::root_task, binding, abi::root_pool, part), ok);
    auto map = [&](Word address, Word from, Word pages, Word flags) {
        return invoke(Operation::map, binding, address, from, pages, flags);
    };
    CHECK_ERROR(map(scratch, 0, 1, read_write), no_right); // the region was given read-only
    CHECK_ERROR(map(scratch, 0, 3, abi::map_read), bad_range);
    CHECK_ERROR(map(scratch, 2 * page, 1, abi::map_read), bad_range);
    CHECK_ERROR(map(scratch, ~Word{0} << 12, 1, abi::map_read), bad_range);
    CHECK_ERROR(map(scratch + 1, 0, 1, abi::map_read), bad_address);
    CHECK_ERROR(map(abi::user_end, 0, 1, abi::map_read), bad_address);
    CHECK_ERROR(map(abi::user_end - page, 0, 2, abi::map_read), bad_address);
    CHECK_ERROR(map(0xffff'8000'0000'0000, 0, 1, abi::map_read), bad_address);
    CHECK_ERROR(map(scratch, 0, 1, abi::map_write), bad_argument);
    CHECK_ERROR(map(scratch, 0, 1, 1 << 20), bad_argument);
    CHECK_ERROR(map(scratch, 0, 2, abi::map_read), ok);
    CHECK_ERROR(map(scratch, 0, 1, abi::map_read), occupied);
    CHECK_ERROR(map(scratch, 0, 1, abi::map_read | abi::map_replace), ok);
    CHECK_ERROR(invoke(Operation::protect, abi::root_task, scratch, 1, read_write), no_right);
    (void)*reinterpret_cast<volatile char*>(scratch);
    Reply unmapped = invoke(Operation::unmap, abi::root_task, scratch, 2);
    CHECK_EQ(unmapped.value, 2);
    CHECK_EQ(unmapped.second & 0x20, 0x20); // accessed
    CHECK_ERROR(invoke(Operation::unmap, abi::root_task, abi::user_end, 1), bad_address);

    // Writing sets dirty; kernel pages in the space are out of reach.
    Selector own = new_selector();
    must("bind", invoke(Operation::bind, abi::root_task, own, abi::root_pool, abi::root_ram));
    CHECK_ERROR(invoke(Operation::map, own, scratch, offset, 1, read_write), ok);
    *reinterpret_cast<volatile char*>(scratch) = 1;
    CHECK_EQ(invoke(Operation::unmap, abi::root_task, scratch, 1).second & 0x40, 0x40);
    CHECK_ERROR(
        invoke(Operation::map, own, abi::root_buffer_address, offset, 1, read_write | abi::map_replace),
        occupied);
    CHECK_ERROR(invoke(Operation::unmap, abi::root_task, abi::root_buffer_address, 1), ok);
    *reinterpret_cast<volatile Word*>(abi::root_buffer_address) = 1; // still there

    // Large pages, and one 4 KiB page taken out of the middle.
    Word large = 4 * abi::large_page_size;
    Word address = scratch + (abi::large_page_size - scratch % abi::large_page_size);
    CHECK_EQ(invoke(Operation::map, own, address, large, 512, read_write).value, 512);
    *reinterpret_cast<volatile Word*>(address + 5 * page) = 77;
    CHECK_ERROR(invoke(Operation::unmap, abi::root_task, address + 4 * page, 1), ok);
    CHECK_EQ(*reinterpret_cast<volatile Word*>(address + 5 * page), 77);
    CHECK_ERROR(invoke(Operation::map, own, address + 4 * page, large, 1, read_write), ok);
    CHECK_EQ(in_steps([&](Word done) {
                 return invoke(Operation::unmap, abi::root_task, address + done * page, 512 - done);
             }),
             512);
}

void test_page_attributes() {
    Selector own = new_selector();
    must("bind", invoke(Operation::bind, abi::root_task, own, abi::root_pool, abi::root_ram));
    constexpr Word combining = read_write | abi::map_write_combining;
    auto map = [&](Word address, Word offset, Word pages, Word flags) {
        return invoke(Operation::map, own, address, offset, pages, flags);
    };
    CHECK_ERROR(map(scratch, take_ram(1), 1, combining | abi::map_uncached), bad_argument);
    // The attribute has another bit in a large page, which is an address bit in a small one: split a large
    // page and see that each part still shows its own memory.
    Word large = 6 * abi::large_page_size;
    Word address = (scratch & ~(abi::large_page_size - 1)) + 2 * abi::large_page_size,
         view = address + (1 << 30);
    CHECK_EQ(map(address, large, 512, combining).value, 512);
    CHECK_EQ(map(view, large, 512, read_write).value, 512);
    for (Word i : {0, 1, 2, 255, 511})
        *reinterpret_cast<volatile Word*>(view + i * page) = 1000 + i;
    CHECK_ERROR(invoke(Operation::unmap, abi::root_task, address + 100 * page, 1), ok);
    for (Word i : {0, 1, 2, 255, 511})
        CHECK_EQ(*reinterpret_cast<volatile Word*>(address + i * page), 1000 + i);
    CHECK_ERROR(map(address + 100 * page, large + 100 * page, 1, combining), ok);
    CHECK_EQ(in_steps([&](Word done) {
                 return invoke(Operation::protect, abi::root_task, address + done * page, 512 - done,
                               abi::map_read);
             }),
             512);
    for (Word i : {0, 1, 2, 255, 511})
        CHECK_EQ(*reinterpret_cast<volatile Word*>(address + i * page), 1000 + i);
    // Over tables that are there, a large piece is mapped in small pages.
    CHECK_EQ(in_steps([&](Word done) {
                 return map(address + done * page, large + done * page, 512 - done,
                            read_write | abi::map_replace);
             }),
             512);
    CHECK_EQ(*reinterpret_cast<volatile Word*>(address + 511 * page), 1511);
    for (Word start : {address, view})
        CHECK_EQ(in_steps([&](Word done) {
                     return invoke(Operation::unmap, abi::root_task, start + done * page, 512 - done);
                 }),
                 512);
}

namespace {
bool is_mapped(Word address) { // unmapping tells: it reports the accessed bit, which mapping sets
    return invoke(Operation::unmap, abi::root_task, address, 1).second != 0;
}
} // namespace

// Revoking a region takes every mapping of it, in small and large pages and in every space that bound it, and
// nothing else.
void test_region_revoke() {
    Word before = free_pages();
    Selector part = new_selector(), half = new_selector(), binding = new_selector(), below = new_selector(),
             elsewhere = new_selector(), own = new_selector(), copied = new_selector();
    Child child = make_child();
    constexpr Word size = 4 * abi::large_page_size;
    Word offset = 8 * abi::large_page_size;
    must("carve", invoke(Operation::region_carve, abi::root_ram, part, abi::root_pool, offset, size,
                         abi::region_right::all));
    must("carve",
         invoke(Operation::region_carve, part, half, abi::root_pool, 0, size / 2, abi::region_right::all));
    must("copy", invoke(Operation::capability_copy, abi::root_task, copied, abi::root_task, half,
                        abi::region_right::all, 0));
    must("bind", invoke(Operation::bind, abi::root_task, binding, abi::root_pool, part));
    must("bind", invoke(Operation::bind, abi::root_task, below, abi::root_pool, copied));
    must("bind", invoke(Operation::bind, child.task, elsewhere, abi::root_pool, half));
    must("bind", invoke(Operation::bind, abi::root_task, own, abi::root_pool, abi::root_ram));
    Word address = 0x7000'0000, far = Word{1} << 45, other = take_ram(1);
    CHECK_EQ(invoke(Operation::map, binding, address, 0, 512, read_write).value, 512); // large
    CHECK_ERROR(invoke(Operation::map, below, far, 5 * page, 3, read_write), ok);
    CHECK_ERROR(invoke(Operation::map, below, far + (1 << 30), abi::large_page_size, 512, read_write), ok);
    CHECK_ERROR(invoke(Operation::map, elsewhere, scratch, 0, 1, read_write), ok);
    CHECK_ERROR(invoke(Operation::map, own, far + 8 * page, other, 1, read_write), ok);
    *reinterpret_cast<volatile Word*>(far) = 5;
    CHECK_ERROR(invoke(Operation::capability_revoke, abi::root_task, part), ok);
    CHECK_ERROR(invoke(Operation::map, binding, address, 0, 1, read_write), bad_capability);
    CHECK_ERROR(invoke(Operation::map, below, address, 0, 1, read_write), bad_capability);
    CHECK_ERROR(invoke(Operation::map, elsewhere, address, 0, 1, read_write), bad_capability);
    CHECK_ERROR(invoke(Operation::region_info, half), bad_capability);
    CHECK_ERROR(invoke(Operation::region_info, copied), bad_capability);
    CHECK_EQ(invoke(Operation::region_info, part).value, size); // what was revoked below stays itself
    CHECK(!is_mapped(address) && !is_mapped(address + 511 * page));
    CHECK(!is_mapped(far) && !is_mapped(far + 2 * page) && !is_mapped(far + (1 << 30)));
    CHECK(is_mapped(far + 8 * page)); // through a binding that was not derived from it
    CHECK_EQ(invoke(Operation::unmap, child.task, scratch, 1).second, 0);
    CHECK(invoke(Operation::unmap, child.task, child_data, 1).second != 0);
    // A binding ends with its first capability too.
    must("bind", invoke(Operation::bind, abi::root_task, binding, abi::root_pool, part));
    CHECK_ERROR(invoke(Operation::map, binding, address, 0, 1, read_write), ok);
    CHECK_ERROR(invoke(Operation::capability_delete, abi::root_task, binding), ok);
    CHECK(!is_mapped(address));
    // And with the pool that it came from, though its space lives on.
    Selector pool = new_selector();
    must("pool", invoke(Operation::pool_create, abi::root_pool, pool, 4));
    must("bind", invoke(Operation::bind, abi::root_task, binding, pool, part));
    CHECK_ERROR(invoke(Operation::map, binding, address, 0, 1, read_write), ok);
    CHECK_ERROR(invoke(Operation::pool_destroy, pool), ok);
    CHECK(!is_mapped(address));
    CHECK_ERROR(invoke(Operation::capability_delete, abi::root_task, part), ok);
    CHECK_ERROR(invoke(Operation::capability_delete, abi::root_task, own), ok);
    CHECK_ERROR(invoke(Operation::task_destroy, child.task), ok);
    CHECK(before - free_pages() <= 10); // page tables of this task stay, and pages of its capability table
}

} // namespace laboratory
