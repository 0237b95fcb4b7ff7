// SPDX-License-Identifier: BSD-2-Clause

//go:build freebsd || dragonfly

package main

import (
	"bytes"
	"os"
	"runtime"
	"syscall"
	"unsafe"
)

// As each system's posix_openpt, grantpt, unlockpt and ptsname do it.
func openPair() (master, slave *os.File, err error) {
	const deviceName = 0x80106678 // FIODGNAME, FIODNAME
	var name [64]byte
	var request unsafe.Pointer
	if runtime.GOOS == "freebsd" {
		fd, _, e := syscall.Syscall(504, syscall.O_RDWR|syscall.O_NOCTTY|syscall.O_CLOEXEC, 0, 0)
		if e != 0 {
			return nil, nil, e
		}
		master = os.NewFile(fd, "master")
		request = unsafe.Pointer(&struct {
			length int32
			buffer *byte
		}{int32(len(name)), &name[0]})
	} else {
		if master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0); err != nil {
			return
		}
		request = unsafe.Pointer(&struct {
			buffer *byte
			length uint32
		}{&name[0], uint32(len(name))})
	}
	if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, master.Fd(), deviceName, uintptr(request)); e != 0 {
		return nil, nil, e
	}
	name[2] = 's' // DragonFly's master is ptm/N
	path := "/dev/" + string(name[:bytes.IndexByte(name[:], 0)])
	slave, err = os.OpenFile(path, os.O_RDWR|syscall.O_NOCTTY, 0)
	return
}
