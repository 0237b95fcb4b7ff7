// SPDX-License-Identifier: BSD-2-Clause

// Command tree starts a tree of processes that each start two more, and adds up what they say.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

func main() {
	depth := 3
	if len(os.Args) > 1 {
		depth, _ = strconv.Atoi(os.Args[1])
	}
	sum := 1
	if depth > 0 {
		for i := 0; i < 2; i++ {
			out, err := exec.Command(os.Args[0], strconv.Itoa(depth-1)).Output()
			if err != nil {
				fmt.Println("error:", err)
				os.Exit(1)
			}
			n, _ := strconv.Atoi(strings.TrimSpace(string(out)))
			sum += n
		}
	}
	if len(os.Args) > 1 {
		fmt.Println(sum)
		return
	}
	fmt.Println("processes", sum)
	err := exec.Command(os.Args[0] + ".missing").Run()
	fmt.Println("missing program:", err != nil)
}
