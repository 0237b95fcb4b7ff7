// SPDX-License-Identifier: BSD-2-Clause
// The line discipline's output and flow control, raw mode, settings.
#include "bsd-personality/kern/test_terminal.hpp"

namespace bsd {
namespace {

using namespace test;

// --- flow control ----------------------------------------------------------------------------------------
TEST(TtyFlow, StopAndStart) {
    Terminal t;
    t.set(&Termios::input, 0, ixany);
    t.type("\x13");
    EXPECT_EQ(t.written("hidden"), "");
    t.type("a");
    EXPECT_EQ(t.shown(), "");
    t.type("\x11");
    EXPECT_EQ(t.shown(), "hiddena");
    EXPECT_EQ(t.stops, (std::vector<bool>{true, false}));
    t.set(&Termios::input, ixany);
    t.type("\x13");
    (void)t.written("more");
    t.type("b");
    EXPECT_EQ(t.shown(), "moreb");
    t.set(&Termios::input, 0, ixon);
    EXPECT_EQ(t.type("\x13\n").read(), "ab\x13\n");
}

TEST(TtyFlow, OneCharacterForBothToggles) {
    Terminal t;
    t.character(vstart, 19);
    t.type("\x13");
    EXPECT_TRUE(t.line.stopped());
    t.type("\x13");
    EXPECT_FALSE(t.line.stopped());
}

TEST(TtyFlow, AFullInputQueueStopsTheSender) {
    Terminal t;
    t.raw();
    t.set(&Termios::input, ixoff, ixon);
    string shown;
    unsigned sent = 0;
    while (t.line.input_room() != 0) {
        t.type("x");
        sent++;
        shown += t.shown();
    }
    EXPECT_EQ(shown, "\x13");
    for (unsigned got = 0; got < sent;)
        got += static_cast<unsigned>(t.read().size());
    t.line.unthrottle();
    EXPECT_EQ(t.shown(), "\x11");
}

TEST(TtyFlow, DiscardOutput) {
    Terminal d(Dialect::dragonfly);
    d.type("\x0f");
    EXPECT_EQ(d.shown(), "^O");
    EXPECT_EQ(d.written("lost"), "");
    d.type("\x0f");
    EXPECT_EQ(d.written("seen"), "seen");
    Terminal t; // an ordinary character in FreeBSD
    EXPECT_EQ(t.type("\x0f\n").read(), "\x0f\n");
}

TEST(TtyFlow, ALineThatIsTooLongRingsAndCanBeErased) {
    Terminal t;
    t.type(string(InputQueue::capacity, 'x'));
    EXPECT_NE(t.line.input_room(), 0u); // a sender that had to wait would wait for ever
    (void)t.shown();
    t.type("y");
    EXPECT_EQ(t.shown(), "\a");
    t.type("\x7f\n");
    EXPECT_EQ(t.read(10000).size(), InputQueue::capacity);
}

// --- raw mode and changes of mode ------------------------------------------------------------------------
TEST(TtyRaw, EverythingIsReadAtOnce) {
    Terminal t;
    t.raw();
    t.set(&Termios::input, 0, icrnl | ixon);
    EXPECT_EQ(t.type("a\r\3\4\x13").read(), "a\r\3\4\x13");
}

TEST(TtyRaw, AnUnfinishedLineBecomesReadable) {
    Terminal t;
    t.type("ab");
    t.raw();
    EXPECT_EQ(t.read(), "ab");
}

TEST(TtyRaw, BackToLines) {
    Terminal t;
    t.set(&Termios::local, 0, icanon | echo);
    t.type("one\ntwo");
    t.set(&Termios::local, icanon);
    EXPECT_EQ(t.read(), "one\n");
    EXPECT_EQ(t.read(), "-");
    EXPECT_EQ(t.type("\x7fx\n").read(), "twx\n");
}

TEST(TtyRaw, DragonFlyTypesPendingInputAgain) {
    Terminal d(Dialect::dragonfly);
    d.set(&Termios::local, 0, icanon | echo);
    d.type("on\x7f\ntwo");
    d.set(&Termios::local, icanon | echo);
    EXPECT_NE(d.line.termios().local & pendin, 0u);
    EXPECT_EQ(d.read(), "o\n");
    EXPECT_EQ(d.line.termios().local & pendin, 0u);
    EXPECT_EQ(d.shown(), "on\b \b\r\ntwo");
    EXPECT_EQ(d.type("\n").read(), "two\n");
}

TEST(TtyRaw, APendingSignalDropsTheRest) {
    Terminal d(Dialect::dragonfly);
    d.set(&Termios::local, 0, icanon | isig);
    d.type("ab\3cd\n");
    d.set(&Termios::local, icanon | isig);
    EXPECT_EQ(d.read(), "-");
    EXPECT_EQ(d.signals, std::vector<int>{sigint});
}

TEST(TtyRaw, ExternalProcessing) {
    Terminal d(Dialect::dragonfly);
    d.line.set_external(true);
    EXPECT_EQ(d.type("a\x7f\3b\n").read(), "a\x7f\3b\n");
    EXPECT_EQ(d.shown(), "");
    EXPECT_TRUE(d.signals.empty());
    d.set(&Termios::local, 0, extproc); // only TIOCEXT changes it
    EXPECT_NE(d.line.termios().local & extproc, 0u);
}

// --- output ----------------------------------------------------------------------------------------------
TEST(TtyOutput, Processing) {
    Terminal t;
    EXPECT_EQ(t.written("a\nb"), "a\r\nb");
    t.set(&Termios::output, oxtabs);
    EXPECT_EQ(t.written("\r\tx\t\by\t"), "\r        x       \by        ");
    t.set(&Termios::output, onoeot | ocrnl | onlret, onlcr);
    EXPECT_EQ(t.written("a\4b\rc\n\t"), "ab\nc\n        ");
    t.set(&Termios::output, onocr, ocrnl);
    EXPECT_EQ(t.written("\n\ra\r"), "\na\r");
    t.set(&Termios::output, 0, opost);
    EXPECT_EQ(t.written("a\n\t\4"), "a\n\t\4");
}

TEST(TtyOutput, RoomIsForTheLargestExpansion) {
    Terminal t;
    t.set(&Termios::output, oxtabs);
    unsigned written = 0;
    while (unsigned room = t.line.write_room()) {
        string tabs(room, '\t');
        t.line.write(tabs.data(), room);
        written += room;
    }
    EXPECT_EQ(written * 8, t.line.output_used());
    EXPECT_EQ(t.shown(), string(written * 8, ' '));
}

TEST(TtyOutput, FlushDropsWhatWasNotTaken) {
    Terminal t;
    t.line.write("abc", 3);
    t.line.flush(false, true);
    EXPECT_EQ(t.shown(), "");
    EXPECT_EQ(t.flushes, std::vector<int>{2});
}

// --- settings --------------------------------------------------------------------------------------------
TEST(TtySettings, UnknownFlagsAndSpeeds) {
    Terminal t;
    Termios all;
    std::memset(&all, 0xff, sizeof all);
    all.input_speed = 0;
    all.output_speed = 1200;
    all.control &= ~std::uint32_t{cignore};
    t.line.configure(all, true);
    EXPECT_EQ(t.line.termios().input, 0x2fffu);
    EXPECT_EQ(t.line.termios().output, 0x7fu);
    EXPECT_EQ(t.line.termios().local, 0x82c007dfu);
    EXPECT_EQ(t.line.termios().input_speed, 1200u);
    all.control = cignore;
    all.output_speed = 50;
    t.line.configure(all, true);
    EXPECT_EQ(t.line.termios().output_speed, 1200u);
}

} // namespace
} // namespace bsd
