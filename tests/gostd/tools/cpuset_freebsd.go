// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

func init() {
	commands["cpuset"] = cpuset
	commands["sysctl"] = sysctl
}

// sysctl -n NAME, of an integer.
func sysctl(arguments []string) {
	if len(arguments) != 2 || arguments[0] != "-n" {
		fail(fmt.Errorf("is asked for more than -n NAME"))
	}
	value, err := syscall.SysctlUint32(arguments[1])
	check(err)
	fmt.Println(int32(value))
}

// The calls of cpuset(2) for a process's own mask; -1: the caller's.
func affinity(number uintptr, pid int, mask *[16]uint64) {
	const levelWhich, whichPid = 3, 2
	_, _, err := syscall.Syscall6(number, levelWhich, whichPid, uintptr(pid), unsafe.Sizeof(*mask), uintptr(unsafe.Pointer(mask)), 0)
	if err != 0 {
		fail(err)
	}
}

// cpuset -g -p PID, or cpuset -l LIST COMMAND [ARGUMENT…].
func cpuset(arguments []string) {
	const getAffinity, setAffinity, newSet = 487, 488, 484
	var mask [16]uint64
	if len(arguments) == 3 && arguments[0] == "-g" && arguments[1] == "-p" {
		pid, err := strconv.Atoi(arguments[2])
		check(err)
		affinity(getAffinity, pid, &mask)
		var list []string
		for cpu := 0; cpu < len(mask)*64; cpu++ {
			if mask[cpu/64]>>(cpu%64)&1 != 0 {
				list = append(list, strconv.Itoa(cpu))
			}
		}
		fmt.Printf("pid %d mask: %s\n", pid, strings.Join(list, ", "))
		return
	}
	if len(arguments) < 3 || arguments[0] != "-l" {
		fail(fmt.Errorf("is asked for neither -g -p PID nor -l LIST COMMAND"))
	}
	for _, each := range strings.Split(arguments[1], ",") {
		cpu, err := strconv.Atoi(each)
		check(err)
		mask[cpu/64] |= 1 << (cpu % 64)
	}
	var set int32
	if _, _, err := syscall.Syscall(newSet, uintptr(unsafe.Pointer(&set)), 0, 0); err != 0 {
		fail(err)
	}
	affinity(setAffinity, -1, &mask)
	path, err := exec.LookPath(arguments[2])
	check(err)
	check(syscall.Exec(path, arguments[2:], os.Environ()))
}
