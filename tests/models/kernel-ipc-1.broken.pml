// SPDX-License-Identifier: BSD-2-Clause
#define BROKEN 1
#include "kernel-ipc.pml"
