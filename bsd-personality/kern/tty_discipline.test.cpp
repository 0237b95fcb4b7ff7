// SPDX-License-Identifier: BSD-2-Clause
// The line discipline's input: lines, editing, echo, signals.
#include "bsd-personality/kern/test_terminal.hpp"

namespace bsd {
namespace {

using namespace test;

// --- canonical input -------------------------------------------------------------------------------------
TEST(TtyInput, ALineIsReadWhenItIsComplete) {
    Terminal t;
    t.type("hello");
    EXPECT_EQ(t.read(), "-");
    t.type("\n");
    EXPECT_EQ(t.shown(), "hello\r\n");
    EXPECT_EQ(t.read(), "hello\n");
    EXPECT_EQ(t.read(), "-");
}

TEST(TtyInput, ReadsGetOneLineAndRestsOfIt) {
    Terminal t;
    t.type("one\ntwo\n");
    EXPECT_EQ(t.read(2), "on");
    EXPECT_EQ(t.read(100), "e\n");
    EXPECT_EQ(t.read(100), "two\n");
}

TEST(TtyInput, CarriageReturnsBecomeNewlinesOrNothing) {
    Terminal t;
    EXPECT_EQ(t.type("a\r").read(), "a\n");
    t.set(&Termios::input, igncr);
    EXPECT_EQ(t.type("\rb\n").read(), "b\n");
    t.set(&Termios::input, inlcr, igncr | icrnl);
    t.type("c\n");
    EXPECT_EQ(t.read(), "-"); // a carriage return ends no line
    t.character(veol, 'x');
    EXPECT_EQ(t.type("x").read(), "c\rx");
}

TEST(TtyInput, EndOfFileEndsALineOrTheFile) {
    Terminal t;
    EXPECT_EQ(t.type("ab\4").read(), "ab");
    EXPECT_EQ(t.read(), "-");
    EXPECT_EQ(t.type("\4").read(), "EOF");
    EXPECT_EQ(t.shown(), "ab^D\b\b^D\b\b");
    // A read of exactly the line does not leave an end of file behind, in FreeBSD.
    EXPECT_EQ(t.type("ab\4").read(2), "ab");
    EXPECT_EQ(t.read(), "-");
    Terminal d(Dialect::dragonfly);
    EXPECT_EQ(d.type("ab\4").read(2), "ab");
    EXPECT_EQ(d.read(), "EOF");
}

TEST(TtyInput, OtherDelimiters) {
    Terminal t;
    t.character(veol, ';');
    t.character(veol2, ',');
    EXPECT_EQ(t.type("a;b,c\n").read(), "a;");
    EXPECT_EQ(t.read(), "b,");
    t.set(&Termios::local, 0, iexten);
    EXPECT_EQ(t.read(), "c\n");
    EXPECT_EQ(t.type("d,e\n").read(), "d,e\n"); // VEOL2 needs IEXTEN
}

TEST(TtyInput, LiteralNext) {
    Terminal t;
    EXPECT_EQ(t.type("a\x16\3\x16\n\x16\4b\n").read(), "a\3\n\4b\n");
    EXPECT_TRUE(t.signals.empty());
    EXPECT_EQ(t.shown(), "a^\b^C^\b^J^\b^Db\r\n");
}

TEST(TtyInput, StripAndDisabledCharacters) {
    Terminal t;
    t.set(&Termios::input, istrip);
    EXPECT_EQ(t.type("\xe1\xe2\n").read(), "ab\n");
    t.set(&Termios::input, 0, istrip);
    t.character(verase, cc_disabled);
    EXPECT_EQ(t.type("\xff\xe1\n").read(), "\xff\xe1\n"); // 0xff is no erase character
}

TEST(TtyInput, MarkedParityErrorsAndBreaks) {
    Terminal t;
    t.raw();
    t.set(&Termios::input, parmrk | inpck, ignbrk | ignpar | brkint);
    t.line.input('x', Condition::parity_error);
    t.line.input(0, Condition::line_break);
    t.type("\xff");
    EXPECT_EQ(t.read(), string("\xff\0x\xff\0\0\xff\xff", 8));
    t.set(&Termios::input, 0, parmrk);
    t.line.input('x', Condition::framing_error);
    EXPECT_EQ(t.read(), string("\0", 1));
    t.set(&Termios::input, 0, inpck);
    t.line.input('x', Condition::parity_error); // nobody checks parity
    EXPECT_EQ(t.read(), "x");
    t.set(&Termios::input, ignpar | inpck | brkint);
    t.line.input('x', Condition::parity_error);
    EXPECT_EQ(t.read(), "-");
    t.line.input(0, Condition::line_break);
    EXPECT_EQ(t.signals, std::vector<int>{sigint});
    t.set(&Termios::input, ignbrk);
    t.line.input(0, Condition::line_break);
    EXPECT_EQ(t.signals.size(), 1u);
    EXPECT_EQ(t.read(), "-");
}

// --- editing ---------------------------------------------------------------------------------------------
TEST(TtyEditing, Erase) {
    Terminal t;
    EXPECT_EQ(t.type("ab\x7f\bc\n").read(), "c\n");
    EXPECT_EQ(t.shown(), "ab\b \b\b \bc\r\n");
    t.type("\x7f");
    EXPECT_EQ(t.shown(), ""); // nothing to erase
    // A line that is complete is out of reach.
    EXPECT_EQ(t.type("x\n\x7f").read(), "x\n");
}

TEST(TtyEditing, EraseOfWideCharacters) {
    Terminal t;
    t.type("\1\x7f");
    EXPECT_EQ(t.shown(), "^A\b\b  \b\b");
    t.type("abc\t\x7f");
    EXPECT_EQ(t.shown(), "abc\t\b\b\b\b\b"); // to column 3 again
    t.type(" \x7f");
    EXPECT_EQ(t.shown(), " \b");
    Terminal d(Dialect::dragonfly);
    d.type("\1\x7f \x7f");
    EXPECT_EQ(d.shown(), "^A\b \b\b \b \b \b");
}

TEST(TtyEditing, EraseWithoutVisualErase) {
    Terminal t;
    t.set(&Termios::local, 0, echoe);
    t.type("a\x7f");
    EXPECT_EQ(t.shown(), "a^?");
    t.set(&Termios::local, 0, echo);
    t.type("b\x7f");
    EXPECT_EQ(t.shown(), "");
}

TEST(TtyEditing, EchoForPrintingTerminals) {
    Terminal d(Dialect::dragonfly);
    d.set(&Termios::local, echoprt, echoe);
    d.type("abc\x7f\x7fx");
    EXPECT_EQ(d.shown(), "abc\\cb/x");
    Terminal t; // FreeBSD does not know it
    t.set(&Termios::local, echoprt);
    EXPECT_EQ(t.line.termios().local & echoprt, 0u);
}

TEST(TtyEditing, WordErase) {
    Terminal t;
    EXPECT_EQ(t.type("one two/three  \x17x\n").read(), "one x\n");
    t.set(&Termios::local, altwerase);
    EXPECT_EQ(t.type("one two/three\x17x\n").read(), "one two/x\n");
    EXPECT_EQ(t.type("\x17\x17y\n").read(), "y\n");
    t.set(&Termios::local, 0, iexten);
    EXPECT_EQ(t.type("one\x17\n").read(), "one\x17\n");
}

TEST(TtyEditing, Kill) {
    Terminal t;
    EXPECT_EQ(t.type("abc\x15x\n").read(), "x\n");
    EXPECT_EQ(t.shown(), "abc\b \b\b \b\b \bx\r\n");
    Terminal d(Dialect::dragonfly);
    d.set(&Termios::local, echok, echoke);
    EXPECT_EQ(d.type("abc\x15x\n").read(), "x\n");
    EXPECT_EQ(d.shown(), "abc^U\r\nx\r\n");
}

TEST(TtyEditing, ReprintAlsoAfterForeignOutput) {
    Terminal t;
    t.type("ab\x12");
    EXPECT_EQ(t.shown(), "ab^R\r\nab");
    (void)t.written("news\n");
    t.type("\x7f"); // the line is shown again rather than the news erased
    EXPECT_EQ(t.shown(), "^R\r\na");
    t.type("\n");
    EXPECT_EQ(t.read(), "a\n");
}

// --- echo ------------------------------------------------------------------------------------------------
TEST(TtyEcho, ControlCharacters) {
    Terminal t;
    t.type("\1\t\x7e");
    EXPECT_EQ(t.shown(), "^A\t~");
    t.set(&Termios::local, 0, echoctl);
    t.type("\1");
    EXPECT_EQ(t.shown(), "\1");
}

TEST(TtyEcho, NewlinesAlone) {
    Terminal t;
    t.set(&Termios::local, echonl, echo);
    t.type("secret\n");
    EXPECT_EQ(t.shown(), "\r\n");
    EXPECT_EQ(t.read(), "secret\n");
}

// --- signals ---------------------------------------------------------------------------------------------
TEST(TtySignals, CharactersSendThemAndDropTheLine) {
    Terminal t;
    t.type("ab\3cd\x1c\x1a");
    EXPECT_EQ(t.signals, (std::vector<int>{sigint, sigquit, sigtstp}));
    EXPECT_EQ(t.flushes, (std::vector<int>{3, 3, 3}));
    EXPECT_EQ(t.type("e\n").read(), "e\n");
    Terminal d(Dialect::dragonfly);
    d.type("\x1a");
    EXPECT_EQ(d.flushes, std::vector<int>{1}); // SIGTSTP leaves output alone there
    t.set(&Termios::local, noflsh);
    t.flushes.clear();
    EXPECT_EQ(t.type("ab\3c\n").read(), "abc\n");
    EXPECT_TRUE(t.flushes.empty());
}

TEST(TtySignals, WithoutIsigTheyAreInput) {
    Terminal t;
    t.set(&Termios::local, 0, isig);
    EXPECT_EQ(t.type("\3\x1a\n").read(), "\3\x1a\n");
    EXPECT_TRUE(t.signals.empty());
}

TEST(TtySignals, Status) {
    for (Dialect dialect : {Dialect::freebsd, Dialect::dragonfly}) {
        Terminal t(dialect);
        t.type("\x14");
        EXPECT_EQ(t.signals, std::vector<int>{siginfo});
        EXPECT_EQ(t.statuses, 1);
        t.set(&Termios::local, nokerninfo);
        t.type("\x14");
        EXPECT_EQ(t.signals.size(), 2u);
        EXPECT_EQ(t.statuses, 1);
    }
}

TEST(TtySignals, DelayedSuspendWhenItIsRead) {
    Terminal d(Dialect::dragonfly);
    d.type("a\x19"
           "b\n");
    EXPECT_TRUE(d.signals.empty());
    EXPECT_EQ(d.read(), "a");
    EXPECT_EQ(d.signals, std::vector<int>{sigtstp});
    EXPECT_EQ(d.read(), "b\n");
}

} // namespace
} // namespace bsd
