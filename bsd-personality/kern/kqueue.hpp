// SPDX-License-Identifier: BSD-2-Clause
// kqueue: knotes that watch files, processes, signals, timers and users' own events, and the queue of those
// that are active. Under the giant token. Knotes of descriptors belong to the descriptor: FileTable tells all
// kqueues of its process when one is closed.
#pragma once

#include "bsd-personality/kern/file.hpp"
#include "lwkt/callout.hpp"

namespace bsd {

/// A kevent before an ABI's layout.
struct KernelEvent {
    std::uint64_t ident = 0;
    std::int16_t filter = 0;
    std::uint16_t flags = 0;
    std::uint32_t fflags = 0;
    std::int64_t data = 0;
    std::uint64_t udata = 0;
    std::uint64_t ext[4] = {};
};

enum Filter : std::int16_t {
    filter_read = -1,
    filter_write = -2,
    filter_vnode = -4,
    filter_proc = -5,
    filter_signal = -6,
    filter_timer = -7,
    filter_procdesc = -8,
    filter_user = -11, // DragonFly: -9, translated
    filter_empty = -13,
};
enum EventFlag : std::uint16_t {
    event_add = 1,
    event_delete = 2,
    event_enable = 4,
    event_disable = 8,
    event_oneshot = 0x10,
    event_clear = 0x20,
    event_receipt = 0x40,
    event_dispatch = 0x80,
    event_error = 0x4000,
    event_eof = 0x8000,
};
enum Note : std::uint32_t {
    note_exit = 0x8000'0000,
    note_fork = 0x4000'0000,
    note_exec = 0x2000'0000,
    note_track = 1,
    note_trackerr = 2,
    note_child = 4,
    note_delete = 1, // vnodes
    note_write = 2,
    note_extend = 4,
    note_attrib = 8,
    note_link = 0x10,
    note_rename = 0x20,
    note_lowat = 1,   // EVFILT_READ, EVFILT_WRITE
    note_seconds = 1, // timers; milliseconds when none is given
    note_milliseconds = 2,
    note_microseconds = 4,
    note_nanoseconds = 8,
    note_absolute = 0x10,
    note_ff_mask = 0xc000'0000, // EVFILT_USER
    note_ff_and = 0x4000'0000,
    note_ff_or = 0x8000'0000,
    note_ff_copy = 0xc000'0000,
    note_trigger = 0x0100'0000,
};

struct Knote {
    KernelEvent event; // what kevent returns: data and fflags as accumulated
    Kqueue* queue = nullptr;
    EventSource* source = nullptr;
    File* file = nullptr;       // READ, WRITE, VNODE: borrowed, gone with the descriptor
    std::uint32_t wanted = 0;   // fflags that the user gave
    std::int64_t threshold = 0; // data that the user gave
    bool active = false, disabled = false;
    Knote* next_in_source = nullptr;
    Knote* previous_in_source = nullptr;
    Knote* next_in_bucket = nullptr;
    Link<Knote> in_active;
    std::uint64_t period = 0; // of timers, nanoseconds
    std::uint64_t deadline = 0;
    lwkt::Callout timer;
};

class Kqueue final : public File {
public:
    /// A kqueue of the process that owns `table`. Errors: ENOMEM.
    static SysResult<FileRef> create(FileTable& table);
    /// Counts among those of a user (RLIMIT_KQUEUES). Errors: ENOMEM.
    SysResult<void> charge(std::uint32_t uid, std::uint64_t limit);

    /// Applies one change. Errors: those of kevent(2): EBADF, ENOENT, EINVAL, ENOMEM, ESRCH.
    SysResult<void> change(Lwp& lwp, const KernelEvent& change);
    /// Takes up to `capacity` active events without blocking; returns how many.
    unsigned collect(KernelEvent* out, unsigned capacity);
    /// Active knotes; level-triggered ones stay in after they were collected.
    unsigned active_count() const;
    /// Sleeps until something is active, until the absolute deadline (Errno::etimedout) or a signal.
    SysResult<void> wait(Lwp& lwp, glue::Nanoseconds deadline);

    /// The descriptor is about to be closed.
    void forget_descriptor(int fd, File* file);
    /// The table is about to go.
    void forget_table();
    /// For filters: the knote's condition holds (again).
    void activate(Knote& knote);
    static void source_changed(Knote& knote, std::uint32_t hint, std::int64_t data);

    Readiness readiness(Direction direction) override;
    EventSource* events(Direction) override { return &readers_; }
    SysResult<void> attributes(Lwp& lwp, Attributes& out) override;

    Kqueue* next_in_table = nullptr;

    explicit Kqueue(FileTable& table) : File(FileType::kqueue, open_read_write), table_(&table) {}
    ~Kqueue() = default;

private:
    void destroy() override;

    Knote** bucket(std::uint64_t ident, std::int16_t filter);
    Knote* find(std::uint64_t ident, std::int16_t filter);
    SysResult<Knote*> add(Lwp& lwp, const KernelEvent& change);
    SysResult<void> attach(Lwp& lwp, Knote& knote);
    void remove(Knote& knote);
    void free_retired(bool all);
    bool evaluate(Knote& knote);
    void touch_user(Knote& knote, const KernelEvent& change);
    SysResult<void> start_timer(Knote& knote);
    static void timer_expired(void* argument);

    static constexpr unsigned buckets = 64;
    FileTable* table_;
    std::uint32_t charged_uid_ = 0;
    bool charged_ = false;
    Knote* bucket_[buckets] = {};
    List<Knote, &Knote::in_active> active_;
    List<Knote, &Knote::in_active> retired_; // timers that were removed
    EventSource readers_;
    unsigned sleepers_ = 0;
};

} // namespace bsd
