// SPDX-License-Identifier: BSD-2-Clause
// What a process costs that does nothing: osbench starts it.
package main

func main() {}
