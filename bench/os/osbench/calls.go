// SPDX-License-Identifier: BSD-2-Clause
// System calls, signals and sleeping.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
	"unsafe"
)

// Raw helpers (no scheduler hooks: RawSyscall keeps the P, so nothing but the syscall is timed)

func rawRead(fd int, b []byte) int {
	r, _, e := syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	if e != 0 {
		return -int(e)
	}
	return int(r)
}

func rawWrite(fd int, b []byte) int {
	r, _, e := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	if e != 0 {
		return -int(e)
	}
	return int(r)
}

func spawn(files []uintptr, args ...string) (int, error) {
	argv := append([]string{selfPath()}, args...)
	return syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{Env: os.Environ(), Files: files})
}

func reap(pid int) error {
	var ws syscall.WaitStatus
	for {
		_, err := syscall.Wait4(pid, &ws, 0, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		if !ws.Exited() || ws.ExitStatus() != 0 {
			return fmt.Errorf("child status %#x", int(ws))
		}
		return nil
	}
}

func bNull(n int) (time.Duration, error) {
	t := time.Now()
	for i := 0; i < n; i++ {
		syscall.RawSyscall(syscall.SYS_GETPPID, 0, 0, 0)
	}
	return time.Since(t), nil
}

func bNow(n int) (time.Duration, error) {
	t := time.Now()
	for i := 0; i < n; i++ {
		_ = time.Now()
	}
	return time.Since(t), nil
}

func bReadZero(n int) (time.Duration, error) {
	fd, err := syscall.Open("/dev/zero", syscall.O_RDONLY, 0)
	if err != nil {
		return 0, err
	}
	defer syscall.Close(fd)
	b := make([]byte, 1)
	t := time.Now()
	for i := 0; i < n; i++ {
		if rawRead(fd, b) != 1 {
			return 0, errors.New("short read")
		}
	}
	return time.Since(t), nil
}

func bWriteNull(n int) (time.Duration, error) {
	fd, err := syscall.Open("/dev/null", syscall.O_WRONLY, 0)
	if err != nil {
		return 0, err
	}
	defer syscall.Close(fd)
	b := make([]byte, 1)
	t := time.Now()
	for i := 0; i < n; i++ {
		if rawWrite(fd, b) != 1 {
			return 0, errors.New("short write")
		}
	}
	return time.Since(t), nil
}

func bSignal(n int) (time.Duration, error) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR1)
	defer signal.Stop(c)
	pid := syscall.Getpid()
	t := time.Now()
	for i := 0; i < n; i++ {
		if err := syscall.Kill(pid, syscall.SIGUSR1); err != nil {
			return 0, err
		}
		select {
		case <-c:
		case <-time.After(5 * time.Second):
			return 0, errors.New("signal lost")
		}
	}
	return time.Since(t), nil
}

func bSleep1ms(n int) (time.Duration, error) {
	t := time.Now()
	for i := 0; i < n; i++ {
		time.Sleep(time.Millisecond)
	}
	return time.Since(t), nil
}
