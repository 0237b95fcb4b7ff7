// SPDX-License-Identifier: BSD-2-Clause
#define BROKEN 2
#include "kernel-destroy.pml"
