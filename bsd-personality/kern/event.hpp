// SPDX-License-Identifier: BSD-2-Clause
// EventSource: a thing that can become ready (a pipe end, a process, a console). Knotes of kqueues and
// sleeping poll or select calls hang on it; notify() tells them to look again. All under the giant token;
// none of it blocks.
#pragma once

#include <cstdint>

#include "bsd-personality/kern/list.hpp"

namespace bsd {

struct Knote;

/// How ready one direction of a file is; what poll, select and EVFILT_READ/WRITE are answered from.
struct Readiness {
    bool ready = false;
    bool eof = false;         // no more will come, or nobody reads (EV_EOF)
    std::int64_t amount = 0;  // bytes to read or space to write, for kevent's data
    std::uint32_t fflags = 0; // errno of a broken socket
    bool hangup = false;      // the connection is gone (POLLHUP)
};

/// One (call, file) pair of a sleeping poll or select.
struct Poller {
    Link<Poller> in_source;
    class EventSource* source = nullptr;
    bool* fired = nullptr; // of the sleeping call, which sleeps on this address
};

class EventSource {
public:
    EventSource() = default;
    EventSource(const EventSource&) = delete;
    EventSource& operator=(const EventSource&) = delete;
    /// Detaches whatever still hangs here.
    ~EventSource();

    /// Something changed. `hint`: 0 for readiness; for processes NOTE_EXIT, NOTE_FORK, NOTE_EXEC or a signal
    /// number with note_signal; for vnodes NOTE_WRITE and so on. `data`: wait status of NOTE_EXIT, pid of
    /// NOTE_FORK.
    void notify(std::uint32_t hint = 0, std::int64_t data = 0) {
        if (watched())
            notify_slow(hint, data);
    }
    bool watched() const { return !knotes_.empty() || !pollers_.empty(); }
    void attach(Poller& poller, bool& fired);
    static void detach(Poller& poller);
    void attach(Knote& knote);
    static void detach(Knote& knote);

private:
    void notify_slow(std::uint32_t hint, std::int64_t data);

    // The links lie in Knote (kern/kqueue.hpp); a plain singly typed chain keeps this header independent of
    // it.
    struct KnoteChain {
        Knote* first = nullptr;
        bool empty() const { return first == nullptr; }
    };
    KnoteChain knotes_;
    List<Poller, &Poller::in_source> pollers_;
};

/// Hint of a signal posted to a process: note_signal | number.
inline constexpr std::uint32_t note_signal = 0x0800'0000;

} // namespace bsd
