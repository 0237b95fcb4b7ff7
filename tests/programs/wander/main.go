// SPDX-License-Identifier: BSD-2-Clause

// Command wander shows that threads which share a processor part when another one becomes free. FreeBSD only:
// sched_getcpu(2).
package main

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const threads = 4

type spinner struct {
	cpu  atomic.Int32 // where it was seen last; -1 before
	stop atomic.Bool
}

// What the thread carries along is checked, too: a count in an integer and in a floating-point register.
func (s *spinner) spin() {
	runtime.LockOSThread()
	var count int
	var sum float64
	for !s.stop.Load() {
		cpu, _, errno := syscall.RawSyscall(581, 0, 0, 0)
		if errno != 0 {
			fmt.Println("error:", errno)
			os.Exit(1)
		}
		s.cpu.Store(int32(cpu))
		count++
		sum++
	}
	if sum != float64(count) {
		fmt.Println("error: sum", sum, "count", count)
		os.Exit(1)
	}
}

// Two on one processor: there are more threads than processors.
func pair(spinners []spinner) (int, int) {
	for {
		for i := range spinners {
			for k := i + 1; k < len(spinners); k++ {
				if spinners[i].cpu.Load() == spinners[k].cpu.Load() {
					return i, k
				}
			}
		}
	}
}

func main() {
	runtime.GOMAXPROCS(2 * threads)
	var spinners [threads]spinner
	var running [threads]sync.WaitGroup
	for i := range spinners {
		spinners[i].cpu.Store(-1)
		running[i].Add(1)
		go func(i int) {
			defer running[i].Done()
			spinners[i].spin()
		}(i)
	}
	for i := range spinners {
		for spinners[i].cpu.Load() < 0 {
			time.Sleep(time.Millisecond)
		}
	}
	first, second := pair(spinners[:])
	fmt.Println("two threads share a processor")
	for i := range spinners {
		if i != first && i != second {
			spinners[i].stop.Store(true)
			running[i].Wait()
		}
	}
	for spinners[first].cpu.Load() == spinners[second].cpu.Load() {
		time.Sleep(time.Millisecond)
	}
	fmt.Println("they part when the other one is free")
	for _, i := range []int{first, second} {
		spinners[i].stop.Store(true)
		running[i].Wait()
	}
}
