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
.text
