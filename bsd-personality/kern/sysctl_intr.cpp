// SPDX-License-Identifier: BSD-2-Clause
// hw.intrnames and hw.intrcnt, as vmstat -i and systat(1) read them, and hw.intrlatency, which is ours. The
// two systems lay them out differently:
// FreeBSD has a counter a source, and one of strays a line; each name is padded to the same length.
// DragonFly has a table a CPU, 192 hardware interrupts and 8 soft ones, in which who shares a number shares
// the counter; a number that nobody has is called irqN. There timers and messages of other cores have the
// last two hardware numbers.
#include <cstring>

#include "bsd-personality/kern/sysctl.hpp"
#include "bsd-personality/kern/text.hpp"
#include "lwkt/irq_sources.hpp"
#include "lwkt/slab.hpp"

namespace bsd {

namespace {

using lwkt::InterruptCount;
using lwkt::InterruptKind;

// All rows, as they are now: while they are copied out, they change, and the giant token may be lost.
class Snapshot {
public:
    Snapshot() : row_(static_cast<InterruptCount*>(lwkt::allocate(size))) {
        if (row_)
            count_ = lwkt::interrupt_counts(row_, lwkt::max_interrupt_counts);
    }
    ~Snapshot() {
        if (row_)
            lwkt::release(row_, size);
    }
    Snapshot(const Snapshot&) = delete;
    Snapshot& operator=(const Snapshot&) = delete;
    explicit operator bool() const { return row_ != nullptr; } // there was memory
    const InterruptCount* begin() const { return row_; }
    const InterruptCount* end() const { return row_ + count_; }

private:
    static constexpr std::size_t size = lwkt::max_interrupt_counts * sizeof(InterruptCount);
    InterruptCount* row_;
    unsigned count_ = 0;
};

// A short text without an end.
class Line {
public:
    void add(const char* more) {
        for (; *more != '\0' && size_ != sizeof text_; ++more)
            text_[size_++] = *more;
    }
    void add(std::uint64_t number) {
        char digits[21];
        unsigned at = sizeof digits - 1;
        digits[at] = '\0';
        do
            digits[--at] = static_cast<char>('0' + number % 10);
        while (number /= 10);
        add(digits + at);
    }
    void pad(unsigned size) {
        while (size_ < size)
            text_[size_++] = ' ';
        size_ = size;
    }
    const char* text() const { return text_; }
    unsigned size() const { return size_; }

private:
    char text_[160];
    unsigned size_ = 0;
};

// --- FreeBSD
constexpr unsigned name_length = 19; // MAXCOMLEN; a NUL follows

bool has_strays(const InterruptCount& row) {
    return row.kind == InterruptKind::line;
}

void add_name(Line& line, const InterruptCount& row) {
    switch (row.kind) {
    case InterruptKind::timer:
    case InterruptKind::ipi:
        line.add("cpu");
        line.add(row.cpu);
        break;
    case InterruptKind::soft:
        line.add("swi");
        line.add(row.number);
        break;
    default:
        line.add("irq");
        line.add(row.number);
    }
    line.add(":");
    if (row.kind != InterruptKind::timer && row.kind != InterruptKind::ipi)
        line.add(" ");
    line.add(row.name);
}

SysResult<void> put_padded(SysctlRequest& request, Line& line) {
    line.pad(name_length);
    TRY(request.put(line.text(), name_length));
    return request.put("", 1);
}

SysResult<void> freebsd_names(SysctlRequest& request, const Snapshot& snapshot) {
    for (const InterruptCount& row : snapshot) {
        Line line, stray;
        add_name(line, row);
        TRY(put_padded(request, line));
        if (!has_strays(row))
            continue;
        stray.add("stray irq");
        stray.add(row.number);
        TRY(put_padded(request, stray));
    }
    return {};
}

SysResult<void> freebsd_counts(SysctlRequest& request, const Snapshot& snapshot) {
    for (const InterruptCount& row : snapshot) {
        TRY(request.put_value(row.count));
        if (has_strays(row))
            TRY(request.put_value(row.stray));
    }
    return {};
}

// --- DragonFly
constexpr unsigned hard_numbers = 192, soft_numbers = 8, all_numbers = hard_numbers + soft_numbers;

unsigned number_of(const InterruptCount& row) {
    switch (row.kind) {
    case InterruptKind::timer:
        return hard_numbers - 2;
    case InterruptKind::ipi:
        return hard_numbers - 1;
    case InterruptKind::soft:
        return hard_numbers + row.number % soft_numbers;
    default:
        return row.number % (hard_numbers - 2);
    }
}

SysResult<void> dragonfly_names(SysctlRequest& request, const Snapshot& snapshot) {
    for (unsigned cpu = 0; cpu != lwkt::cpu_count(); ++cpu)
        for (unsigned number = 0; number != all_numbers; ++number) {
            Line line;
            for (const InterruptCount& row : snapshot) {
                if (row.cpu != cpu || number_of(row) != number)
                    continue;
                line.add(line.size() ? "/" : "");
                line.add(row.name);
            }
            if (line.size() == 0) {
                line.add("irq");
                line.add(number);
            }
            TRY(request.put(line.text(), line.size()));
            TRY(request.put("", 1));
        }
    return {};
}

SysResult<void> dragonfly_counts(SysctlRequest& request, const Snapshot& snapshot) {
    for (unsigned cpu = 0; cpu != lwkt::cpu_count(); ++cpu)
        for (unsigned number = 0; number != all_numbers; ++number) {
            std::uint64_t sum = 0;
            for (const InterruptCount& row : snapshot)
                if (row.cpu == cpu && number_of(row) == number)
                    sum += row.count;
            TRY(request.put_value(sum));
        }
    return {};
}

bool dragonfly(const SysctlRequest& request) {
    return request.lwp.proc.abi->kind == AbiKind::dragonfly;
}

std::uint64_t nanoseconds(std::uint64_t ticks) {
    std::uint64_t second = glue::Clock::ticks_per_second();
    return ticks / second * 1'000'000'000 + ticks % second * 1'000'000'000 / second;
}

} // namespace

SysResult<void> sysctl_interrupt_names(SysctlRequest& request) {
    Snapshot snapshot;
    if (!snapshot)
        return Failure(Errno::enomem);
    return dragonfly(request) ? dragonfly_names(request, snapshot) : freebsd_names(request, snapshot);
}

SysResult<void> sysctl_interrupt_counts(SysctlRequest& request) {
    Snapshot snapshot;
    if (!snapshot)
        return Failure(Errno::enomem);
    return dragonfly(request) ? dragonfly_counts(request, snapshot) : freebsd_counts(request, snapshot);
}

// A line a source: its name, its core, how often, and below which latency half of all, 99 of 100 and the
// longest were.
SysResult<void> sysctl_interrupt_latencies(SysctlRequest& request) {
    Snapshot snapshot;
    if (!snapshot)
        return Failure(Errno::enomem);
    for (const InterruptCount& row : snapshot) {
        if (row.longest == 0)
            continue;
        Line line;
        add_name(line, row);
        line.add(" cpu");
        line.add(row.cpu);
        line.add(" count ");
        line.add(row.count);
        line.add(" median ");
        line.add(nanoseconds(row.median));
        line.add(" ns 99% ");
        line.add(nanoseconds(row.most));
        line.add(" ns longest ");
        line.add(nanoseconds(row.longest));
        line.add(" ns\n");
        TRY(request.put(line.text(), line.size()));
    }
    return request.put("", 1);
}

} // namespace bsd
