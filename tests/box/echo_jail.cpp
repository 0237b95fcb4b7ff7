// SPDX-License-Identifier: BSD-2-Clause
//
// Stands in for a personality in tests of the box and the command: prints its parameters, copies stdin to
// stdout, and ends as its arguments say. Arguments: exit N | signal N | fault | fail TEXT | spin | flood
// BYTES | foreign.
#include "glue/console.hpp"
#include "glue/thread.hpp"
#include "l4-glue/channel.hpp"
#include "proto/jail.hpp"

namespace {

proto::JailShared& shared() {
    return *reinterpret_cast<proto::JailShared*>(glue::shared_window);
}
const glue::Notification doorbell{glue::start_doorbell};
const glue::Notification event{glue::start_event};

glue::Ring ring(proto::JailRing which) {
    return {reinterpret_cast<glue::RingHeader*>(&shared().ring[which]), shared().data[which],
            proto::console_ring_size};
}

void write(proto::JailRing which, const char* data, std::size_t size) {
    glue::Ring to = ring(which);
    while (size != 0) {
        const std::uint32_t done = to.write({reinterpret_cast<const std::byte*>(data), size});
        data += done;
        size -= done;
        doorbell.signal();
        if (done != 0)
            continue;
        to.set_waiting(true);
        if (to.space() == 0)
            (void)event.wait();
        to.set_waiting(false);
    }
}

void print(const char* text) {
    write(proto::ring_stdout, text, __builtin_strlen(text));
}

bool same(const char* a, const char* b) {
    return __builtin_strcmp(a, b) == 0;
}

unsigned long number(const char* text) {
    unsigned long value = 0;
    while (*text >= '0' && *text <= '9')
        value = value * 10 + static_cast<unsigned long>(*text++ - '0');
    return value;
}

void copy_stdin() {
    glue::Ring from = ring(proto::ring_stdin);
    std::byte buffer[512];
    while (true) {
        const std::uint32_t got = from.read(buffer);
        if (got != 0) {
            write(proto::ring_stdout, reinterpret_cast<const char*>(buffer), got);
            doorbell.signal();
        } else if (from.closed() && from.available() == 0) {
            return;
        } else {
            (void)event.wait();
        }
    }
}

[[noreturn]] void end(proto::JailState state, std::uint32_t wait_status) {
    shared().status.wait_status = wait_status;
    __atomic_store_n(reinterpret_cast<std::uint32_t*>(&shared().status.state),
                     static_cast<std::uint32_t>(state), __ATOMIC_RELEASE);
    doorbell.signal();
    while (true)
        (void)event.wait();
}

/// What this task may not name must be refused by the kernel, each with its documented error.
void try_foreign() {
    using abi::Operation;
    using glue::native::invoke;
    const auto show = [](const char* what, glue::native::Reply reply) {
        print(what);
        print(": ");
        print(abi::error_names[static_cast<unsigned>(reply.error)]);
        print("\n");
    };
    show("empty selector", invoke(Operation::task_create, 60, 70, 0, 0));
    show("selector outside the table", invoke(Operation::pool_info, 1U << 20));
    show("region as pool", invoke(Operation::pool_info, glue::start_ram));
    show("bind another's region", invoke(Operation::bind, glue::start_task, 71, glue::start_pool, 40));
    show("bind own RAM", invoke(Operation::bind, glue::start_task, 72, glue::start_pool, glue::start_ram));
    const std::uint64_t pages = glue::start().ram_size / glue::page_size;
    show("map beyond own RAM",
         invoke(Operation::map, 72, 0x7000'0000'0000, pages * glue::page_size, 1, abi::map_read));
    show("map across the end",
         invoke(Operation::map, 72, 0x7000'0000'0000, (pages - 1) * glue::page_size, 2, abi::map_read));
    show("carve beyond own RAM", invoke(Operation::region_carve, glue::start_ram, 73, glue::start_pool, 0,
                                        (pages + 1) * glue::page_size, 15));
    show("map at a kernel address", invoke(Operation::map, 72, 0xffff'8000'0000'0000, 0, 1, abi::map_read));
    show("write the image",
         invoke(Operation::bind, glue::start_task, 74, glue::start_pool, glue::start_image));
    show("image writable",
         invoke(Operation::map, 74, 0x7100'0000'0000, 0, 1, abi::map_read | abi::map_write));
    show("ports", invoke(Operation::port_in, abi::root_ports, 0x2fd, 1));
    show("interrupts",
         invoke(Operation::irq_create, abi::root_irqs, 75, glue::start_pool, 3, glue::start_event));
}

} // namespace

extern "C" void libelle_main() {
    const proto::JailParameters& p = shared().parameters;
    const char* words[16] = {};
    const char* at = p.strings;
    for (std::uint32_t i = 0; i < p.argument_count && i < 15; i++, at += __builtin_strlen(at) + 1)
        words[i] = at;
    print(words[0]);
    print("\n");
    for (unsigned i = 1; words[i] != nullptr; i++) {
        const char* value = words[i + 1] != nullptr ? words[i + 1] : "";
        if (same(words[i], "cat"))
            copy_stdin();
        else if (same(words[i], "exit"))
            end(proto::JailState::exited, static_cast<std::uint32_t>(number(value) << 8));
        else if (same(words[i], "signal"))
            end(proto::JailState::exited, static_cast<std::uint32_t>(number(value)));
        else if (same(words[i], "fault"))
            *reinterpret_cast<volatile int*>(0x666000) = 1;
        else if (same(words[i], "foreign"))
            try_foreign();
        else if (same(words[i], "spin"))
            while (true)
                asm volatile("pause");
        else if (same(words[i], "flood"))
            for (unsigned long n = number(value) / 16; n != 0; n--)
                print("0123456789abcde\n");
    }
    end(proto::JailState::exited, 0);
}
