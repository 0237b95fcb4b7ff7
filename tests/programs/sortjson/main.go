// SPDX-License-Identifier: BSD-2-Clause

// Command sortjson sorts, formats and parses a few thousand records.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"math"
	"math/big"
	"os"
	"regexp"
	"sort"
	"strings"
	"text/tabwriter"
)

type record struct {
	Name  string             `json:"name"`
	Value float64            `json:"value"`
	Tags  []string           `json:"tags"`
	More  map[string]float64 `json:"more"`
}

func main() {
	var records []record
	state := uint32(1)
	for i := 0; i < 3000; i++ {
		state = state*1664525 + 1013904223
		records = append(records, record{fmt.Sprintf("item-%08x", state), math.Sqrt(float64(state >> 8)),
			[]string{"a", fmt.Sprint(i % 7)}, map[string]float64{"x": float64(i) / 3, "y": math.Sin(float64(i))}})
	}
	sort.Slice(records, func(a, b int) bool { return records[a].Name < records[b].Name })
	var text bytes.Buffer
	if err := json.NewEncoder(&text).Encode(records); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	var back []record
	if err := json.Unmarshal(text.Bytes(), &back); err != nil || len(back) != len(records) {
		fmt.Println("parse:", err)
		os.Exit(1)
	}
	fmt.Printf("%d bytes, crc %08x\n", text.Len(), crc32.ChecksumIEEE(text.Bytes()))
	matches := regexp.MustCompile(`item-([0-9a-f]{2})ff`).FindAllString(text.String(), -1)
	fmt.Println("matches", len(matches), strings.Join(matches[:3], " "))
	out := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	for _, r := range back[:5] {
		fmt.Fprintf(out, "%s\t%.6f\t%v\n", r.Name, r.Value, r.More)
	}
	out.Flush()
	product := big.NewInt(1)
	for i := int64(1); i <= 200; i++ {
		product.Mul(product, big.NewInt(i))
	}
	fmt.Println("200! =", product)
}
