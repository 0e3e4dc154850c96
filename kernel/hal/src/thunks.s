// Where every indirect call and jump of the kernel goes (-Zretpoline-external-thunk), with the target in r11.
//
// A retpoline: what the CPU predicts for `ret` is the endless loop behind `call`, whatever somebody trained its predictors
// for indirect branches with. Calls and jumps are those of the compiler, after the check of the function's type (kCFI).

.section .text.nonos_thunks, "ax", @progbits
.balign 32
.globl __x86_indirect_thunk_r11
.type __x86_indirect_thunk_r11, @function
__x86_indirect_thunk_r11:
    call 2f
1:
    pause
    lfence
    jmp 1b
2:
    mov [rsp], r11
    ret
    int3
.size __x86_indirect_thunk_r11, . - __x86_indirect_thunk_r11

// With shadow stacks of the kernel, which refuse that `ret`, a jump to here stands at its start. Only near branches are predicted like
// indirect ones (SDM vol. 3, IBRS), and branch tracking looks at far ones, too. Intel's CPUs alone jump far to 64 bits.
__x86_indirect_thunk_r11_far:
    mov [rsp - 16], r11
    mov [rsp - 8], cs
    .byte 0x48                      // REX.W: 64 bits
    jmp fword ptr [rsp - 16]
    int3
.text
