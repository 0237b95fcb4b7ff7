// SPDX-License-Identifier: BSD-2-Clause
#define BROKEN 3
#include "kernel-destroy.pml"
