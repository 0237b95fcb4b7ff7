// SPDX-License-Identifier: BSD-2-Clause
// The trace of a jail's system calls and faults, in the manner of truss(1): a line each, when the call
// returns, to a ring that the box passes on to who reads it. A call waits when nobody takes the lines away.
#pragma once

#include "bsd-personality/kern/proc.hpp"
#include "l4-glue/channel.hpp"

namespace bsd {

/// Whether calls are traced; since boot or never.
extern bool tracing;

/// At boot. `ring_box` signals the box.
void start_trace(const glue::Ring& ring, void (*ring_box)());
/// The box rang: there may be room again. Under giant.
void trace_doorbell();

/// One line of the trace; what does not fit is cut off.
class TraceLine {
public:
    explicit TraceLine(const Lwp& lwp); // "PID TID: "
    void put(Text text);
    void put(char c) { put(Text(&c, 1)); }
    void put_number(std::uint64_t value, unsigned base);
    /// Small numbers as such, flags and the like in base 16.
    void put_signed(std::int64_t value);
    void put_escaped(const char* bytes, std::size_t size);
    /// Gives the line to the reader. May block.
    void finish();
    /// From here on `room` bytes are free.
    void keep_room(unsigned room);

private:
    static constexpr unsigned most = 510;
    unsigned size_ = 0;
    char bytes_[most + 1]; // and the end of the line
};

/// One call that is traced. Under giant; may block.
class TracedCall {
public:
    /// Before the call: what its arguments point to may be another thing afterwards.
    TracedCall(Lwp& lwp, const SystemCallEntry& entry, const SystemCall& call);
    /// After it: the line is complete.
    void finish(const SysResult<Return>& result);

private:
    void put_string(Lwp& lwp, UserAddress at);
    void put_data(Lwp& lwp, UserAddress at, std::uint64_t size);
    void put_argument(Lwp& lwp, Text type, const SystemCallEntry& entry, const SystemCall& call, unsigned i);

    const Abi& abi_; // of the call: execve may change the process's
    TraceLine line_;
};

/// A signal that a fault of the thread's own raised.
void trace_fault_slow(const Lwp& lwp, const SignalInfo& info);
inline void trace_fault(const Lwp& lwp, const SignalInfo& info) {
    if (tracing) [[unlikely]]
        trace_fault_slow(lwp, info);
}

} // namespace bsd
