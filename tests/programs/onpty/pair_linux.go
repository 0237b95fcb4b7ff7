// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"
)

func control(file *os.File, command uintptr, argument *int32) error {
	if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, file.Fd(), command, uintptr(unsafe.Pointer(argument))); e != 0 {
		return e
	}
	return nil
}

func openPair() (master, slave *os.File, err error) {
	if master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0); err != nil {
		return
	}
	var number, unlocked int32
	if err = control(master, 0x80045430, &number); err != nil { // TIOCGPTN
		return
	}
	if err = control(master, 0x40045431, &unlocked); err != nil { // TIOCSPTLCK
		return
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	return
}
