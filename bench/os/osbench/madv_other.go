// SPDX-License-Identifier: BSD-2-Clause

//go:build !linux

package main

const sysMadvise = 0
