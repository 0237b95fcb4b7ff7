// SPDX-License-Identifier: BSD-2-Clause
// osbench: portable operating-system micro-benchmarks (Go standard library only).
// Builds with CGO_ENABLED=0 for linux, freebsd, dragonfly, netbsd, openbsd.
//
// Each sub-benchmark prints: name<TAB>iterations<TAB>ns_per_op   (best of -reps rounds)
// and at the end a TSV block between "#TSV-BEGIN" and "#TSV-END".
package main

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"sort"
	"strings"
	"time"
)

type bench struct {
	name  string
	class string // sys, ipc, proc, mem, fs, net, compute, time
	iters int    // iterations at factor 1
	per   int    // operations reported per iteration (pages, blocks, MiB)
	unit  string
	fn    func(n int) (time.Duration, error)
}

var (
	factor  = flag.Float64("f", 1, "iteration factor")
	reps    = flag.Int("reps", 3, "rounds per benchmark; the best is reported")
	only    = flag.String("only", "", "regexp of benchmarks to run")
	skip    = flag.String("skip", "", "regexp of benchmarks to skip")
	dir     = flag.String("dir", "", "directory for file benchmarks (default: temp dir)")
	self    = flag.String("self", "", "path of this program for re-exec")
	noop    = flag.String("noop", "", "path of a static no-op program for forkexec_noop")
	list    = flag.Bool("list", false, "list benchmarks")
	verbose = flag.Bool("v", false, "print every round")
	tag     = flag.String("tag", "", "label printed in the TSV")
	workdir string
)

func selfPath() string {
	if *self != "" {
		return *self
	}
	if strings.Contains(os.Args[0], "/") {
		if p, err := filepath.Abs(os.Args[0]); err == nil {
			return p
		}
		return os.Args[0]
	}
	p, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return p
}

var benches = []bench{
	{"null_syscall", "sys", 300000, 1, "call", bNull},
	{"time_now", "sys", 300000, 1, "call", bNow},
	{"read_zero_1b", "sys", 200000, 1, "call", bReadZero},
	{"write_null_1b", "sys", 200000, 1, "call", bWriteNull},
	{"open_close", "fs", 50000, 1, "pair", bOpenClose},
	{"stat", "fs", 50000, 1, "call", bStat},
	{"pipe_rtt_2proc", "ipc", 10000, 1, "round trip", bPipeRTT},
	{"pipe_bw_64k", "ipc", 1000, 1, "64KiB", bPipeBW},
	{"forkexec_self", "proc", 60, 1, "process", forkExec("", []string{"child-noop"})},
	{"forkexec_noop", "proc", 150, 1, "process", bForkExecNoop},
	{"thread_handoff", "thread", 10000, 1, "round trip", bThreadHandoff},
	{"thread_create", "thread", 1000, 1, "thread", bThreadCreate},
	{"mmap_munmap_64k", "mem", 20000, 1, "pair", bMmapOnly},
	{"pagefault_4k", "mem", 20, mapSize / 4096, "page", mmapTouch(15)},
	{"mmap4m_default", "mem", 20, mapSize / 4096, "page", mmapTouch(0)},
	{"create_write4k_unlink", "fs", 10000, 1, "file", bCreate},
	{"mkdir_rmdir", "fs", 10000, 1, "pair", bMkdir},
	{"rename", "fs", 20000, 1, "call", bRename},
	{"seq_write_64k", "fs", 2, seqSize / blk, "64KiB", bSeqWrite},
	{"seq_read_64k", "fs", 4, seqSize / blk, "64KiB", bSeqRead},
	{"readdir_1000", "fs", 40, 1, "1000 names", bReaddir},
	{"signal_self", "sys", 5000, 1, "signal", bSignal},
	{"sleep_1ms", "time", 200, 1, "sleep", bSleep1ms},
	{"tcp_rtt_1b", "net", 4000, 1, "round trip", connRTT("tcp4", "127.0.0.1:0")},
	{"tcp_rtt_1b_2proc", "net", 4000, 1, "round trip", bTCP2Proc},
	{"tcp_bw_64k", "net", 500, 1, "64KiB", bTCPBW},
	{"tcp_connect", "net", 300, 1, "connection", bTCPConnect},
	{"unix_rtt_1b", "net", 5000, 1, "round trip", connRTT("unix", "")},
	{"sha256_1m", "compute", 64, 1, "MiB", bSHA},
	{"fnv_1m", "compute", 32, 1, "MiB", bFNV},
	{"gzip_1m", "compute", 8, 1, "MiB", bGzip},
	{"alloc_tree", "compute", 10, 1, "tree", bAlloc},
}

func main() {
	// re-exec entry points come first, before flag parsing
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "child-noop":
			os.Exit(0)
		case "child-echo":
			childEcho()
		case "child-source":
			childSource()
		case "child-tcpecho":
			childTCPEcho(os.Args[2])
		}
	}
	flag.Parse()
	if *list {
		for _, b := range benches {
			fmt.Printf("%s\t%s\t%d\t%d\t%s\n", b.name, b.class, b.iters, b.per, b.unit)
		}
		return
	}
	var err error
	workdir, err = os.MkdirTemp(*dir, "osbench")
	if err != nil {
		fmt.Fprintln(os.Stderr, "osbench:", err)
		os.Exit(1)
	}
	defer os.RemoveAll(workdir)
	fmt.Printf("# osbench 1 %s/%s %s ncpu=%d gomaxprocs=%d factor=%g reps=%d\n", runtime.GOOS, runtime.GOARCH,
		runtime.Version(), runtime.NumCPU(), runtime.GOMAXPROCS(0), *factor, *reps)
	re, rs := regexp.MustCompile(*only), regexp.MustCompile(*skip)
	type row struct {
		b      bench
		n      int
		lo, md float64
		err    error
	}
	var rows []row
	start := time.Now()
	for _, b := range benches {
		if !re.MatchString(b.name) || (*skip != "" && rs.MatchString(b.name)) {
			continue
		}
		n := int(float64(b.iters)**factor + 0.5)
		if n < 1 {
			n = 1
		}
		var v []float64
		var err error
		for r := 0; r < *reps; r++ {
			runtime.GC()
			var d time.Duration
			d, err = b.fn(n)
			if err != nil {
				break
			}
			x := float64(d.Nanoseconds()) / float64(n*b.per)
			v = append(v, x)
			if *verbose {
				fmt.Printf("# %s round %d %.1f\n", b.name, r, x)
			}
		}
		if err != nil {
			fmt.Printf("%s\tSKIP\t%v\n", b.name, err)
			rows = append(rows, row{b, 0, 0, 0, err})
			continue
		}
		sort.Float64s(v)
		fmt.Printf("%s\t%d\t%.1f\n", b.name, n*b.per, v[0])
		rows = append(rows, row{b, n, v[0], v[len(v)/2], nil})
	}
	fmt.Printf("# total %.1f s\n", time.Since(start).Seconds())
	fmt.Println("#TSV-BEGIN")
	fmt.Println("tag\tgoos\tbenchmark\tclass\titerations\tmin_ns\tmedian_ns\tunit")
	s, k := 0.0, 0
	for _, r := range rows {
		if r.err != nil {
			fmt.Printf("%s\t%s\t%s\t%s\t0\tNA\tNA\t%s\n", *tag, runtime.GOOS, r.b.name, r.b.class, r.b.unit)
			continue
		}
		fmt.Printf("%s\t%s\t%s\t%s\t%d\t%.1f\t%.1f\t%s\n", *tag, runtime.GOOS, r.b.name, r.b.class, r.n*r.b.per, r.lo, r.md, r.b.unit)
		if r.lo > 0 {
			s += math.Log(r.lo)
			k++
		}
	}
	if k > 0 {
		fmt.Printf("%s\t%s\tGEOMEAN_%d\tall\t%d\t%.1f\t%.1f\t-\n", *tag, runtime.GOOS, k, k, math.Exp(s/float64(k)), math.Exp(s/float64(k)))
	}
	fmt.Println("#TSV-END")
}
