/* SPDX-License-Identifier: BSD-2-Clause
 * The same without the second look of a waiter: a release between its first look and its announcement is missed. */
#define SECOND_LOOK 0
#include "lwkt-token.pml"
