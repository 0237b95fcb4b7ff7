// SPDX-License-Identifier: BSD-2-Clause
// Starts COUNT copies of itself that do nothing but wait, and says what one of them costs the system beyond its own pages:
// memory of the system itself (wired pages) and kernel memory (page tables and kernel objects), in bytes.
// usage: crowd COUNT
package main

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

const half = 30 * time.Second // Go's own background thread looks around once a minute

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "crowd:", err)
		os.Exit(1)
	}
}

// One copy: says that it is there, and waits for the end of its input.
func wait() {
	byte := []byte{'.'}
	syscall.Write(1, byte)
	syscall.Read(0, byte)
	os.Exit(0)
}

func main() {
	if os.Args[1] == "wait" {
		wait()
	}
	count, err := strconv.Atoi(os.Args[1])
	check(err)
	self, err := os.Executable()
	check(err)
	input, hold, err := os.Pipe()
	check(err)
	ready, output, err := os.Pipe()
	check(err)
	start := func(n int) (started []*os.Process) {
		for i := 0; i < n; i++ {
			process, err := os.StartProcess(self, []string{"crowd", "wait"}, &os.ProcAttr{Files: []*os.File{input, output, os.Stderr}})
			check(err)
			started = append(started, process)
			_, err = ready.Read(make([]byte, 1))
			check(err)
		}
		return
	}
	each := func(before, after int64) int64 { return (after - before) / int64(count) }
	first := start(4) // what is made once is there afterwards
	time.Sleep(half)  // who does nothing for so long is at rest
	wiredBefore, kernelBefore := memory()
	processes := start(count)
	wiredAfter, kernelAfter := memory()
	fmt.Printf("running: wired %d kernel %d\n", each(wiredBefore, wiredAfter), each(kernelBefore, kernelAfter))
	time.Sleep(half)
	wiredAfter, kernelAfter = memory()
	fmt.Printf("at rest: wired %d kernel %d\n", each(wiredBefore, wiredAfter), each(kernelBefore, kernelAfter))
	check(hold.Close())
	for _, process := range append(first, processes...) {
		state, err := process.Wait()
		check(err)
		if !state.Success() {
			check(fmt.Errorf("%v", state))
		}
	}
}
