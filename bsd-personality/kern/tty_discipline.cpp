// SPDX-License-Identifier: BSD-2-Clause
// Input: special characters, canonical lines, what readers get. Echo and output are in tty_output.cpp.
#include "bsd-personality/kern/tty_discipline.hpp"

#include "bsd-personality/kern/signal.hpp"
#include "bsd-personality/kern/text.hpp"

namespace bsd::tty {

namespace {
constexpr unsigned largest_unit = 3; // cells for one character: \377 \0 c of PARMRK
} // namespace

// --- settings --------------------------------------------------------------------------------------------
void LineDiscipline::configure(const Termios& wanted, bool flushes) {
    bool was_canonical = canonical();
    std::uint32_t kept = termios_.local & (extproc | pendin);
    termios_.input = wanted.input & all_input_flags;
    termios_.output = wanted.output & all_output_flags;
    termios_.local = dragonfly() ? (wanted.local & ~std::uint32_t{extproc | pendin}) | kept
                                 : wanted.local & freebsd_local_flags;
    for (unsigned i = 0; i < cc_count; i++)
        termios_.cc[i] = wanted.cc[i];
    if (!(wanted.control & cignore)) {
        termios_.control = wanted.control & all_control_flags;
        termios_.output_speed = wanted.output_speed ? wanted.output_speed : termios_.output_speed;
        termios_.input_speed = wanted.input_speed ? wanted.input_speed : termios_.output_speed;
    }
    if (!canonical()) {
        input_.finish_line();
        termios_.local &= ~std::uint32_t{pendin};
    } else if (!was_canonical && !flushes) {
        // What was received without editing is edited when somebody next looks at it. FreeBSD does it at
        // once, without echo; DragonFly types it again.
        termios_.local |= pendin;
        if (!dragonfly())
            edit_pending();
    }
}

void LineDiscipline::set_external(bool on) {
    termios_.local = on ? termios_.local | extproc : termios_.local & ~std::uint32_t{extproc};
}

void LineDiscipline::edit_pending() {
    if (!flag(pendin))
        return;
    termios_.local &= ~std::uint32_t{pendin};
    if (!dragonfly()) {
        unsigned complete = 0;
        for (unsigned i = 0; i < input_.used(); i++) {
            Cell& cell = input_.cell(i);
            cell.ends_line = !cell.quoted && is_delimiter(cell.character);
            if (cell.ends_line)
                complete = i + 1;
        }
        input_.set_ready(complete);
        return;
    }
    input_.finish_line();
    // A signal character among them drops the rest.
    for (unsigned count = input_.ready(); count != 0 && input_.ready() != 0; count--) {
        Cell cell = input_.take();
        if (cell.quoted)
            store(cell.character, true);
        else
            input(cell.character);
    }
}

// --- received characters ---------------------------------------------------------------------------------
unsigned LineDiscipline::input_room() const {
    constexpr unsigned unlimited = 256;
    // With nothing to read, making the sender wait would be for ever: then characters may be lost, and
    // erasing stays possible.
    if (input_.ready() == 0 && canonical())
        return unlimited;
    return input_.space() / largest_unit;
}

void LineDiscipline::input(std::uint8_t c, Condition condition) {
    edit_pending();
    if (condition != Condition::none && take_condition(c, condition))
        return;
    if (stopped_ && in_flag(ixany) && !(in_flag(ixon) && is(vstop, c)))
        start_output();
    if (in_flag(istrip))
        c &= 0x7f;
    if (flag(extproc)) {
        store(c, false);
        return;
    }
    if (literal_) {
        literal_ = false;
        store(c, true);
        return;
    }
    if ((flag(iexten) && take_extension(c)) || (flag(isig) && take_signal(c)) ||
        (in_flag(ixon) && take_flow_control(c)))
        return;
    if (c == '\r') {
        if (in_flag(igncr))
            return;
        if (in_flag(icrnl))
            c = '\n';
    } else if (c == '\n' && in_flag(inlcr)) {
        c = '\r';
    }
    if (canonical() && take_editing(c))
        return;
    store(c, false);
}

// True: that was all. False: the character counts as received.
bool LineDiscipline::take_condition(std::uint8_t c, Condition condition) {
    if (condition == Condition::line_break) {
        if (in_flag(ignbrk))
            return true;
        if (in_flag(brkint)) {
            flush(true, true);
            host_.send_signal(sigint);
            return true;
        }
    } else if (condition == Condition::parity_error && !in_flag(inpck)) {
        return false;
    } else if (in_flag(ignpar)) {
        return true;
    }
    if (in_flag(parmrk))
        store_marked(c);
    else
        store(0, true);
    return true;
}

// VLNEXT and VDISCARD, which IEXTEN enables in raw mode, too.
bool LineDiscipline::take_extension(std::uint8_t c) {
    if (is(vlnext, c)) {
        if (flag(echo) && flag(echoe))
            put_plain("^\b", 2);
        else
            echo_character(c, false);
        literal_ = true;
        return true;
    }
    if (dragonfly() && is(vdiscard, c)) {
        if (flag(flusho)) {
            termios_.local &= ~std::uint32_t{flusho};
            return true;
        }
        flush(false, true);
        echo_character(c, false);
        if (input_.ready() + input_.editing() != 0)
            reprint();
        termios_.local |= flusho;
        return true;
    }
    return false;
}

bool LineDiscipline::take_signal(std::uint8_t c) {
    // FreeBSD asks for all three flags; in DragonFly VSTATUS is an editing character.
    if (!dragonfly() && flag(icanon) && flag(iexten) && is(vstatus, c)) {
        host_.send_signal(siginfo);
        if (!flag(nokerninfo))
            host_.show_status();
        return true;
    }
    int signal = is(vintr, c) ? int{sigint} : is(vquit, c) ? int{sigquit} : is(vsusp, c) ? int{sigtstp} : 0;
    if (signal == 0)
        return false;
    if (!flag(noflsh))
        flush(true, !dragonfly() || signal != sigtstp);
    echo_character(c, false);
    host_.send_signal(signal);
    return true;
}

bool LineDiscipline::take_flow_control(std::uint8_t c) {
    if (is(vstop, c)) {
        if (!stopped_)
            stop_output();
        else if (is(vstart, c)) // one character for both: it toggles
            start_output();
        return true;
    }
    if (!is(vstart, c))
        return false;
    start_output();
    return true;
}

bool LineDiscipline::take_editing(std::uint8_t c) {
    if (is(verase, c) || is(verase2, c)) {
        (void)rub();
        return true;
    }
    if (is(vkill, c)) {
        kill_line();
        return true;
    }
    if (!flag(iexten))
        return false;
    if (is(vwerase, c)) {
        rub_word();
        return true;
    }
    if (is(vreprint, c)) {
        reprint();
        return true;
    }
    if (dragonfly() && is(vstatus, c)) {
        if (flag(isig))
            host_.send_signal(siginfo);
        if (!flag(nokerninfo))
            host_.show_status();
        return true;
    }
    return false;
}

bool LineDiscipline::is_delimiter(std::uint8_t c) const {
    return c == '\n' || is(veof, c) || is(veol, c) || (flag(iexten) && is(veol2, c));
}

void LineDiscipline::store(std::uint8_t c, bool quoted) {
    bool doubled = c == 0xff && in_flag(parmrk) && (termios_.input & (ignbrk | ignpar)) != (ignbrk | ignpar);
    if (input_.space() < (doubled ? 2u : 1u))
        return overflow();
    if (doubled)
        input_.push({c, true, false});
    bool ends = canonical() && !quoted && !doubled && is_delimiter(c);
    input_.push({c, quoted || doubled, ends});
    if (!canonical() || ends)
        input_.finish_line();
    if (ends || !canonical())
        echoed_ = 0;
    else if (echoed_++ == 0)
        echo_column_ = column_;
    if (erasing_) {
        erasing_ = false;
        (void)put('/');
    }
    unsigned before = column_;
    echo_character(c, quoted || doubled);
    // The cursor goes back over the ^ of an echoed end of file.
    if (canonical() && !quoted && is(veof, c) && flag(echo))
        for (unsigned i = column_ > before ? least(column_ - before, 2u) : 0; i != 0; i--)
            (void)put('\b');
    if (input_.space() < InputQueue::capacity / 8 && input_.ready() != 0)
        throttle();
}

void LineDiscipline::store_marked(std::uint8_t c) {
    if (input_.space() < largest_unit)
        return overflow();
    for (std::uint8_t each : {std::uint8_t{0xff}, std::uint8_t{0}, c})
        input_.push({each, true, false});
    if (!canonical())
        input_.finish_line();
}

void LineDiscipline::overflow() {
    if (in_flag(imaxbel))
        (void)put('\a');
}

// Input flow control: the other side is told by VSTOP and VSTART.
void LineDiscipline::throttle() {
    if (throttled_ || !in_flag(ixoff) || termios_.cc[vstop] == cc_disabled)
        return;
    auto character = static_cast<char>(termios_.cc[vstop]);
    throttled_ = output_.put(&character, 1);
}

void LineDiscipline::unthrottle() {
    if (!throttled_ || input_.ready() > InputQueue::capacity / 4)
        return;
    auto character = static_cast<char>(termios_.cc[vstart]);
    throttled_ = in_flag(ixoff) && character != static_cast<char>(cc_disabled) && !output_.put(&character, 1);
}

// --- readers ---------------------------------------------------------------------------------------------
unsigned LineDiscipline::readable() {
    edit_pending();
    return input_.ready();
}

unsigned LineDiscipline::read(char* to, unsigned limit, bool& ended) {
    unsigned count = 0;
    ended = false;
    edit_pending();
    while (count < limit && input_.ready() != 0 && !ended) {
        Cell cell = input_.take();
        // Delayed suspend, which takes effect when it is read (DragonFly).
        if (dragonfly() && flag(isig) && flag(iexten) && !cell.quoted && is(vdsusp, cell.character)) {
            host_.send_signal(sigtstp);
            if (count != 0)
                break;
            continue;
        }
        ended = canonical() && cell.ends_line;
        if (!(ended && is(veof, cell.character)))
            to[count++] = static_cast<char>(cell.character);
    }
    return count;
}

void LineDiscipline::skip_end_of_file() {
    if (dragonfly() || !canonical() || input_.ready() == 0)
        return;
    if (Cell cell = input_.cell(0); cell.ends_line && is(veof, cell.character))
        (void)input_.take();
}

} // namespace bsd::tty
