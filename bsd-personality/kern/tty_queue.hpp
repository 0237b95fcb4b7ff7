// SPDX-License-Identifier: BSD-2-Clause
// The two queues of a terminal. Input has a part that readers may have and, behind it, the line that is still
// being edited. Positions only grow; a cell is found by its position modulo the capacity.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bsd::tty {

class OutputQueue {
public:
    static constexpr unsigned capacity = 4096;
    unsigned used() const { return end_ - begin_; }
    unsigned space() const { return capacity - used(); }
    /// All of it or nothing. False: no room.
    bool put(const char* bytes, unsigned count) {
        if (count > space())
            return false;
        for (unsigned i = 0; i < count; i++)
            bytes_[end_++ % capacity] = bytes[i];
        return true;
    }
    unsigned take(char* to, unsigned limit) {
        unsigned count = limit < used() ? limit : used();
        for (unsigned i = 0; i < count; i++)
            to[i] = bytes_[begin_++ % capacity];
        return count;
    }
    void clear() { begin_ = end_; }

private:
    std::uint32_t begin_ = 0, end_ = 0;
    char bytes_[capacity];
};

/// A received character, and what was special about it.
struct Cell {
    std::uint8_t character = 0;
    bool quoted = false;    // taken literally: no special meaning
    bool ends_line = false; // a delimiter of canonical input
};

class InputQueue {
public:
    static constexpr unsigned capacity = 4096;
    unsigned ready() const { return line_ - begin_; }
    unsigned editing() const { return end_ - line_; }
    unsigned space() const { return capacity - used(); }
    unsigned used() const { return end_ - begin_; }
    /// The i-th oldest cell that is there; those from ready() on are being edited.
    Cell& cell(unsigned i) { return cells_[(begin_ + i) % capacity]; }
    Cell cell(unsigned i) const { return cells_[(begin_ + i) % capacity]; }
    /// There must be room.
    void push(Cell cell) { cells_[end_++ % capacity] = cell; }
    /// The newest cell of the line that is being edited, taken back; there must be one.
    Cell pop_edited() { return cells_[--end_ % capacity]; }
    /// The oldest cell; there must be one that is ready.
    Cell take() { return cells_[begin_++ % capacity]; }
    /// Readers may have all that is there.
    void finish_line() { line_ = end_; }
    /// Readers may have the first `count` cells, the others are being edited.
    void set_ready(unsigned count) { line_ = begin_ + count; }
    void drop_line() { end_ = line_; }
    void clear() { begin_ = line_ = end_; }

private:
    std::uint32_t begin_ = 0, line_ = 0, end_ = 0;
    Cell cells_[capacity];
};

} // namespace bsd::tty
