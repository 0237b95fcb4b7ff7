/* SPDX-License-Identifier: BSD-2-Clause
 * The same, but a core says that it will look after it has looked: what was pushed in between brings no kick. */
#define FORGET_FIRST 0
#include "lwkt-ipiq.pml"
