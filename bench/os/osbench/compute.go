// SPDX-License-Identifier: BSD-2-Clause
// What no operating system should change, and what allocates.
package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"strings"
	"time"
)

var sink byte

func bSHA(n int) (time.Duration, error) {
	b := make([]byte, 1<<20)
	for i := range b {
		b[i] = byte(i * 7)
	}
	h := sha256.New()
	t := time.Now()
	for i := 0; i < n; i++ {
		h.Write(b)
	}
	s := h.Sum(nil)
	sink = s[0]
	return time.Since(t), nil
}

// FNV-1a over 1 MiB in plain Go code (no assembly), so that the figure does not
// depend on whether the OS enables AVX.
func bFNV(n int) (time.Duration, error) {
	b := make([]byte, 1<<20)
	for i := range b {
		b[i] = byte(i * 7)
	}
	t := time.Now()
	for i := 0; i < n; i++ {
		h := uint64(14695981039346656037)
		for _, c := range b {
			h = (h ^ uint64(c)) * 1099511628211
		}
		sink ^= byte(h)
	}
	return time.Since(t), nil
}

func bGzip(n int) (time.Duration, error) {
	// deterministic, moderately compressible text
	b := make([]byte, 0, 1<<20)
	x := uint32(12345)
	words := strings.Fields("the quick brown fox jumps over lazy dog kernel server thread page fault jail socket inode vnode buffer queue timer")
	for len(b) < 1<<20 {
		x = x*1664525 + 1013904223
		b = append(b, words[int(x>>16)%len(words)]...)
		b = append(b, byte(' '+(x>>28)))
	}
	b = b[:1<<20]
	t := time.Now()
	for i := 0; i < n; i++ {
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		w.Write(b)
		w.Close()
		sink ^= out.Bytes()[out.Len()-1]
	}
	return time.Since(t), nil
}

// Allocation-heavy: builds and drops a linked structure, exercising GC, madvise and page faults.
type node struct {
	l, r *node
	v    [4]int
}

func tree(d int) *node {
	if d == 0 {
		return &node{}
	}
	return &node{l: tree(d - 1), r: tree(d - 1)}
}

func bAlloc(n int) (time.Duration, error) {
	t := time.Now()
	for i := 0; i < n; i++ {
		x := tree(14)
		sink ^= byte(x.v[0])
	}
	return time.Since(t), nil
}
