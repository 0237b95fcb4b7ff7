// SPDX-License-Identifier: BSD-2-Clause

// Command count counts lines, words and bytes of its standard input, and prints its arguments and environment.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	in := bufio.NewReader(os.Stdin)
	var lines, words, size int
	for {
		line, err := in.ReadString('\n')
		size += len(line)
		words += len(strings.Fields(line))
		if err == io.EOF {
			break
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "count:", err)
			os.Exit(1)
		}
		lines++
	}
	fmt.Println(lines, words, size)
	fmt.Printf("%q %q\n", os.Args[1:], os.Getenv("COUNT_NOTE"))
	fmt.Fprintln(os.Stderr, "to the standard error")
	os.Exit(len(os.Args) - 1)
}
