// SPDX-License-Identifier: BSD-2-Clause

// Command signals sends signals to itself and to a child, in all the usual ways.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) > 1 {
		fmt.Println("ready")
		time.Sleep(time.Minute)
		return
	}
	got := make(chan os.Signal, 8)
	signal.Notify(got, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH)
	signal.Ignore(syscall.SIGHUP)
	for _, s := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGHUP, syscall.SIGWINCH} {
		if err := syscall.Kill(os.Getpid(), s); err != nil {
			fmt.Println("kill:", err)
		}
		if s != syscall.SIGHUP {
			fmt.Println("got", <-got == s)
		}
	}
	for _, s := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGABRT} {
		child := exec.Command(os.Args[0], "child")
		out, _ := child.StdoutPipe()
		if err := child.Start(); err != nil {
			fmt.Println("start:", err)
			os.Exit(1)
		}
		out.Read(make([]byte, 16))
		child.Process.Signal(s)
		err := child.Wait()
		status := err.(*exec.ExitError).Sys().(syscall.WaitStatus)
		if s == syscall.SIGABRT {
			fmt.Println("ended by the runtime:", status.Exited() && status.ExitStatus() == 2)
		} else {
			fmt.Println("signaled", status.Signaled(), status.Signal() == s)
		}
	}
	defer func() { fmt.Println("recovered:", recover()) }()
	var nowhere *int
	*nowhere = 1
}
