// Where every indirect call and jump of the kernel goes (-Zretpoline-external-thunk), with the target in r11, and every return
// (-Zfunction-return=thunk-extern).
//
// On CPUs with ITS a return, as any indirect branch, is predicted by what direct branches taught the CPU if its last byte lies in the
// lower half of a cache line. So all of them lie in the upper one, here and in entry.s.

.section .text.nonos_thunks, "ax", @progbits
.balign 64
.Lthunks:
// With shadow stacks, which refuse the `ret` of a retpoline, and branch tracking a jump to here stands at its start. Only near branches are
// predicted like indirect ones (SDM vol. 3, IBRS), and branch tracking looks at far ones, too. Intel's CPUs alone jump far to 64 bits.
__x86_indirect_thunk_r11_far:
    mov [rsp - 16], r11
    mov [rsp - 8], cs
    .byte 0x48                      // REX.W: 64 bits
    jmp fword ptr [rsp - 16]
    int3

// A retpoline: what the CPU predicts for `ret` is the endless loop behind `call`, whatever somebody trained its predictors
// for indirect branches with. Calls and jumps are those of the compiler, after the check of the function's type (kCFI).
.org .Lthunks + 32, 0xCC
.globl __x86_indirect_thunk_r11
.type __x86_indirect_thunk_r11, @function
__x86_indirect_thunk_r11:
    call 2f
1:
    pause
    lfence
    jmp 1b
2:
nonos_retpoline_end:
    mov [rsp], r11
    ret
    int3
.size __x86_indirect_thunk_r11, . - __x86_indirect_thunk_r11

.globl __x86_return_thunk
.type __x86_return_thunk, @function
__x86_return_thunk:
    ret
    int3
.size __x86_return_thunk, . - __x86_return_thunk
// An error when it reaches the next line.
.org .Lthunks + 64, 0xCC

// With shadow stacks and without branch tracking, a jump to here stands over the retpoline's last two instructions: where it goes is
// written on the shadow stack as well, by an instruction that works for this long and nowhere else (SDM vol. 2, WRSS).
.type nonos_retpoline_end_shadow, @function
nonos_retpoline_end_shadow:
    mov [rsp], r11
    push rax
    push rcx
    push rdx
    xor eax, eax
    .byte 0xF3, 0x48, 0x0F, 0x1E, 0xC8      // rdsspq rax: changes nothing where the shadow stack is not on yet
    test eax, eax
    jz 3f
    mov ecx, {supervisor_cet}
    xor edx, edx
    mov eax, {writable}
    wrmsr
    .byte 0xF3, 0x48, 0x0F, 0x1E, 0xC8      // rdsspq rax
    .byte 0x4C, 0x0F, 0x38, 0xF6, 0x18      // wrssq [rax], r11
    mov eax, {shadow_stack}
    wrmsr
3:
    pop rdx
    pop rcx
    pop rax
    ret
    int3
.size nonos_retpoline_end_shadow, . - nonos_retpoline_end_shadow
.text
