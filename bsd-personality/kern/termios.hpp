// SPDX-License-Identifier: BSD-2-Clause
// Terminal settings as both systems lay them out: termios, window size, the characters' places, the flags
// with BSD's names, and what a terminal starts with.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bsd::tty {

/// Places in Termios::cc.
enum ControlCharacter : unsigned {
    veof,
    veol,
    veol2,
    verase,
    vwerase,
    vkill,
    vreprint,
    verase2,
    vintr,
    vquit,
    vsusp,
    vdsusp,
    vstart,
    vstop,
    vlnext,
    vdiscard,
    vmin,
    vtime,
    vstatus,
    vcheckpoint, // DragonFly
    cc_count
};
inline constexpr std::uint8_t cc_disabled = 0xff;

enum InputFlag : std::uint32_t {
    ignbrk = 1,
    brkint = 2,
    ignpar = 4,
    parmrk = 8,
    inpck = 0x10,
    istrip = 0x20,
    inlcr = 0x40,
    igncr = 0x80,
    icrnl = 0x100,
    ixon = 0x200,
    ixoff = 0x400,
    ixany = 0x800,
    imaxbel = 0x2000,
    all_input_flags = 0x2fff,
};
enum OutputFlag : std::uint32_t {
    opost = 1,
    onlcr = 2,
    oxtabs = 4,
    onoeot = 8,
    ocrnl = 0x10,
    onocr = 0x20,
    onlret = 0x40,
    all_output_flags = 0x7f,
};
enum ControlFlag : std::uint32_t {
    cignore = 1, // leave the control flags and speeds as they are
    cs8 = 0x300,
    cread = 0x800,
    hupcl = 0x4000,
    clocal = 0x8000,
    all_control_flags = 0x1f'ff01, // no modem here: kept and shown, of effect is CLOCAL only
};
enum LocalFlag : std::uint32_t {
    echoke = 1,
    echoe = 2,
    echok = 4,
    echo = 8,
    echonl = 0x10,
    echoprt = 0x20, // DragonFly
    echoctl = 0x40,
    isig = 0x80,
    icanon = 0x100,
    altwerase = 0x200,
    iexten = 0x400,
    extproc = 0x800, // DragonFly; set by TIOCEXT only
    tostop = 0x40'0000,
    flusho = 0x80'0000, // DragonFly: output is thrown away
    nokerninfo = 0x200'0000,
    pendin = 0x2000'0000, // DragonFly: input of raw mode is still to be edited
    noflsh = 0x8000'0000,
    freebsd_local_flags = 0x82c0'07df, // what FreeBSD's terminals know; it ignores the others
};

struct Termios {
    std::uint32_t input, output, control, local;
    std::uint8_t cc[cc_count];
    std::uint32_t input_speed, output_speed;
};
static_assert(sizeof(Termios) == 44 && offsetof(Termios, cc) == 16 && offsetof(Termios, input_speed) == 36);

struct WindowSize {
    std::uint16_t rows = 0, columns = 0, width = 0, height = 0; // characters, then pixels
    bool operator==(const WindowSize&) const = default;
};
static_assert(sizeof(WindowSize) == 8);

/// What a terminal has when it is first opened, in both systems but for the speed.
constexpr Termios default_termios(std::uint32_t speed) {
    return {brkint | icrnl | imaxbel | ixon | ixany,
            opost | onlcr,
            cread | cs8 | hupcl,
            icanon | isig | iexten | echo | echoe | echoke | echoctl,
            {4, 0xff, 0xff, 0x7f, 23, 21, 18, 8, 3, 28, 26, 25, 17, 19, 22, 15, 1, 0, 20, 0xff},
            speed,
            speed};
}

/// Where the two systems' terminals differ in what a program sees.
enum class Dialect : std::uint8_t { freebsd, dragonfly };

} // namespace bsd::tty
