// SPDX-License-Identifier: BSD-2-Clause

// Command timers checks that sleeping takes as long as it should and that timers fire in order.
package main

import (
	"fmt"
	"sync"
	"time"
)

func main() {
	start := time.Now()
	time.Sleep(30 * time.Millisecond)
	fmt.Println("slept long enough:", time.Since(start) >= 30*time.Millisecond)
	var mu sync.Mutex
	var order []int
	var all sync.WaitGroup
	for i := 5; i > 0; i-- {
		i := i
		all.Add(1)
		time.AfterFunc(time.Duration(i)*40*time.Millisecond, func() {
			mu.Lock()
			order = append(order, i)
			mu.Unlock()
			all.Done()
		})
	}
	all.Wait()
	fmt.Println("order:", order)
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
