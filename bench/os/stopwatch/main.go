// SPDX-License-Identifier: BSD-2-Clause
// stopwatch FILE PROGRAM [ARGUMENT]...: runs the program with its output in FILE and prints how many nanoseconds
// it took, and how many bytes it wrote.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"time"
)

func main() {
	out, err := os.Create(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	command := exec.Command(os.Args[2], os.Args[3:]...)
	command.Stdout, command.Stderr = out, os.Stderr
	begin := time.Now()
	if err := command.Run(); err != nil {
		fmt.Fprintln(os.Stderr, os.Args[2], err)
		os.Exit(1)
	}
	took := time.Since(begin)
	size, _ := out.Seek(0, os.SEEK_CUR)
	fmt.Printf("stopwatch\t%d\t%d\n", size, took.Nanoseconds())
}
