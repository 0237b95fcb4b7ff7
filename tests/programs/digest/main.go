// SPDX-License-Identifier: BSD-2-Clause

// Command digest runs ciphers, hashes and compressors over fixed data, on all processors.
package main

import (
	"bytes"
	"compress/flate"
	"crypto/aes"
	"crypto/cipher"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"io"
	"runtime"
	"sync"
)

func main() {
	data := bytes.Repeat([]byte("the quick brown fox jumps over the lazy dog. "), 20000)
	results := make([]string, 4)
	var all sync.WaitGroup
	for i, work := range []func() string{
		func() string { return fmt.Sprintf("%x", md5.Sum(data)) },
		func() string { return fmt.Sprintf("%x", sha1.Sum(data)) },
		func() string { return fmt.Sprintf("%x", sha512.Sum512(data)) },
		func() string {
			block, _ := aes.NewCipher([]byte("0123456789abcdef"))
			out := make([]byte, len(data))
			cipher.NewCTR(block, make([]byte, 16)).XORKeyStream(out, data)
			return base64.StdEncoding.EncodeToString(out[len(out)-30:])
		},
	} {
		i, work := i, work
		all.Add(1)
		go func() {
			defer all.Done()
			results[i] = work()
		}()
	}
	all.Wait()
	for _, r := range results {
		fmt.Println(r)
	}
	var packed bytes.Buffer
	w, _ := flate.NewWriter(&packed, 9)
	w.Write(data)
	w.Close()
	back, err := io.ReadAll(flate.NewReader(&packed))
	fmt.Println("round trip:", err == nil && bytes.Equal(back, data))
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	fmt.Println("collected:", stats.NumGC > 0)
}
