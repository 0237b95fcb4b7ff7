// SPDX-License-Identifier: BSD-2-Clause
// For programs that run LWKT alone in a jail of the box: output to the jail's stdout, a page provider over
// the task's RAM, groups of threads, and the jail's end.
#pragma once

#include "glue/console.hpp"
#include "glue/thread.hpp"
#include "l4-glue/channel.hpp"
#include "lwkt/callout.hpp"
#include "lwkt/ipiq.hpp"
#include "lwkt/msgport.hpp"
#include "lwkt/slab.hpp"
#include "lwkt/sleepqueue.hpp"
#include "lwkt/spinlock.hpp"
#include "lwkt/token.hpp"
#include "proto/jail.hpp"
#include "tests/lwkt/group.hpp"

namespace lwkt::native {

inline proto::JailShared& shared() {
    return *reinterpret_cast<proto::JailShared*>(glue::shared_window);
}

inline void print(std::string_view text) {
    glue::Ring out{reinterpret_cast<glue::RingHeader*>(&shared().ring[proto::ring_stdout]),
                   shared().data[proto::ring_stdout], proto::console_ring_size};
    (void)out.write(
        {reinterpret_cast<const std::byte*>(text.data()), text.size()}); // far less than the ring holds
    glue::Notification{glue::start_doorbell}.signal();
}
inline void print(std::uint64_t value) {
    char text[20];
    unsigned at = sizeof text;
    do
        text[--at] = static_cast<char>('0' + value % 10);
    while (value /= 10);
    print({text + at, sizeof text - at});
}

[[noreturn]] inline void end(unsigned status) {
    shared().status.wait_status = status << 8;
    __atomic_store_n(reinterpret_cast<std::uint32_t*>(&shared().status.state),
                     static_cast<std::uint32_t>(proto::JailState::exited), __ATOMIC_RELEASE);
    glue::Notification{glue::start_doorbell}.signal();
    for (;;)
        (void)tsleep(&shared(), 0, "end");
}

// Blocks of 1 to 16 pages, naturally aligned: cut off the end of what is used, or reused from a list a size.
class Pages {
public:
    static PageProvider provider() { return {allocate, release}; }
    static inline long out = 0; // pages not given back

private:
    struct Free {
        Free* next;
    };
    static unsigned order(std::size_t pages) { return static_cast<unsigned>(__builtin_ctzl(pages)); }
    static void* allocate(std::size_t pages) {
        SpinGuard guard(lock);
        Free*& list = lists[order(pages)];
        out += static_cast<long>(pages);
        if (list) {
            void* block = list;
            list = list->next;
            return block;
        }
        std::uint64_t bytes = pages * glue::page_size;
        if (next == 0)
            next = glue::Ram::used();
        next = (next + bytes - 1) & ~(bytes - 1);
        if (next + bytes > glue::Ram::size()) {
            out -= static_cast<long>(pages);
            return nullptr;
        }
        next += bytes;
        return glue::Ram::pointer(glue::RamOffset{next - bytes});
    }
    static void release(void* block, std::size_t pages) {
        SpinGuard guard(lock);
        auto* free = static_cast<Free*>(block);
        free->next = lists[order(pages)];
        lists[order(pages)] = free;
        out -= static_cast<long>(pages);
    }
    static inline SpinLock lock;
    static inline Free* lists[5];
    static inline std::uint64_t next;
};

} // namespace lwkt::native
