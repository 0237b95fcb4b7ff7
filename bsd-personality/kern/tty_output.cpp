// SPDX-License-Identifier: BSD-2-Clause
// Output processing, echo and what editing shows on the terminal.
#include "bsd-personality/kern/text.hpp"
#include "bsd-personality/kern/tty_discipline.hpp"

namespace bsd::tty {

namespace {

constexpr unsigned tab = 8;     // columns; also the most that one character becomes
constexpr std::uint8_t eot = 4; // what ONOEOT drops
constexpr char blanks[] = "        ";

constexpr bool is_control(std::uint8_t c) {
    return c < 0x20 || c == 0x7f;
}

} // namespace

// --- output ----------------------------------------------------------------------------------------------
// One character with output processing. False: no room for all that it becomes, nothing happened.
bool LineDiscipline::put(std::uint8_t c) {
    auto character = static_cast<char>(c);
    if (output_.space() < tab)
        return false;
    bool shown = !flag(flusho);
    auto out = [&](const char* bytes, unsigned count) {
        if (shown)
            (void)output_.put(bytes, count);
    };
    if (!out_flag(opost)) {
        out(&character, 1);
        return true;
    }
    switch (c) {
    case eot:
        if (!out_flag(onoeot))
            out(&character, 1);
        return true;
    case '\t': {
        unsigned count = tab - column_ % tab;
        if (out_flag(oxtabs) && !flag(extproc))
            out(blanks, count);
        else
            out(&character, 1);
        column_ += count;
        return true;
    }
    case '\n':
        if (out_flag(onlcr))
            out("\r", 1);
        out(&character, 1);
        if (out_flag(onlcr | onlret))
            column_ = 0;
        return true;
    case '\r':
        if (out_flag(ocrnl)) {
            out("\n", 1);
            if (out_flag(onlret) || !dragonfly())
                column_ = 0;
            return true;
        }
        if (out_flag(onocr) && column_ == 0)
            return true;
        out(&character, 1);
        column_ = 0;
        return true;
    case '\b':
        out(&character, 1);
        column_ -= column_ != 0;
        return true;
    default:
        out(&character, 1);
        column_ += !is_control(c);
        return true;
    }
}

// Bytes as they are; nothing when they do not fit.
void LineDiscipline::put_plain(const char* bytes, unsigned count) {
    if (!flag(flusho))
        (void)output_.put(bytes, count);
}

unsigned LineDiscipline::write_room() const {
    return flag(flusho) ? OutputQueue::capacity : out_flag(opost) ? output_.space() / tab : output_.space();
}

void LineDiscipline::write(const char* bytes, unsigned count) {
    echoed_ = 0; // what is typed no longer stands alone on its line
    while (count != 0) {
        unsigned run = 0;
        while (run < count && (!out_flag(opost) || !is_control(static_cast<std::uint8_t>(bytes[run]))))
            run++;
        if (run != 0) {
            put_plain(bytes, run);
            column_ += run;
        } else {
            (void)put(static_cast<std::uint8_t>(bytes[run++]));
        }
        bytes += run;
        count -= run;
    }
}

void LineDiscipline::message(const char* text, unsigned size) {
    for (unsigned i = 0; i < size; i++)
        (void)put(static_cast<std::uint8_t>(text[i]));
    echoed_ = 0;
}

void LineDiscipline::flush(bool input, bool output) {
    if (input) {
        input_.clear();
        termios_.local &= ~std::uint32_t{pendin};
        literal_ = false;
        echoed_ = 0;
        unthrottle();
    }
    if (output) {
        output_.clear();
        if (dragonfly())
            stopped_ = false;
    }
    host_.flushed(input, output);
}

void LineDiscipline::stop_output() {
    if (stopped_)
        return;
    stopped_ = true;
    host_.output_stopped(true);
}

void LineDiscipline::start_output() {
    termios_.local &= ~std::uint32_t{flusho};
    if (!stopped_)
        return;
    stopped_ = false;
    host_.output_stopped(false);
}

// --- echo ------------------------------------------------------------------------------------------------
void LineDiscipline::echo_character(std::uint8_t c, bool quoted) {
    termios_.local &= ~std::uint32_t{flusho};
    if (flag(extproc) || (!flag(echo) && !(flag(echonl) && c == '\n' && !quoted)))
        return;
    // FreeBSD also shows a carriage return and a backspace as what they do.
    bool acts = c == '\t' || c == '\n' || (!dragonfly() && (c == '\r' || c == '\b'));
    if (flag(echoctl) && is_control(c) && (quoted || !acts)) {
        (void)put('^');
        (void)put(c ^ 0x40);
    } else {
        (void)put(c);
    }
}

// How far a shown character moves the cursor from `column`.
unsigned LineDiscipline::width(Cell cell, unsigned column) const {
    if (cell.character == '\t' && !cell.quoted)
        return tab - column % tab;
    if (is_control(cell.character))
        return flag(echoctl) ? 2 : 0;
    return 1;
}

void LineDiscipline::rub_cells(unsigned count) {
    if (dragonfly()) {
        for (unsigned i = 0; i < count; i++)
            put_plain("\b \b", 3);
    } else {
        put_plain(count == 2 ? "\b\b  \b\b" : "\b \b", 3 * count);
    }
    column_ -= least(column_, count);
}

// Takes the last character of the line back. False: there is none.
bool LineDiscipline::rub() {
    if (input_.editing() == 0)
        return false;
    rub_out(input_.pop_edited());
    return true;
}

// Takes a character that is no longer in the line off the screen.
void LineDiscipline::rub_out(Cell cell) {
    if (!flag(echo) || flag(extproc))
        return;
    termios_.local &= ~std::uint32_t{flusho};
    if (flag(echoe)) {
        if (echoed_ == 0) { // something was written in between
            reprint();
            return;
        }
        if (cell.character == '\t' && !cell.quoted) {
            unsigned column = echo_column_, shown = echoed_ - 1;
            for (unsigned i = input_.used() - least(shown, input_.editing()); i < input_.used(); i++)
                column += width(input_.cell(i), column);
            unsigned count = column < column_ ? least(column_ - column, tab) : 1;
            put_plain("\b\b\b\b\b\b\b\b", count);
            column_ = column;
        } else if (!dragonfly() && cell.character == ' ') {
            put_plain("\b", 1);
            column_ -= column_ != 0;
        } else if (unsigned count = width(cell, 0); count != 0) {
            rub_cells(count);
        }
    } else if (flag(echoprt)) {
        if (!erasing_) {
            erasing_ = true;
            (void)put('\\');
        }
        echo_character(cell.character, cell.quoted);
    } else {
        echo_character(termios_.cc[verase], false);
    }
    echoed_ -= echoed_ != 0;
}

bool LineDiscipline::is_word(std::uint8_t c) const {
    bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    return plain || (dragonfly() && (c == '_' || c >= 0x80));
}

void LineDiscipline::rub_word() {
    auto last = [this] { return input_.cell(input_.used() - 1).character; };
    auto at_blank = [&] { return last() == ' ' || last() == '\t'; };
    while (input_.editing() != 0 && at_blank())
        (void)rub();
    if (input_.editing() == 0)
        return;
    // ALTWERASE: a word is of one kind of character. In DragonFly the last one may be of the other kind.
    bool kind = is_word(last());
    (void)rub();
    if (dragonfly() && input_.editing() != 0)
        kind = is_word(last());
    while (input_.editing() != 0 && !at_blank() && (!flag(altwerase) || is_word(last()) == kind))
        (void)rub();
}

void LineDiscipline::kill_line() {
    if (!dragonfly() || (flag(echoke) && echoed_ == input_.editing() && !flag(echoprt))) {
        while (rub()) {
        }
        return;
    }
    echo_character(termios_.cc[vkill], false);
    if (flag(echok | echoke))
        echo_character('\n', false);
    input_.drop_line();
    echoed_ = 0;
    erasing_ = false;
}

void LineDiscipline::reprint() {
    if (termios_.cc[vreprint] != cc_disabled)
        echo_character(termios_.cc[vreprint], false);
    (void)put('\n');
    erasing_ = false;
    for (unsigned i = dragonfly() ? 0 : input_.ready(); i < input_.used(); i++) {
        Cell cell = input_.cell(i);
        echo_character(cell.character, cell.quoted);
    }
    echoed_ = input_.editing();
    echo_column_ = 0;
}

} // namespace bsd::tty
