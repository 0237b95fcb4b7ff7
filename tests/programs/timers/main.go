// SPDX-License-Identifier: BSD-2-Clause

// Command timers checks that sleeping takes as long as it should and that no timer fires early.
package main

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

func main() {
	start := time.Now()
	time.Sleep(30 * time.Millisecond)
	fmt.Println("slept long enough:", time.Since(start) >= 30*time.Millisecond)
	var early atomic.Int32
	var all sync.WaitGroup
	for i := 5; i > 0; i-- {
		i := i
		all.Add(1)
		start := time.Now()
		time.AfterFunc(time.Duration(i)*40*time.Millisecond, func() {
			if time.Since(start) < time.Duration(i)*40*time.Millisecond {
				early.Add(1)
			}
			all.Done()
		})
	}
	all.Wait()
	fmt.Println("early:", early.Load())
	ticker := time.NewTicker(5 * time.Millisecond)
	for i := 0; i < 10; i++ {
		<-ticker.C
	}
	ticker.Stop()
	select {
	case <-time.After(10 * time.Millisecond):
		fmt.Println("timed out")
	case <-make(chan int):
	}
	fmt.Println("clock is after 2020:", time.Now().Year() >= 2020)
}
