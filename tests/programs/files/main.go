// SPDX-License-Identifier: BSD-2-Clause

// Command files makes, changes, lists and removes files and prints what it sees. With an argument it leaves them there.
package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

func must(err error) {
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

func main() {
	root := "/tmp/files-test"
	must(os.RemoveAll(root))
	must(os.MkdirAll(root+"/a/b/c", 0755))
	for i := 0; i < 30; i++ {
		must(os.WriteFile(fmt.Sprintf("%s/a/f%02d", root, i), make([]byte, i*1000), 0640))
	}
	must(os.Rename(root+"/a/f00", root+"/a/b/moved"))
	must(os.Symlink("../f03", root+"/a/b/link"))
	must(os.Link(root+"/a/f04", root+"/a/b/hard"))
	must(os.Truncate(root+"/a/f05", 123456))
	must(os.Chmod(root+"/a/f06", 0400))
	must(os.Chtimes(root+"/a/f07", time.Unix(1000000000, 0), time.Unix(1234567890, 0)))
	f, err := os.OpenFile(root+"/a/f08", os.O_APPEND|os.O_WRONLY, 0)
	must(err)
	for i := 0; i < 100; i++ {
		fmt.Fprintf(f, "line %d\n", i)
	}
	must(f.Close())
	f, err = os.OpenFile(root+"/sparse", os.O_CREATE|os.O_RDWR|os.O_EXCL, 0600)
	must(err)
	_, err = f.WriteAt([]byte("end"), 1<<20)
	must(err)
	_, err = f.Seek(-3, io.SeekEnd)
	must(err)
	tail, err := io.ReadAll(f)
	must(err)
	fmt.Printf("tail %q\n", tail)
	must(f.Close())
	_, err = os.OpenFile(root+"/sparse", os.O_CREATE|os.O_EXCL, 0600)
	fmt.Println("exclusive:", errors.Is(err, fs.ErrExist))
	_, err = os.Open(root + "/nowhere")
	fmt.Println("missing:", errors.Is(err, fs.ErrNotExist))
	fmt.Println("not empty:", os.Remove(root+"/a") != nil)
	must(filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		must(err)
		info, err := d.Info()
		must(err)
		size := info.Size()
		if d.IsDir() {
			size = 0
		}
		if info.Mode()&fs.ModeSymlink != 0 { // its permissions are the system's own choice
			fmt.Println(path, "link", size)
			return nil
		}
		fmt.Println(path, info.Mode(), size)
		return nil
	}))
	info, err := os.Stat(root + "/a/b/link")
	must(err)
	fmt.Println("through link:", info.Size())
	info, err = os.Stat(root + "/a/f07")
	must(err)
	fmt.Println("time:", info.ModTime().Unix())
	must(os.Chdir(root + "/a/b"))
	wd, err := os.Getwd()
	must(err)
	fmt.Println("cwd:", wd)
	if len(os.Args) > 1 {
		return
	}
	must(os.RemoveAll(root))
	_, err = os.Stat(root)
	fmt.Println("gone:", errors.Is(err, fs.ErrNotExist))
}
