// SPDX-License-Identifier: BSD-2-Clause
//go:build freebsd || dragonfly

package main

import "syscall"

func long(name string) (value int64) {
	text, err := syscall.Sysctl(name) // drops a last zero byte
	check(err)
	for i := len(text) - 1; i >= 0; i-- {
		value = value<<8 | int64(text[i])
	}
	return
}

// In bytes.
func memory() (wired, kernel int64) {
	pages, err := syscall.SysctlUint32("vm.stats.vm.v_wire_count")
	check(err)
	return int64(pages) * 4096, long("vm.kvm_size") - long("vm.kvm_free")
}
