// SPDX-License-Identifier: BSD-2-Clause
// Files and directories.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

func mkfile(name string, size int) (string, error) {
	p := filepath.Join(workdir, name)
	return p, os.WriteFile(p, make([]byte, size), 0644)
}

func bOpenClose(n int) (time.Duration, error) {
	p, err := mkfile("oc", 64)
	if err != nil {
		return 0, err
	}
	defer os.Remove(p)
	t := time.Now()
	for i := 0; i < n; i++ {
		fd, err := syscall.Open(p, syscall.O_RDONLY, 0)
		if err != nil {
			return 0, err
		}
		syscall.Close(fd)
	}
	return time.Since(t), nil
}

func bStat(n int) (time.Duration, error) {
	p, err := mkfile("st", 64)
	if err != nil {
		return 0, err
	}
	defer os.Remove(p)
	var st syscall.Stat_t
	t := time.Now()
	for i := 0; i < n; i++ {
		if err := syscall.Stat(p, &st); err != nil {
			return 0, err
		}
	}
	return time.Since(t), nil
}

func bCreate(n int) (time.Duration, error) {
	p := filepath.Join(workdir, "cr")
	b := make([]byte, 4096)
	t := time.Now()
	for i := 0; i < n; i++ {
		fd, err := syscall.Open(p, syscall.O_CREAT|syscall.O_EXCL|syscall.O_WRONLY, 0644)
		if err != nil {
			return 0, err
		}
		if k, err := syscall.Write(fd, b); k != len(b) {
			return 0, err
		}
		syscall.Close(fd)
		if err := syscall.Unlink(p); err != nil {
			return 0, err
		}
	}
	return time.Since(t), nil
}

func bMkdir(n int) (time.Duration, error) {
	p := filepath.Join(workdir, "d")
	t := time.Now()
	for i := 0; i < n; i++ {
		if err := syscall.Mkdir(p, 0755); err != nil {
			return 0, err
		}
		if err := syscall.Rmdir(p); err != nil {
			return 0, err
		}
	}
	return time.Since(t), nil
}

func bRename(n int) (time.Duration, error) {
	a, err := mkfile("rn1", 64)
	if err != nil {
		return 0, err
	}
	b := filepath.Join(workdir, "rn2")
	t := time.Now()
	for i := 0; i < n; i++ {
		if err := syscall.Rename(a, b); err != nil {
			return 0, err
		}
		a, b = b, a
	}
	d := time.Since(t)
	os.Remove(a)
	return d, nil
}

const seqSize = 16 << 20

func bSeqWrite(n int) (time.Duration, error) {
	p := filepath.Join(workdir, "sw")
	buf := bytes.Repeat([]byte{0x5a}, blk)
	var d time.Duration
	for i := 0; i < n; i++ {
		t := time.Now()
		fd, err := syscall.Open(p, syscall.O_CREAT|syscall.O_TRUNC|syscall.O_WRONLY, 0644)
		if err != nil {
			return 0, err
		}
		for j := 0; j < seqSize/blk; j++ {
			if k, err := syscall.Write(fd, buf); k != blk {
				syscall.Close(fd)
				os.Remove(p)
				return 0, fmt.Errorf("short write %d %v", k, err)
			}
		}
		syscall.Close(fd)
		d += time.Since(t)
		os.Remove(p)
	}
	return d, nil
}

func bSeqRead(n int) (time.Duration, error) {
	p, err := mkfile("sr", seqSize)
	if err != nil {
		return 0, err
	}
	defer os.Remove(p)
	buf := make([]byte, blk)
	t := time.Now()
	for i := 0; i < n; i++ {
		fd, err := syscall.Open(p, syscall.O_RDONLY, 0)
		if err != nil {
			return 0, err
		}
		tot := 0
		for {
			k, err := syscall.Read(fd, buf)
			if err != nil {
				return 0, err
			}
			if k == 0 {
				break
			}
			tot += k
		}
		syscall.Close(fd)
		if tot != seqSize {
			return 0, fmt.Errorf("read %d", tot)
		}
	}
	return time.Since(t), nil
}

func bReaddir(n int) (time.Duration, error) {
	p := filepath.Join(workdir, "rd")
	if err := os.Mkdir(p, 0755); err != nil {
		return 0, err
	}
	defer os.RemoveAll(p)
	for i := 0; i < 1000; i++ {
		if err := os.WriteFile(filepath.Join(p, fmt.Sprintf("file-%04d", i)), nil, 0644); err != nil {
			return 0, err
		}
	}
	t := time.Now()
	for i := 0; i < n; i++ {
		f, err := os.Open(p)
		if err != nil {
			return 0, err
		}
		names, err := f.Readdirnames(-1)
		f.Close()
		if err != nil || len(names) != 1000 {
			return 0, fmt.Errorf("%d names, %v", len(names), err)
		}
	}
	return time.Since(t), nil
}
