// SPDX-License-Identifier: BSD-2-Clause

// Command pipeline compresses, hashes and verifies data through pipes between processes that it spawns by starting
// itself anew, with goroutines on several OS threads and a timer signal running throughout. What it prints depends on
// its argument (MiB) only.
package main

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"
)

const blockSize = 64 << 10

// source yields size bytes of a fixed sequence that compresses to about a half.
type source struct {
	left  int
	state uint64
}

func (s *source) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	if len(p) > s.left {
		p = p[:s.left]
	}
	for i := range p {
		s.state ^= s.state << 13
		s.state ^= s.state >> 7
		s.state ^= s.state << 17
		p[i] = "etaoin shrdlu\n()"[s.state>>60]
	}
	s.left -= len(p)
	return len(p), nil
}

func newSource(mib int) io.Reader { return &source{left: mib << 20, state: 0x9e3779b97f4a7c15} }

// startTimer makes SIGALRM arrive every two milliseconds and counts it.
func startTimer() *int64 {
	var count int64
	alarms := make(chan os.Signal, 16)
	signal.Notify(alarms, syscall.SIGALRM)
	go func() {
		for range alarms {
			atomic.AddInt64(&count, 1)
		}
	}()
	timer := struct{ interval, value syscall.Timeval }{syscall.Timeval{Usec: 2000}, syscall.Timeval{Usec: 2000}}
	if _, _, errno := syscall.Syscall(syscall.SYS_SETITIMER, 0, uintptr(unsafe.Pointer(&timer)), 0); errno != 0 {
		fail("setitimer", errno)
	}
	return &count
}

func fail(what string, err error) {
	fmt.Fprintf(os.Stderr, "pipeline: %s: %v\n", what, err)
	os.Exit(1)
}

func check(what string, err error) {
	if err != nil {
		fail(what, err)
	}
}

// A stage is what a child does between its standard input and output.
var stages = map[string]func(){
	"compress": func() {
		out := gzip.NewWriter(os.Stdout)
		_, err := io.CopyBuffer(out, os.Stdin, make([]byte, blockSize))
		check("compress", err)
		check("compress", out.Close())
	},
	"expand": func() {
		in, err := gzip.NewReader(bufio.NewReader(os.Stdin))
		check("expand", err)
		_, err = io.CopyBuffer(os.Stdout, in, make([]byte, blockSize))
		check("expand", err)
	},
	"hash": func() {
		sum := sha256.New()
		_, err := io.Copy(sum, os.Stdin)
		check("hash", err)
		fmt.Println(hex.EncodeToString(sum.Sum(nil)))
	},
}

// tee passes a stream on and hashes it.
type tee struct {
	to  io.WriteCloser
	sum io.Writer
	n   int64
}

func (t *tee) Write(p []byte) (int, error) {
	t.sum.Write(p)
	t.n += int64(len(p))
	return t.to.Write(p)
}

// hashParallel hashes the blocks of the sequence on several OS threads and combines the sums in order.
func hashParallel(mib int) string {
	type job struct {
		index int
		data  []byte
	}
	jobs := make(chan job, 8)
	sums := make([][32]byte, (mib<<20)/blockSize)
	var workers sync.WaitGroup
	for w := 0; w < 4; w++ {
		workers.Add(1)
		go func() {
			runtime.LockOSThread()
			defer workers.Done()
			for j := range jobs {
				sums[j.index] = sha256.Sum256(j.data)
			}
		}()
	}
	in := newSource(mib)
	for i := range sums {
		data := make([]byte, blockSize)
		_, err := io.ReadFull(in, data)
		check("source", err)
		jobs <- job{i, data}
	}
	close(jobs)
	workers.Wait()
	all := sha256.New()
	for _, sum := range sums {
		all.Write(sum[:])
	}
	return hex.EncodeToString(all.Sum(nil))
}

func spawn(stage string, in io.Reader, out io.Writer) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	child := exec.Command(self, "-stage", stage)
	child.Stdin, child.Stdout, child.Stderr = in, out, os.Stderr
	check("start "+stage, child.Start())
	return child
}

func main() {
	runtime.GOMAXPROCS(4)
	if len(os.Args) == 3 && os.Args[1] == "-stage" {
		startTimer()
		stages[os.Args[2]]()
		return
	}
	mib := 4
	if len(os.Args) > 1 {
		var err error
		mib, err = strconv.Atoi(os.Args[1])
		check("argument", err)
	}
	alarms := startTimer()
	// us -> compress -> (we count and hash) -> expand -> hash -> us
	compressIn, toCompress, err := os.Pipe()
	check("pipe", err)
	fromCompress, compressOut, err := os.Pipe()
	check("pipe", err)
	expandIn, toExpand, err := os.Pipe()
	check("pipe", err)
	hashIn, expandOut, err := os.Pipe()
	check("pipe", err)
	fromHash, hashOut, err := os.Pipe()
	check("pipe", err)
	children := []*exec.Cmd{spawn("compress", compressIn, compressOut), spawn("expand", expandIn, expandOut),
		spawn("hash", hashIn, hashOut)}
	for _, f := range []*os.File{compressIn, compressOut, expandIn, expandOut, hashIn, hashOut} {
		f.Close()
	}
	plain, packed := sha256.New(), sha256.New()
	var movers sync.WaitGroup
	movers.Add(2)
	passed := &tee{to: toExpand, sum: packed}
	go func() {
		defer movers.Done()
		_, err := io.CopyBuffer(io.MultiWriter(toCompress, plain), newSource(mib), make([]byte, blockSize))
		check("feed", err)
		toCompress.Close()
	}()
	go func() {
		defer movers.Done()
		_, err := io.CopyBuffer(passed, fromCompress, make([]byte, blockSize))
		check("pass on", err)
		toExpand.Close()
	}()
	parallel := hashParallel(mib)
	answer, err := io.ReadAll(fromHash)
	check("answer", err)
	movers.Wait()
	for _, child := range children {
		check("child", child.Wait())
	}
	want := hex.EncodeToString(plain.Sum(nil))
	fmt.Printf("bytes %d\nsha256 %s\npacked %d %s\nblocks %s\n", mib<<20, want, passed.n,
		hex.EncodeToString(packed.Sum(nil)), parallel)
	fmt.Printf("verified %v\n", string(answer) == want+"\n")
	fmt.Printf("timer ran %v\n", atomic.LoadInt64(alarms) > 0)
	if string(answer) != want+"\n" {
		os.Exit(1)
	}
}
