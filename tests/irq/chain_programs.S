// SPDX-License-Identifier: BSD-2-Clause
// The driver and the client of the chain, as files inside the root task.
.section .rodata
.globl chain_driver, chain_driver_end, chain_client, chain_client_end
.balign 16
chain_driver:
.incbin CHAIN_DRIVER
chain_driver_end:
.balign 16
chain_client:
.incbin CHAIN_CLIENT
chain_client_end:
