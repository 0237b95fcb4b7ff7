// SPDX-License-Identifier: BSD-2-Clause

// Command tools is what Go's tests expect beside them in a system: by its name it is cat, date, echo, hostname, pwd, sleep
// or sh (a POSIX shell from Debian's golang-mvdan-sh-dev); for FreeBSD also cpuset or sysctl.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"
)

func fail(err error) {
	fmt.Fprintf(os.Stderr, "%s: %v\n", filepath.Base(os.Args[0]), err)
	os.Exit(1)
}

func check(err error) {
	if err != nil {
		fail(err)
	}
}

func cat(names []string) {
	if len(names) == 0 {
		_, err := io.Copy(os.Stdout, os.Stdin)
		check(err)
	}
	for _, name := range names {
		file, err := os.Open(name)
		check(err)
		_, err = io.Copy(os.Stdout, file)
		check(err)
		file.Close()
	}
}

// sh -c COMMAND [NAME ARGUMENT…] or sh FILE [ARGUMENT…].
func sh(arguments []string) {
	var source io.Reader = os.Stdin
	name := "sh"
	if len(arguments) > 1 && arguments[0] == "-c" {
		source = strings.NewReader(arguments[1])
		if arguments = arguments[2:]; len(arguments) > 0 {
			name, arguments = arguments[0], arguments[1:]
		}
	} else if len(arguments) > 0 {
		file, err := os.Open(arguments[0])
		check(err)
		source, name, arguments = file, arguments[0], arguments[1:]
	}
	program, err := syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).Parse(source, name)
	check(err)
	runner, err := interp.New(interp.StdIO(os.Stdin, os.Stdout, os.Stderr), interp.Params(append([]string{"--"}, arguments...)...))
	check(err)
	err = runner.Run(context.Background(), program)
	if status, ok := interp.IsExitStatus(err); ok {
		os.Exit(int(status))
	}
	check(err)
}

// By name; a system adds its own.
var commands = map[string]func(arguments []string){
	"cat":  cat,
	"date": func([]string) { fmt.Println(time.Now().UTC().Format("Mon Jan _2 15:04:05 MST 2006")) },
	"echo": func(arguments []string) { fmt.Println(strings.Join(arguments, " ")) },
	"hostname": func([]string) {
		host, err := os.Hostname()
		check(err)
		fmt.Println(host)
	},
	"pwd": func([]string) {
		directory, err := os.Getwd()
		check(err)
		fmt.Println(directory)
	},
	"sh": sh,
	"sleep": func(arguments []string) {
		length, err := time.ParseDuration(strings.Join(arguments, "") + "s")
		check(err)
		time.Sleep(length)
	},
}

func main() {
	command, found := commands[filepath.Base(os.Args[0])]
	if !found {
		fail(fmt.Errorf("is none of the commands here"))
	}
	command(os.Args[1:])
}
