// SPDX-License-Identifier: BSD-2-Clause

// Command onpty runs a command on a pseudo terminal of its own, as the leader of a session that the terminal controls,
// and prints everything that appears there. Each line of its own input is typed when the terminal has shown a line that ends
// with a question mark: all of it, so that the echo comes behind. Its exit status is the command's.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "onpty:", err)
		os.Exit(125)
	}
}

func main() {
	master, slave, err := openPair()
	check(err)
	command := exec.Command(os.Args[1], os.Args[2:]...)
	command.Stdin, command.Stdout, command.Stderr = slave, slave, slave
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	check(command.Start())
	slave.Close()

	lines := bufio.NewScanner(os.Stdin)
	shown := make([]byte, 4096)
	var last byte // but for carriage returns
	for {
		count, err := master.Read(shown)
		os.Stdout.Write(shown[:count])
		for _, c := range shown[:count] {
			if c == '\n' && last == '?' && lines.Scan() {
				_, err := io.WriteString(master, lines.Text()+"\n")
				check(err)
			}
			if c != '\r' {
				last = c
			}
		}
		if err != nil { // the end of file, which Linux reports as an error
			break
		}
	}
	err = command.Wait()
	if _, ok := err.(*exec.ExitError); !ok {
		check(err)
	}
	os.Exit(command.ProcessState.ExitCode())
}
