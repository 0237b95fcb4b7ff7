// SPDX-License-Identifier: BSD-2-Clause
// The line that VSTATUS (^T) and TIOCSTAT show: load, then the most interesting process of the foreground
// group. The load is how many threads of the jail run or could, at this moment; the percentage is the
// process's share of a processor since it began.
#include <string.h>

#include "bsd-personality/kern/proc.hpp"
#include "bsd-personality/kern/tty.hpp"
#include "bsd-personality/vm/vmspace.hpp"

namespace bsd {

namespace {

class Line {
public:
    Line& operator<<(const char* text) {
        while (*text != '\0' && size_ < sizeof bytes_)
            bytes_[size_++] = *text++;
        return *this;
    }
    Line& operator<<(std::uint64_t number) {
        char digits[20];
        unsigned count = 0;
        do
            digits[count++] = static_cast<char>('0' + number % 10);
        while ((number /= 10) != 0);
        while (count != 0 && size_ < sizeof bytes_)
            bytes_[size_++] = digits[--count];
        return *this;
    }
    /// Nanoseconds as seconds with two decimals.
    Line& seconds(std::uint64_t nanoseconds) {
        std::uint64_t hundredths = nanoseconds / (nanoseconds_per_second / 100);
        return *this << hundredths / 100 << (hundredths % 100 < 10 ? ".0" : ".") << hundredths % 100;
    }
    const char* bytes() const { return bytes_; }
    unsigned size() const { return size_; }

private:
    char bytes_[200];
    unsigned size_ = 0;
};

bool runs(const Lwp& lwp) {
    return lwp.thread->state != lwkt::ThreadState::blocked;
}
const Lwp* running_thread(const Proc& proc) {
    for (const Lwp* lwp = proc.lwps.first(); lwp; lwp = proc.lwps.next(lwp))
        if (runs(*lwp))
            return lwp;
    return nullptr;
}

// The one that runs rather than sleeps, then the one with the highest number.
const Proc* most_interesting(const Pgrp& group) {
    const Proc* best = nullptr;
    for (const Proc* proc = group.members.first(); proc; proc = group.members.next(proc)) {
        if (proc->state != ProcState::alive)
            continue;
        bool first = running_thread(*proc) != nullptr, second = best && running_thread(*best);
        if (!best || first > second || (first == second && proc->pid > best->pid))
            best = proc;
    }
    return best;
}

std::uint64_t running_threads() {
    std::uint64_t count = 0;
    for (const Proc* proc = all_processes.first(); proc; proc = all_processes.next(proc))
        for (const Lwp* lwp = proc->lwps.first(); lwp; lwp = proc->lwps.next(lwp))
            count += runs(*lwp);
    return count;
}

} // namespace

void Tty::describe_foreground() {
    Line line;
    line << (line_.column() != 0 ? "\n" : "") << "load: " << running_threads() << ".00 ";
    const Proc* proc = foreground_ ? most_interesting(*foreground_) : nullptr;
    if (!session_) {
        line << "not a controlling terminal\n";
    } else if (!foreground_) {
        line << "no foreground process group\n";
    } else if (!proc) {
        line << "empty foreground process group\n";
    } else {
        const Lwp* lwp = running_thread(*proc);
        const Lwp* shown = lwp ? lwp : proc->lwps.first();
        const char* why = shown ? shown->thread->wmesg : nullptr;
        std::uint64_t real = glue::Clock::now().value - proc->start_nanoseconds;
        ProcessTime used = process_time(*proc);
        line << " cmd: " << proc->command << " " << static_cast<std::uint64_t>(proc->pid) << " ["
             << (lwp   ? "running"
                 : why ? why
                       : "-")
             << "] ";
        line.seconds(real) << "r ";
        line.seconds(used.user) << "u ";
        line.seconds(used.system) << "s " << (used.user + used.system) / (real / 100 + 1) << "% "
                                  << (proc->vmspace ? proc->vmspace->resident_pages() * 4 : 0) << "k\n";
    }
    line_.message(line.bytes(), line.size());
}

} // namespace bsd
