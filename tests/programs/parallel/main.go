// SPDX-License-Identifier: BSD-2-Clause

// Command parallel shares a fixed amount of work among as many threads as there are processors, and prints the
// milliseconds that it took: `cpu` computes, `calls` makes system calls on files and pipes of each thread's own.
// `check` lets threads read and write through the same open file and the same pipe: no record may be lost, torn or
// there twice.
package main

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

func must(err error) {
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

func compute(rounds int) {
	data := make([]byte, 16384)
	for i := 0; i < rounds; i++ {
		sum := sha256.Sum256(data)
		copy(data, sum[:])
	}
}

func call(name string, rounds int) {
	fd, err := syscall.Open(name, syscall.O_CREAT|syscall.O_RDWR, 0600)
	must(err)
	var ends [2]int
	must(syscall.Pipe(ends[:]))
	page := make([]byte, 4096)
	_, err = syscall.Pwrite(fd, page, 0)
	must(err)
	var status syscall.Stat_t
	for i := 0; i < rounds; i++ {
		_, err = syscall.Pread(fd, page[:1024], int64(i%3)*1024)
		must(err)
		_, err = syscall.Pwrite(fd, page[:512], int64(i%7)*512)
		must(err)
		must(syscall.Fstat(fd, &status))
		_, err = syscall.Write(ends[1], page[:64])
		must(err)
		n, err := syscall.Read(ends[0], page[:128])
		must(err)
		if n != 64 || status.Size != 4096 {
			fmt.Println("error: read", n, "of a file of", status.Size)
			os.Exit(1)
		}
		_, err = syscall.Seek(fd, int64(i%4096), 0)
		must(err)
	}
}

const record, threads = 64, 4

func stamp(buffer []byte, number int) {
	for i := 0; i < record; i += 8 {
		binary.LittleEndian.PutUint64(buffer[i:], uint64(number)*8+uint64(i/8))
	}
}

// Which record it is; -1 when it is torn.
func number(buffer []byte) int {
	first := binary.LittleEndian.Uint64(buffer)
	for i := 0; i < record; i += 8 {
		if binary.LittleEndian.Uint64(buffer[i:]) != first+uint64(i/8) {
			return -1
		}
	}
	return int(first / 8)
}

type tally struct {
	lock sync.Mutex
	seen []int
	torn int
}

func (t *tally) add(n int) {
	t.lock.Lock()
	defer t.lock.Unlock()
	if n < 0 || n >= len(t.seen) {
		t.torn++
	} else {
		t.seen[n]++
	}
}

func (t *tally) print(what string) {
	wrong := 0
	for _, n := range t.seen {
		if n != 1 {
			wrong++
		}
	}
	fmt.Println(what, len(t.seen), "records,", t.torn, "torn,", wrong, "not once")
}

func together(work func(thread int)) {
	var done sync.WaitGroup
	for i := 0; i < threads; i++ {
		done.Add(1)
		go func(i int) {
			runtime.LockOSThread()
			defer done.Done()
			work(i)
		}(i)
	}
	done.Wait()
}

func check(records int) {
	fd, err := syscall.Open("/tmp/parallel", syscall.O_CREAT|syscall.O_RDWR|syscall.O_TRUNC, 0600)
	must(err)
	_, err = syscall.Write(fd, make([]byte, records*record))
	must(err)
	_, err = syscall.Seek(fd, 0, 0)
	must(err)
	together(func(thread int) {
		var buffer [record]byte
		var status syscall.Stat_t
		for i := thread; i < records; i += threads {
			stamp(buffer[:], i)
			_, err := syscall.Write(fd, buffer[:])
			must(err)
			must(syscall.Fstat(fd, &status))
		}
	})
	_, err = syscall.Seek(fd, 0, 0)
	must(err)
	read := &tally{seen: make([]int, records)}
	together(func(int) {
		var buffer [record]byte
		for {
			n, err := syscall.Read(fd, buffer[:])
			must(err)
			if n == 0 {
				return
			}
			read.add(number(buffer[:n]))
		}
	})
	read.print("file:")
	var ends [2]int
	must(syscall.Pipe(ends[:]))
	piped := &tally{seen: make([]int, records)}
	together(func(thread int) {
		var buffer [record]byte
		for i := thread / 2; i < records; i += threads / 2 {
			if thread%2 == 0 {
				stamp(buffer[:], i)
				_, err := syscall.Write(ends[1], buffer[:])
				must(err)
			} else {
				n, err := syscall.Read(ends[0], buffer[:])
				must(err)
				piped.add(number(buffer[:n]))
			}
		}
	})
	piped.print("pipe:")
}

func main() {
	if os.Args[1] == "check" {
		records, err := strconv.Atoi(os.Args[2])
		must(err)
		check(records)
		return
	}
	rounds, err := strconv.Atoi(os.Args[2])
	must(err)
	workers := runtime.NumCPU()
	var done sync.WaitGroup
	start := time.Now()
	for i := 0; i < workers; i++ {
		done.Add(1)
		go func(i int) {
			runtime.LockOSThread()
			defer done.Done()
			if os.Args[1] == "cpu" {
				compute(rounds / workers)
			} else {
				call(fmt.Sprintf("/tmp/parallel.%d", i), rounds/workers)
			}
		}(i)
	}
	done.Wait()
	fmt.Println(workers, "threads", time.Since(start).Milliseconds(), "ms")
}
