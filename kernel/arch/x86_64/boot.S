# SPDX-License-Identifier: BSD-2-Clause
# The boot core's entries and the start of the other cores. A loader enters in 32-bit mode with paging off: by PVH
# with ebx = hvm_start_info, by Multiboot2 with ebx = its information and eax = its magic. All end in C++ on the
# kernel's high addresses, with low 4 GiB mapped one to one until the kernel's own page tables replace these.

.set IMAGE_WINDOW, 0xffffffff80000000
.set TRAMPOLINE, 0x8000

.section .note.pvh, "a", @note
    .long 4, 4, 18          # XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .long pvh_entry - IMAGE_WINDOW

# The Multiboot2 header. GRUB takes the entry of the tag, and the ELF's for the check that a segment holds it, by its
# virtual address; PVH has its own in the note.
.section .multiboot2, "a"
.set MULTIBOOT2_HEADER, 0xe85250d6
.balign 8
multiboot2_header:
    .long MULTIBOOT2_HEADER, 0, multiboot2_end - multiboot2_header
    .long -(MULTIBOOT2_HEADER + multiboot2_end - multiboot2_header)
    .balign 8
    .word 1, 0              # information the kernel cannot do without: memory map
    .long 12, 6
    .balign 8
    .word 3, 0              # entry address
    .long 12, multiboot2_entry - IMAGE_WINDOW
    .balign 8
    .word 6, 0              # modules at page boundaries
    .long 8
    .balign 8
    .word 0, 0
    .long 8
multiboot2_end:

.section .text.boot, "ax"
.code32
.globl multiboot2_entry
multiboot2_entry:
    mov %eax, %esi
    jmp 0f
.globl pvh_entry
pvh_entry:
    xor %esi, %esi
0:  cli
    cld
    mov %ebx, %ebp
    # Four page directories of 2 MiB pages: 4 GiB one to one.
    mov $(boot_directories - IMAGE_WINDOW), %edi
    mov $0x83, %eax
    xor %ecx, %ecx
1:  mov %eax, (%edi,%ecx,8)
    movl $0, 4(%edi,%ecx,8)
    add $0x200000, %eax
    inc %ecx
    cmp $2048, %ecx
    jne 1b
    mov $(boot_directories - IMAGE_WINDOW + 3), %eax
    mov $(boot_pdpt_low - IMAGE_WINDOW), %edi
    mov %eax, (%edi)
    add $0x1000, %eax
    mov %eax, 8(%edi)
    add $0x1000, %eax
    mov %eax, 16(%edi)
    add $0x1000, %eax
    mov %eax, 24(%edi)
    mov $(boot_pdpt_high - IMAGE_WINDOW), %edi
    movl $(boot_directories - IMAGE_WINDOW + 3), 4080(%edi)
    mov $(boot_pml4 - IMAGE_WINDOW), %edi
    movl $(boot_pdpt_low - IMAGE_WINDOW + 3), (%edi)
    movl $(boot_pdpt_high - IMAGE_WINDOW + 3), 4088(%edi)
    mov %edi, %cr3
    mov %cr4, %eax
    or $0x20, %eax          # PAE
    mov %eax, %cr4
    mov $0xc0000080, %ecx   # EFER: LME, NXE, SCE
    rdmsr
    or $0x901, %eax
    wrmsr
    mov %cr0, %eax
    or $0x80010001, %eax    # PG, WP, PE
    and $0x9fffffff, %eax   # caches on
    mov %eax, %cr0
    lgdt boot_gdt_pointer - IMAGE_WINDOW
    ljmp $0x08, $(2f - IMAGE_WINDOW)
.code64
2:  mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    xor %eax, %eax
    mov %eax, %fs
    mov %eax, %gs
    movabs $boot_stack_top, %rsp
    mov %esi, %edi          # kernel_main(magic, information)
    mov %ebp, %esi
    movabs $kernel_main, %rax
    call *%rax
3:  hlt
    jmp 3b

# Copied to TRAMPOLINE; starts in real mode. The words at its end are filled in by start_cores().
.globl trampoline_start, trampoline_end, trampoline_cr3, trampoline_stack, trampoline_entry
.code16
trampoline_start:
    cli
    cld
    xor %ax, %ax
    mov %ax, %ds
    lgdtl TRAMPOLINE + (trampoline_gdt_pointer - trampoline_start)
    mov %cr0, %eax
    or $1, %eax
    mov %eax, %cr0
    ljmpl $0x18, $(TRAMPOLINE + (4f - trampoline_start))
.code32
4:  mov $0x10, %ax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %ss
    mov TRAMPOLINE + (trampoline_cr3 - trampoline_start), %eax
    mov %eax, %cr3
    mov %cr4, %eax
    or $0x20, %eax
    mov %eax, %cr4
    mov $0xc0000080, %ecx
    rdmsr
    or $0x901, %eax
    wrmsr
    mov %cr0, %eax
    or $0x80010001, %eax
    and $0x9fffffff, %eax
    mov %eax, %cr0
    ljmp $0x08, $(TRAMPOLINE + (5f - trampoline_start))
.code64
5:  mov TRAMPOLINE + (trampoline_stack - trampoline_start), %rsp
    mov TRAMPOLINE + (trampoline_entry - trampoline_start), %rax
    xor %ebp, %ebp
    call *%rax
6:  hlt
    jmp 6b
.balign 8
trampoline_gdt:
    .quad 0, 0x00af9a000000ffff, 0x00cf92000000ffff, 0x00cf9a000000ffff
trampoline_gdt_pointer:
    .word 31
    .long TRAMPOLINE + (trampoline_gdt - trampoline_start)
.balign 8
trampoline_cr3: .quad 0
trampoline_stack: .quad 0
trampoline_entry: .quad 0
trampoline_end:

.section .rodata
.balign 8
boot_gdt:
    .quad 0, 0x00af9a000000ffff, 0x00cf92000000ffff
boot_gdt_pointer:
    .word 23
    .long boot_gdt - IMAGE_WINDOW

.section .bss
.balign 4096
.globl boot_pml4
boot_pml4: .skip 4096
boot_pdpt_low: .skip 4096
boot_pdpt_high: .skip 4096
boot_directories: .skip 4 * 4096
.skip 16384
boot_stack_top:
.section .note.GNU-stack, "", @progbits
