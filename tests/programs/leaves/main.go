// SPDX-License-Identifier: BSD-2-Clause

// Command leaves runs a command and then prints what lies in a directory: every file with its mode, its size and a sum
// of its bytes, so that files can be compared from outside. A command without a slash is looked for beside this one.
// usage: leaves DIRECTORY COMMAND [ARGUMENT…]
package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func must(err error) {
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(125)
	}
}

func describe(path string, entry fs.DirEntry, err error) error {
	must(err)
	info, err := entry.Info()
	must(err)
	switch {
	case entry.IsDir():
		fmt.Println(path, info.Mode())
	case info.Mode()&fs.ModeSymlink != 0: // its permissions are the system's own choice
		target, err := os.Readlink(path)
		must(err)
		fmt.Println(path, "to", target)
	case info.Mode().IsRegular():
		content, err := os.ReadFile(path)
		must(err)
		fmt.Printf("%s %v %d %x\n", path, info.Mode(), info.Size(), sha256.Sum256(content))
	default:
		fmt.Println(path, info.Mode())
	}
	return nil
}

func main() {
	command := os.Args[2]
	if !strings.Contains(command, "/") {
		self, err := os.Executable()
		must(err)
		command = filepath.Join(filepath.Dir(self), command)
	}
	child := exec.Command(command, os.Args[3:]...)
	child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
	status := 0
	if err := child.Run(); err != nil {
		var failed *exec.ExitError
		if !errors.As(err, &failed) {
			must(err)
		}
		status = failed.ExitCode()
	}
	must(filepath.WalkDir(os.Args[1], describe))
	os.Exit(status)
}
