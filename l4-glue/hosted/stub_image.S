# SPDX-License-Identifier: BSD-2-Clause
# The stub's ELF file, as bytes.
.section .rodata
.globl libelle_hosted_stub, libelle_hosted_stub_end
.balign 16
libelle_hosted_stub:
    .incbin LIBELLE_STUB
libelle_hosted_stub_end:
.section .note.GNU-stack, "", @progbits
