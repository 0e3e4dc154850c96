// Where another CPU starts: in real mode, at the start of a page below 1 MiB. Copied there by smp.rs, with its data
// behind it at {data}. From real mode straight to 64-bit mode (SDM vol. 3, 9.8.5), under tables in which this page is where
// it is, read-only and executable, and otherwise only the kernel's half is mapped.

.section .rodata.nonos_startup, "a", @progbits
.balign 16
.globl nonos_startup
nonos_startup:
.code16
    cli
    cld
    xor ebx, ebx
    mov bx, cs
    mov ds, bx
    shl ebx, 4                      // physical address of this page
    .byte 0x66, 0x0F, 0x01, 0x16    // lgdt [gdt_pointer], 32-bit base
    .2byte {gdt_pointer}
    .byte 0x66, 0xA1                // mov eax, [..]
    .2byte {cr4}
    mov cr4, eax
    .byte 0x66, 0xA1
    .2byte {startup_root}
    mov cr3, eax
    .byte 0x66, 0xA1
    .2byte {efer}
    xor edx, edx
    mov ecx, {efer_number}
    wrmsr
    .byte 0x66, 0xA1
    .2byte {cr0}
    mov cr0, eax
    .byte 0x66, 0xFF, 0x2E          // jmp far [long_mode], 32-bit offset
    .2byte {long_mode}
.code64
.globl nonos_startup_long
nonos_startup_long:
    mov ebx, ebx                    // the upper half is undefined so far
    mov rsp, [rbx + {stack_top}]
    mov rdi, [rbx + {block}]
    mov rsi, [rbx + {root}]
    mov rax, [rbx + {entry}]
    jmp rax
    int3
.globl nonos_startup_end
nonos_startup_end:
.text
