// SPDX-License-Identifier: BSD-2-Clause
#define BROKEN 4
#include "kernel-destroy.pml"
