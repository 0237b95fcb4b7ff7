// SPDX-License-Identifier: BSD-2-Clause
// The hosted platform: RAM, recorded address spaces, vCPUs as Linux threads, stack switches under sanitizers.
#include "glue/fiber.hpp"
#include "glue/vcpu.hpp"
#include "l4-glue/hosted/method.hpp"
#include "l4-glue/hosted/ram_file.hpp"
#include "l4-glue/hosted/space.hpp"
#include "l4-glue/hosted/zygote.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>

#ifdef LIBELLE_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef LIBELLE_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace glue {

namespace hosted {

StartInformation start_information;
std::byte* ram;
std::span<const std::byte> image;
thread_local void* cpu_local;

thread_local Vcpu* this_vcpu;

namespace {
std::unique_ptr<Vcpu[]> vcpus;
bool jail; // RAM is a file, and address spaces are processes

void set_start(std::uint64_t ram_size, unsigned count) {
    start_information = {};
    start_information.magic = start_magic;
    start_information.ram_size = ram_size;
    start_information.image_size = image.size();
    start_information.vcpus = count;
    std::strcpy(start_information.name, "hosted");
    vcpus = std::make_unique<Vcpu[]>(count);
}
} // namespace

unsigned index_of(const Vcpu& vcpu) {
    return static_cast<unsigned>(&vcpu - vcpus.get());
}

void set_up(std::uint64_t ram_size, unsigned count, std::span<const std::byte> image_bytes) {
    if (ram)
        munmap(ram, start_information.ram_size);
    void* memory =
        mmap(nullptr, ram_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED || count == 0 || count > abi::max_cores)
        std::abort();
    ram = static_cast<std::byte*>(memory);
    image = image_bytes;
    set_start(ram_size, count);
}

const char* set_up_jail(const char* name, std::uint64_t ram_size, unsigned count, int image_file) {
    start_clock();
    int file = make_ram_file(ram_size);
    if (file < 0)
        return "the host has no memory for the jail";
    // Where an offset is aligned the pointer is, too, as native: LWKT's slab masks pointers.
    constexpr std::uint64_t alignment = 4 << 20; // the largest block of the page allocator
    void* memory =
        mmap(nullptr, ram_size + alignment, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return "the host has no address space for the jail's memory";
    auto aligned = (reinterpret_cast<std::uint64_t>(memory) + alignment - 1) & ~(alignment - 1);
    memory = mmap(reinterpret_cast<void*>(aligned), ram_size, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_FIXED | MAP_NORESERVE, file, 0);
    if (memory == MAP_FAILED)
        return "the host has no memory for the jail";
    ram = static_cast<std::byte*>(memory);
    struct stat status {};
    if (image_file >= 0) {
        if (fstat(image_file, &status) != 0 || status.st_size <= 0)
            return "the image cannot be read";
        auto size = static_cast<std::size_t>(status.st_size);
        memory = mmap(nullptr, size, PROT_READ, MAP_SHARED, image_file, 0);
        if (memory == MAP_FAILED)
            return "the image cannot be mapped";
        image = {static_cast<const std::byte*>(memory), size};
    }
    set_start(ram_size, count);
    std::snprintf(start_information.name, sizeof start_information.name, "%s", name);
    jail = true;
#ifndef LIBELLE_TSAN
    upcalls_by_signals = true;
#endif
    fault_block = 32;
    fork_copy = 32;
    if (const char* reason = zygote.start())
        return reason;
    Method method = Method::agent;
    const char* reason = choose_method(method);
    set_processes(method, file, image_file);
    return reason;
}

} // namespace hosted

// One call instead of a fault a page; what happens without it happens later.
void Ram::will_write(RamOffset offset, std::size_t pages) {
    hosted::HostCall host;
    constexpr int populate_for_writing = 23; // MADV_POPULATE_WRITE
    if (hosted::jail)
        (void)madvise(pointer(offset), pages * page_size, populate_for_writing);
}

// --- address spaces
// -----------------------------------------------------------------------------------------------
std::uint64_t AddressSpace::pages_left = ~std::uint64_t{0};

namespace {
int protection_of(Access access) {
    return (has(access, Access::read) ? PROT_READ : 0) | (has(access, Access::write) ? PROT_WRITE : 0) |
           (has(access, Access::execute) ? PROT_EXEC : 0);
}
} // namespace

Outcome<void> AddressSpace::create() {
    hosted::HostCall host;
    if (pages_left == 0)
        return Failure(Error::no_memory);
    created_ = true;
    if (hosted::jail && !(process_ = hosted::Space::create()))
        return Failure(Error::no_memory);
    return {};
}

void AddressSpace::destroy() {
    hosted::HostCall host;
    if (process_) {
        for (unsigned cpu = 0; cpu != Vcpu::count(); ++cpu) {
            Vcpu& vcpu = Vcpu::of(CpuId{cpu});
            std::lock_guard<std::mutex> lock(vcpu.mutex_);
            if (vcpu.live_ == process_)
                __atomic_store_n(&vcpu.live_, nullptr, __ATOMIC_SEQ_CST);
        }
        hosted::Space::retire(process_);
        process_ = nullptr;
    }
    mappings_.clear();
    created_ = false;
}

Outcome<void> AddressSpace::map(UserAddress address, Source source, RamOffset offset, std::size_t pages,
                                Access access) {
    hosted::HostCall host;
    if (!created_)
        return Failure(Error::bad_capability);
    if (source == Source::image && has(access, Access::write))
        return Failure(Error::no_right);
    if ((address.value | offset.value) % page_size != 0 || address.value >= abi::user_end ||
        pages > (abi::user_end - address.value) / page_size)
        return Failure(Error::bad_address);
    std::uint64_t size = source == Source::ram ? start().ram_size : start().image_size;
    size = (size + page_size - 1) / page_size * page_size;
    if (offset.value > size || pages > (size - offset.value) / page_size)
        return Failure(Error::bad_range);
    if (process_) {
        if (reserved_for_platform(address.value, address.value + pages * page_size))
            return Failure(Error::bad_address);
        if (!process_->map(address.value, source, offset.value, pages * page_size, protection_of(access)))
            return Failure(Error::no_memory);
        return {};
    }
    for (std::size_t i = 0; i != pages; ++i) {
        if (pages_left == 0)
            return Failure(Error::no_memory);
        if (pages_left != ~std::uint64_t{0})
            --pages_left;
        mappings_[address.value + i * page_size] = {source, RamOffset{offset.value + i * page_size}, access};
    }
    return {};
}

void AddressSpace::unmap(UserAddress address, std::size_t pages) {
    hosted::HostCall host;
    if (process_)
        return process_->unmap(address.value, pages * page_size);
    mappings_.erase(mappings_.lower_bound(address.value),
                    mappings_.lower_bound(address.value + pages * page_size));
}

void AddressSpace::protect(UserAddress address, std::size_t pages, Access access) {
    hosted::HostCall host;
    if (process_)
        return process_->protect(address.value, pages * page_size, protection_of(access));
    auto end = mappings_.lower_bound(address.value + pages * page_size);
    for (auto at = mappings_.lower_bound(address.value); at != end; ++at)
        at->second.access = access;
}

void AddressSpace::hold() {
    hosted::HostCall host;
    if (process_)
        process_->hold();
}

void AddressSpace::let_go() {
    hosted::HostCall host;
    if (process_)
        process_->let_go();
}

// --- vCPUs
// --------------------------------------------------------------------------------------------------------
Vcpu::EnterHook Vcpu::enter_hook = nullptr;

Vcpu& Vcpu::of(CpuId cpu) {
    return hosted::vcpus[cpu.value];
}

Outcome<void> Vcpu::start_all(CoreEntry entry) {
    auto run = [entry](unsigned cpu) {
        hosted::this_vcpu = &hosted::vcpus[cpu];
        hosted::this_vcpu->accept_upcalls();
        entry(CpuId{cpu});
        hosted::this_vcpu->refuse_upcalls();
        hosted::this_vcpu = nullptr;
    };
    std::vector<std::thread> others;
    for (unsigned cpu = 1; cpu < count(); ++cpu)
        others.emplace_back(run, cpu);
    run(0);
    for (std::thread& thread : others)
        thread.join();
    return {};
}

void Vcpu::signal(std::uint64_t bits) {
    hosted::HostCall host;
    __atomic_fetch_or(&events_, bits, __ATOMIC_SEQ_CST);
    {
        std::lock_guard<std::mutex> lock(mutex_); // the waiter is either before its check or asleep
        const bool known = __atomic_exchange_n(&pending_, true, __ATOMIC_SEQ_CST);
        if (guest_)
            guest_->process().interrupt(hosted::index_of(*this));
        else if (!known) // one signal until events are taken: frames of more would pile up on its stack
            interrupt_own_code();
    }
    changed_.notify_one();
}

void Vcpu::wait() {
    hosted::HostCall host;
    std::unique_lock<std::mutex> lock(mutex_);
    auto is_pending = [this] { return pending(); };
    if (deadline_ == no_deadline)
        return changed_.wait(lock, is_pending);
    changed_.wait_until(lock, hosted::host_time(deadline_), is_pending);
}

bool upcall_due() {
    return hosted::this_vcpu && hosted::this_vcpu->upcall_due();
}

// --- stack switches under sanitizers
// ------------------------------------------------------------------------------
#ifdef LIBELLE_TSAN
bool Fiber::create(std::byte* stack, std::size_t stack_size) {
    bottom = stack;
    size = stack_size;
    tsan = __tsan_create_fiber(0);
    return tsan != nullptr;
}
void Fiber::adopt_current() {
    tsan = __tsan_get_current_fiber();
}
void Fiber::destroy() {
    if (tsan)
        __tsan_destroy_fiber(tsan);
    tsan = nullptr;
}
// Not instrumented: it begins on one fiber and ends on another.
__attribute__((no_sanitize_thread)) void fiber_before_switch(Fiber&, Fiber& to, bool) {
    __tsan_switch_to_fiber(to.tsan, 0);
}
void fiber_after_switch(Fiber&) {}
void memory_released(void*, std::size_t) {}
void memory_allocated(void*, std::size_t) {}
#elif defined(LIBELLE_ASAN)
bool Fiber::create(std::byte* stack, std::size_t stack_size) {
    bottom = stack;
    size = stack_size;
    return true;
}
void Fiber::adopt_current() {
    pthread_attr_t attributes;
    void* stack;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0)
        std::abort();
    pthread_attr_getstack(&attributes, &stack, &size);
    pthread_attr_destroy(&attributes);
    bottom = stack;
}
void Fiber::destroy() {
    if (bottom && size)
        ASAN_UNPOISON_MEMORY_REGION(bottom, size); // frames that exit() left
}
void fiber_before_switch(Fiber& from, Fiber& to, bool for_ever) {
    __sanitizer_start_switch_fiber(for_ever ? nullptr : &from.fake_stack, to.bottom, to.size);
}
void fiber_after_switch(Fiber& me) {
    __sanitizer_finish_switch_fiber(me.fake_stack, nullptr, nullptr);
}
void memory_released(void* memory, std::size_t size) {
    ASAN_POISON_MEMORY_REGION(memory, size);
}
void memory_allocated(void* memory, std::size_t size) {
    ASAN_UNPOISON_MEMORY_REGION(memory, size);
}
#else
bool Fiber::create(std::byte*, std::size_t) {
    return true;
}
void Fiber::adopt_current() {}
void Fiber::destroy() {}
void fiber_before_switch(Fiber&, Fiber&, bool) {}
void fiber_after_switch(Fiber&) {}
void memory_released(void*, std::size_t) {}
void memory_allocated(void*, std::size_t) {}
#endif

} // namespace glue
