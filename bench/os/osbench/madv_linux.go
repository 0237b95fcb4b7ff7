// SPDX-License-Identifier: BSD-2-Clause
package main

import "syscall"

const sysMadvise = syscall.SYS_MADVISE
