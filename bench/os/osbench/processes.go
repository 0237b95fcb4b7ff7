// SPDX-License-Identifier: BSD-2-Clause
// Pipes, processes, threads, memory.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"
	"unsafe"
)

func pipe2() (r, w int, err error) {
	p := make([]int, 2)
	if err = syscall.Pipe(p); err != nil {
		return
	}
	syscall.CloseOnExec(p[0])
	syscall.CloseOnExec(p[1])
	return p[0], p[1], nil
}

func bPipeRTT(n int) (time.Duration, error) {
	r1, w1, err := pipe2()
	if err != nil {
		return 0, err
	}
	r2, w2, err := pipe2()
	if err != nil {
		return 0, err
	}
	pid, err := spawn([]uintptr{uintptr(r1), uintptr(w2), 2}, "child-echo")
	syscall.Close(r1)
	syscall.Close(w2)
	if err != nil {
		return 0, err
	}
	b := make([]byte, 1)
	bad := rawWrite(w1, b) != 1 || rawRead(r2, b) != 1 // warm up: child is running
	t := time.Now()
	for i := 0; i < n && !bad; i++ {
		bad = rawWrite(w1, b) != 1 || rawRead(r2, b) != 1
	}
	d := time.Since(t)
	syscall.Close(w1)
	err = reap(pid)
	syscall.Close(r2)
	if bad && err == nil {
		err = errors.New("short transfer")
	}
	return d, err
}

func childEcho() {
	b := make([]byte, 1)
	for rawRead(0, b) == 1 {
		if rawWrite(1, b) != 1 {
			os.Exit(1)
		}
	}
	os.Exit(0)
}

const blk = 64 << 10

func bPipeBW(n int) (time.Duration, error) {
	r, w, err := pipe2()
	if err != nil {
		return 0, err
	}
	pid, err := spawn([]uintptr{0, uintptr(w), 2}, "child-source")
	syscall.Close(w)
	if err != nil {
		return 0, err
	}
	b := make([]byte, blk)
	if rawRead(r, b[:1]) != 1 {
		err = errors.New("no data")
	}
	t := time.Now()
	for left := n * blk; left > 0 && err == nil; {
		k := rawRead(r, b)
		if k <= 0 {
			err = fmt.Errorf("read %d", k)
		}
		left -= k
	}
	d := time.Since(t)
	syscall.Close(r)
	syscall.Kill(pid, syscall.SIGKILL)
	var ws syscall.WaitStatus
	syscall.Wait4(pid, &ws, 0, nil)
	return d, err
}

func childSource() {
	b := make([]byte, blk)
	for rawWrite(1, b) > 0 {
	}
	os.Exit(0)
}

func forkExec(path string, args []string) func(n int) (time.Duration, error) {
	return func(n int) (time.Duration, error) {
		p := path
		if p == "" {
			p = selfPath()
		}
		argv := append([]string{p}, args...)
		attr := &syscall.ProcAttr{Env: []string{"GOMAXPROCS=1"}, Files: []uintptr{0, 1, 2}}
		t := time.Now()
		for i := 0; i < n; i++ {
			pid, err := syscall.ForkExec(p, argv, attr)
			if err != nil {
				return 0, err
			}
			if err := reap(pid); err != nil {
				return 0, err
			}
		}
		return time.Since(t), nil
	}
}

func bForkExecNoop(n int) (time.Duration, error) {
	if *noop == "" {
		return 0, errors.New("no -noop program given")
	}
	return forkExec(*noop, nil)(n)
}

// Two goroutines pinned to two OS threads hand a token back and forth: every hand-off is a
// futex/umtx/lwp_park wake of the other thread and a sleep of this one (round trip = 2 hand-offs).
func bThreadHandoff(n int) (time.Duration, error) {
	a, b := make(chan struct{}), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		for range a {
			b <- struct{}{}
		}
		close(b)
	}()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	a <- struct{}{}
	<-b
	t := time.Now()
	for i := 0; i < n; i++ {
		a <- struct{}{}
		<-b
	}
	d := time.Since(t)
	close(a)
	<-b
	return d, nil
}

// A goroutine that exits while locked to its thread makes the runtime end that thread, so each
// iteration costs one OS thread's life. The caller is locked too, so it cannot be reused.
func bThreadCreate(n int) (time.Duration, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c := make(chan struct{})
	t := time.Now()
	for i := 0; i < n; i++ {
		go func() {
			runtime.LockOSThread()
			c <- struct{}{}
		}()
		<-c
	}
	return time.Since(t), nil
}

const mapSize = 4 << 20

func mmapTouch(advise int) func(n int) (time.Duration, error) {
	return func(n int) (time.Duration, error) {
		t := time.Now()
		for i := 0; i < n; i++ {
			m, err := syscall.Mmap(-1, 0, mapSize, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
			if err != nil {
				return 0, err
			}
			if advise != 0 && runtime.GOOS == "linux" {
				syscall.RawSyscall(sysMadvise, uintptr(unsafe.Pointer(&m[0])), mapSize, uintptr(advise))
			}
			for j := 0; j < len(m); j += 4096 {
				m[j] = 1
			}
			if err := syscall.Munmap(m); err != nil {
				return 0, err
			}
		}
		return time.Since(t), nil
	}
}

func bMmapOnly(n int) (time.Duration, error) {
	t := time.Now()
	for i := 0; i < n; i++ {
		m, err := syscall.Mmap(-1, 0, 65536, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
		if err != nil {
			return 0, err
		}
		if err := syscall.Munmap(m); err != nil {
			return 0, err
		}
	}
	return time.Since(t), nil
}
