// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/core_file.hpp"

#include "bsd-personality/vm/page.hpp"
#include "glue/clock.hpp"
#include "lwkt/sleepqueue.hpp"

#include <cstring>

namespace bsd {

namespace {

struct NoteHeader { // Elf64_Nhdr
    std::uint32_t name_size, size, type;
};
constexpr unsigned note_align = 4;

} // namespace

void CoreFile::write(Uio& uio) {
    std::uint64_t before = uio.residual();
    auto result = vnode_->write(lwp_, uio, static_cast<std::int64_t>(written_), 0);
    written_ += before - uio.residual();
    if (!result)
        error_ = result.error();
    else if (uio.residual() != 0)
        error_ = Errno::enospc;
}

void CoreFile::flush() {
    if (filled_ == 0 || failed())
        return;
    if (vnode_) {
        Uio uio(buffer_, filled_);
        write(uio);
    } else {
        written_ += filled_;
    }
    filled_ = 0;
}

void CoreFile::put(const void* bytes, std::uint64_t size) {
    const auto* from = static_cast<const std::byte*>(bytes);
    while (size != 0 && !failed()) {
        auto count = static_cast<unsigned>(least<std::uint64_t>(size, sizeof buffer_ - filled_));
        std::memcpy(buffer_ + filled_, from, count);
        filled_ += count;
        from += count;
        size -= count;
        if (filled_ == sizeof buffer_)
            flush();
    }
}

void CoreFile::put_zeros(std::uint64_t size) {
    constexpr std::uint64_t zeros[8] = {};
    for (; size != 0 && !failed(); size -= least<std::uint64_t>(size, sizeof zeros))
        put(zeros, least<std::uint64_t>(size, sizeof zeros));
}

void CoreFile::put_memory(std::uint64_t address, std::uint64_t length) {
    flush();
    while (length != 0 && !failed()) {
        if ((lwp_.ast & ast_exit) || lwp_.proc.pending.set().has(sigkill)) {
            error_ = Errno::eintr;
            return;
        }
        std::uint64_t count = length, start = written_;
        Uio uio(*lwp_.proc.vmspace, UserAddress{address}, count);
        write(uio);
        if (error_ == Errno::efault) { // a page that is not there any more: a hole in the file
            error_ = Errno{};
            written_ = start + vm::round_down(written_ - start) + vm::page_size;
        }
        address += written_ - start;
        length -= least(length, written_ - start);
        // Others get the token.
        (void)lwkt::tsleep(this, lwkt::sleep_plain, "core", glue::Nanoseconds{glue::Clock::now().value + 1});
    }
}

void CoreFile::begin_note(const char* name, std::uint32_t type, std::uint32_t size) {
    auto name_size = static_cast<std::uint32_t>(text(name).size + 1);
    put_value(NoteHeader{name_size, size, type});
    put(name, name_size);
    end_note();
}

void CoreFile::end_note() {
    put_zeros(-size() & (note_align - 1));
}

void CoreFile::note(const char* name, std::uint32_t type, const void* bytes, std::uint32_t size) {
    begin_note(name, type, size);
    put(bytes, size);
    end_note();
}

} // namespace bsd
