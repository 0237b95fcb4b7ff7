// SPDX-License-Identifier: BSD-2-Clause

// Command git is as much of git as lefthook asks: where the repository is (above the working directory, with .git in it), what is
// staged (the names in .git/staged) and which files there are (.git/tracked). Anything else is refused.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func fail(words ...any) {
	fmt.Fprintln(os.Stderr, append([]any{"git:"}, words...)...)
	os.Exit(128)
}

func repository() string {
	directory, err := os.Getwd()
	if err != nil {
		fail(err)
	}
	for ; directory != "/"; directory = filepath.Dir(directory) {
		if _, err := os.Stat(filepath.Join(directory, ".git")); err == nil {
			return directory
		}
	}
	fail("not a repository")
	return ""
}

func names(list string) []string {
	text, err := os.ReadFile(filepath.Join(repository(), ".git", list))
	if err != nil {
		fail(err)
	}
	return strings.Fields(string(text))
}

func main() {
	switch arguments := strings.Join(os.Args[1:], " "); arguments {
	case "version":
		fmt.Println("git version 2.39.5")
	case "rev-parse --path-format=absolute --show-toplevel --git-path hooks --git-path info --git-dir --git-common-dir":
		root := repository()
		for _, path := range []string{"", ".git/hooks", ".git/info", ".git", ".git"} {
			fmt.Println(filepath.Join(root, path))
		}
	case "config --local core.hooksPath", "config --global core.hooksPath":
		os.Exit(1) // not set
	case "status --short --porcelain -z":
		for _, name := range names("staged") {
			fmt.Printf("A  %s\x00", name)
		}
	case "diff --name-only --cached --diff-filter=ACMR", "diff --name-only --cached --diff-filter=ACMRD":
		fmt.Println(strings.Join(names("staged"), "\n"))
	case "ls-files --cached":
		fmt.Println(strings.Join(names("tracked"), "\n"))
	default:
		fail("what lefthook does not ask:", arguments)
	}
}
