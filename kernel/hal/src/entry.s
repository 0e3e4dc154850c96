// Every way into the kernel and out of it.
//
// Invariants:
// - In the kernel GS.base is the CPU's (cpus.rs), everything else here is on that CPU's stacks, so all CPUs
//   may be in here at once: nothing here needs the kernel lock.
// - In the kernel GS.base is the CPU's, from before the first Rust code on, which finds the stack protector's value by it; in user space it is the user's, and KERNEL_GS_BASE holds the
//   kernel's. `swapgs` runs exactly once on each crossing of the privilege boundary, decided by the CPL in the
//   interrupt frame, never by guessing.
// - Double fault, NMI and machine check never return, set GS.base anew and load the boot page tables, so they may hit anywhere,
//   also between `syscall` and `swapgs` or between `swapgs` and `sysretq`, and with either tables of a process.
// - A debug exception in the kernel (the kernel sets no breakpoints and never TF) is cleared and dropped without GS.
// - The kernel runs with interrupts off. Only `nonos_idle` turns them on, and an interrupt there returns to it with its vector.
// - In user space the kernel's shadow stack (cet.rs), where there is one, is empty and free: the loop that goes to user space is jumped
//   to and back, so no way in or out leaves a return address on it.
// - No Rust code runs with user RFLAGS: SFMASK clears them for `syscall`, `popfq` for all others.
// - All of this lies in a page of its own, the trampoline. With isolated page tables (isolation.rs) user mode has this page and no
//   other of the kernel's code; what runs with those tables touches nothing but the blocks, the stacks for entries and the IDT.

.section .text.nonos_entry, "ax", @progbits
.balign 4096
nonos_trampoline:

// Sets GS.base, from a place of the CPU's block in rax at this distance. Changes rax, rcx, rdx.
.macro set_gs distance
    xor ecx, ecx
    mov gs, ecx
    add rax, \distance
    mov rdx, rax
    shr rdx, 32
    mov ecx, {gs_base}
    wrmsr
.endm

// From the boot loader: rdi BootInfo, rsi CR3, rdx stack (nonos_abi::boot). The first instruction drops the
// firmware's identity map: the loader maps this page at the same address in both tables.
.globl _start
.type _start, @function
_start:
    mov cr3, rsi
    mov rsp, rdx
    cld
    lea rax, [rip + {boot_block}]
    set_gs {block_to_gs}
    call {start}
    ud2
.size _start, . - _start

// The first instruction of another CPU in the kernel's half, from `nonos_startup`: rdi its block, rsi CR3, rsp its stack.
.globl nonos_cpu_start
.type nonos_cpu_start, @function
nonos_cpu_start:
    endbr64
    mov cr3, rsi
    cld
    mov rax, rdi
    set_gs {block_to_gs}
    call {start_cpu}
    ud2
.size nonos_cpu_start, . - nonos_cpu_start

// nonos_enter_user(rdi: context; rdx, r10, r8, r9, r12, r13, r14, r15: themselves)
// Jumped to directly and only by entry.rs. Goes on there: after a system call at `nonos_left_user` (rcx: rax; rdi, rsi: themselves), else at
// `nonos_interrupted_user` (rax: vector, rdx: error code). Of the registers it keeps rbx, rbp and rsp.
// This is the one way to user space. Until the registers are loaded, all but rdi, rsp and those given may be used.
.globl nonos_enter_user
.type nonos_enter_user, @function
nonos_enter_user:
    push rbx
    push rbp
nonos_enter_user_again:
    mov rcx, [rdi + {rip}]
    mov r11, [rdi + {rflags}]
    and r11d, {user_flags}
    or r11d, {set_flags}
    mov gs:[{kernel_rsp}], rsp
    mov gs:[{context}], rdi
    mov rax, [rdi + {rax}]
    mov rbx, [rdi + {rbx}]
    mov rsi, [rdi + {rsi}]
    mov rbp, [rdi + {rbp}]
    cmp rcx, [rdi + {sysret_end}]
    jae 2f
nonos_sysret_load:
    mov rsp, [rdi + {rsp}]
    mov rdi, [rdi + {rdi}]
nonos_sysret:
    swapgs
    sysretq
    int3
2:                                  // not by `sysret`, or nowhere in user space
    cmp qword ptr [rdi + {sysret_end}], 0
    jne 3f
    cmp rcx, [rip + nonos_user_end + 2]
    jae 3f
    push qword ptr [rip + nonos_user_end + 2]
    pop qword ptr [rdi + {sysret_end}]  // for the next way in: `syscall` leaves this, all others clear it
    push {user_data}
    push qword ptr [rdi + {rsp}]
    push r11
    push {user_code}
    push rcx
    mov rcx, [rdi + {rcx}]
    mov r11, [rdi + {r11}]
    mov rdi, [rdi + {rdi}]
nonos_iret:
    swapgs
    iretq
    int3
3:
    mov eax, {refused}
    xor edx, edx
    pop rbp
    pop rbx
    jmp nonos_interrupted_user
.size nonos_enter_user, . - nonos_enter_user

// nonos_idle() -> (rax: vector): waits for an interrupt. Keeps all other registers.
.globl nonos_idle
.type nonos_idle, @function
nonos_idle:
    xor eax, eax
1:
    sti
    hlt                             // no interrupt comes before (SDM vol. 2, STI)
    test eax, eax
    jz 1b
    jmp __x86_return_thunk
.size nonos_idle, . - nonos_idle

// `syscall` (LSTAR). rcx = rip and r11 = rflags of the user; the stack is still the user's.
.globl nonos_syscall
.type nonos_syscall, @function
nonos_syscall:
    endbr64
    swapgs
    mov gs:[{user_rsp}], rsp
nonos_syscall_switch:
    mov rsp, gs:[{context}]
nonos_syscall_switched:
    mov [rsp + {rax}], rax
    mov [rsp + {rbx}], rbx
    mov rbx, gs:[{user_rsp}]
    mov [rsp + {rdx}], rdx
    mov [rsp + {rsi}], rsi
    mov [rsp + {rdi}], rdi
    mov [rsp + {rbp}], rbp
    mov [rsp + {r8}], r8
    mov [rsp + {r9}], r9
    mov [rsp + {r10}], r10
    mov [rsp + {r12}], r12
    mov [rsp + {r13}], r13
    mov [rsp + {r14}], r14
    mov [rsp + {r15}], r15
    mov [rsp + {rip}], rcx
    mov [rsp + {rflags}], r11
    mov [rsp + {rsp}], rbx
    cmp rax, {null}
    je 5f
    mov rcx, rax
    mov eax, {components}           // what XSAVE stores; of edx, nothing is in XCR0
nonos_save_syscall:
    fxsave64 [rsp + {fpu}]          // or XSAVE (extended.rs)
nonos_syscall_stored:
    mov rsp, gs:[{kernel_rsp}]
nonos_syscall_entered:
    pop rbp
    pop rbx
    jmp nonos_left_user
5:                                  // straight back (run.rs says why that is sound), past no branch that is predicted like an indirect one
    mov rdi, rsp
    mov rsp, gs:[{kernel_rsp}]
    jmp nonos_enter_user_again
.size nonos_syscall, . - nonos_syscall

// The same with shadow stacks: takes the kernel's, and also stores where the thread's is.
.globl nonos_syscall_shadows
.type nonos_syscall_shadows, @function
nonos_syscall_shadows:
    endbr64
    setssbsy
    swapgs
    mov gs:[{user_rsp}], rsp
    mov rsp, gs:[{context}]
    mov [rsp + {rax}], rax
    mov [rsp + {rcx}], rcx
    mov [rsp + {rdx}], rdx
    mov ecx, {user_shadow_stack}
    rdmsr
    mov [rsp + {control_flow}], eax
    mov [rsp + {control_flow} + 4], edx
    mov rax, [rsp + {rax}]
    mov rcx, [rsp + {rcx}]
    mov rdx, [rsp + {rdx}]
    jmp nonos_syscall_switched
.size nonos_syscall_shadows, . - nonos_syscall_shadows

// From a stub; on the stack: vector, error code, rip, cs, rflags, rsp, ss.
.type nonos_interrupted, @function
nonos_interrupted:
    test byte ptr [rsp + 24], 3
    jz nonos_interrupted_in_kernel
    swapgs
    lfence                          // no speculation past a wrong guess of this branch (CVE-2019-1125)
nonos_interrupted_switch:
    push rax
    mov rax, gs:[{context}]
    pop qword ptr [rax + {rax}]
nonos_interrupted_switched:
    mov [rax + {rbx}], rbx
    mov [rax + {rcx}], rcx
    mov [rax + {rdx}], rdx
    mov [rax + {rsi}], rsi
    mov [rax + {rdi}], rdi
    mov [rax + {rbp}], rbp
    mov [rax + {r8}], r8
    mov [rax + {r9}], r9
    mov [rax + {r10}], r10
    mov [rax + {r11}], r11
    mov [rax + {r12}], r12
    mov [rax + {r13}], r13
    mov [rax + {r14}], r14
    mov [rax + {r15}], r15
    pop r8
    pop rdx
    pop qword ptr [rax + {rip}]
    pop rsi
    pop qword ptr [rax + {rflags}]
    pop qword ptr [rax + {rsp}]
    mov qword ptr [rax + {sysret_end}], 0
    mov rdi, rax
    mov eax, {components}
nonos_save_interrupted:
    fxsave64 [rdi + {fpu}]
nonos_interrupted_stored:
    mov rsp, gs:[{kernel_rsp}]
nonos_interrupted_entered:
    mov eax, r8d
    push {clear_flags}
    popfq
    pop rbp
    pop rbx
    jmp nonos_interrupted_user
nonos_interrupted_in_kernel:
    lfence
    cmp qword ptr [rsp], {first_interrupt}
    jb nonos_fatal
    mov eax, [rsp]                  // only nonos_idle runs with interrupts on, and goes on with them off
    and dword ptr [rsp + 32], {not_interrupt_flag}
    add rsp, 16
    iretq
    int3
.size nonos_interrupted, . - nonos_interrupted

// A debug exception: from user space as any other, from the kernel dropped.
.type nonos_debug, @function
nonos_debug:
    push rax
    xor eax, eax
    test byte ptr [rsp + 32], 3
    jz 1f
    // It came on a shadow stack of its own, if on any: frees that and takes the one of all other ways in.
    rdsspq rax                      // nothing without shadow stacks
    test rax, rax
    jz 2f
    clrssbsy [rax]
    setssbsy
2:
    pop rax
    jmp nonos_interrupted
1:
    mov dr7, rax
    mov dr6, rax
    pop rax
    and dword ptr [rsp + 32], {not_trap_flag}
    add rsp, 16
    iretq
    int3
.size nonos_debug, . - nonos_debug

// A fault in the kernel, or what stops the machine wherever it was. The layout is report::Registers.
.type nonos_fatal, @function
nonos_fatal:
    push r15
    push r14
    push r13
    push r12
    push r11
    push r10
    push r9
    push r8
    push rbp
    push rdi
    push rsi
    push rdx
    push rcx
    push rbx
    push rax
    mov rax, [rip + nonos_boot_root]
    mov cr3, rax
    mov rdi, rsp
    push {clear_flags}
    popfq
    and rsp, -16
    sub rsp, 16
    sgdt [rsp + 6]                  // limit, base
    mov rax, [rsp + 8]
    set_gs {descriptors_to_gs}
    call {fatal}
    ud2
.size nonos_fatal, . - nonos_fatal

// What is different on CPUs with certain flaws, and with shadow stacks: at boot, `mitigations.rs` puts a jump to each of
// these that is wanted over the first bytes of what it names. Elsewhere nothing runs here, and nothing is in the way of what does.

// With shadow stacks: `iretq` frees the token of the kernel's, `sysretq` does not.
.type nonos_sysret_shadow, @function
nonos_sysret_shadow:
    rdsspq rsp
    clrssbsy [rsp]
    mov rsp, [rdi + {rsp}]
    mov rdi, [rdi + {rdi}]
    jmp nonos_sysret
.size nonos_sysret_shadow, . - nonos_sysret_shadow

// With isolated page tables. Of a program's registers these keep no more in memory that other programs' tables have than a stack
// pointer, and what the CPU pushes there. The CPUs that need this need their buffers cleared, too.

// Overwrites the CPU's buffers (SDM vol. 2, VERR/VERW; Intel, "Microarchitectural Data Sampling"). Nothing of the kernel's is read after.
.macro clear_buffers
    verw word ptr [rip + nonos_verw_operand]
.endm

// Loads the tables for user mode, which forgets what their identifier (PCID) has cached, unless that was done since it had to be.
// Uses rsp.
.macro load_user_tables
    mov rsp, gs:[{user_cr3}]
    mov cr3, rsp
    mov rsp, gs:[{keep_cached}]
    or gs:[{user_cr3}], rsp
.endm

.type nonos_sysret_isolated, @function
nonos_sysret_isolated:
    mov gs:[{user_rsp}], rsp
    load_user_tables
    mov rsp, gs:[{user_rsp}]
    clear_buffers
    swapgs
    sysretq
    int3
.size nonos_sysret_isolated, . - nonos_sysret_isolated

// The frame that was pushed lies on the kernel stack, which user mode's tables lack: here it is moved.
.type nonos_iret_isolated, @function
nonos_iret_isolated:
    mov rdi, rsp
    mov rsp, gs:[{entry_stack}]
    .irp offset, 32,24,16,8,0
    push qword ptr [rdi + \offset]
    .endr
    mov rdi, gs:[{context}]
    mov rdi, [rdi + {rdi}]
    load_user_tables
    mov rsp, gs:[{entry_stack}]
    sub rsp, 40
    clear_buffers
    swapgs
    iretq
    int3
.size nonos_iret_isolated, . - nonos_iret_isolated

.type nonos_syscall_isolated, @function
nonos_syscall_isolated:
    mov rsp, gs:[{kernel_cr3}]
    mov cr3, rsp
    mov rsp, gs:[{context}]
    jmp nonos_syscall_switched
.size nonos_syscall_isolated, . - nonos_syscall_isolated

.type nonos_interrupted_isolated, @function
nonos_interrupted_isolated:
    mov gs:[{user_rsp}], rsp
    mov rsp, gs:[{kernel_cr3}]
    mov cr3, rsp
    mov rsp, gs:[{context}]
    mov [rsp + {rax}], rax
    mov rax, rsp
    mov rsp, gs:[{user_rsp}]
    jmp nonos_interrupted_switched
.size nonos_interrupted_isolated, . - nonos_interrupted_isolated

// Ways out that clear the CPU's buffers, without isolated page tables.
.type nonos_sysret_cleared, @function
nonos_sysret_cleared:
    clear_buffers
    swapgs
    sysretq
    int3
.size nonos_sysret_cleared, . - nonos_sysret_cleared

.type nonos_iret_cleared, @function
nonos_iret_cleared:
    clear_buffers
    swapgs
    iretq
    int3
.size nonos_iret_cleared, . - nonos_iret_cleared

// Ways in on which the CPU forgets what the program taught it about branches, before the kernel returns from or calls anything. All
// registers of the program are stored.
.macro ways_in name, function
.type nonos_syscall_\name, @function
nonos_syscall_\name:
    mov rsp, gs:[{kernel_rsp}]
    mov r11, rcx
    call \function
    mov rcx, r11
    jmp nonos_syscall_entered
.size nonos_syscall_\name, . - nonos_syscall_\name

.type nonos_interrupted_\name, @function
nonos_interrupted_\name:
    mov rsp, gs:[{kernel_rsp}]
    mov r11, rdx
    call \function
    mov rdx, r11
    jmp nonos_interrupted_entered
.size nonos_interrupted_\name, . - nonos_interrupted_\name
.endm
    ways_in barrier, nonos_forget_predictions
    ways_in history, nonos_forget_history

// Forgets predictions of indirect branches (IBPB), and overwrites those of 32 returns, which is all that any CPU keeps, with places
// where speculation ends. Changes rax, rcx and rdx.
.globl nonos_forget_predictions
.type nonos_forget_predictions, @function
nonos_forget_predictions:
    mov ecx, {prediction_command}
    mov eax, 1
    xor edx, edx
    wrmsr
    mov ecx, 32
1:
    call 2f
    int3
2:
    dec ecx
    jnz 1b
    add rsp, 32*8
    xor eax, eax
    .byte 0xF3, 0x48, 0x0F, 0x1E, 0xC8      // rdsspq rax: changes nothing without a shadow stack
    test eax, eax
    jz 3f
    mov eax, 32
    .byte 0xF3, 0x48, 0x0F, 0xAE, 0xE8      // incsspq rax
3:
    lfence
    jmp __x86_return_thunk
.size nonos_forget_predictions, . - nonos_forget_predictions

// Overwrites the history of branches with this loop's (Intel, "Branch History Injection": the sequence for CPUs with enhanced IBRS and without
// BHI_DIS_S), with its two returns in upper halves of cache lines (thunks.s). Changes rax and rcx.
.type nonos_forget_history, @function
nonos_forget_history:
    mov ecx, 5
    call 1f
    lfence
    jmp __x86_return_thunk
.balign 64, 0xCC
    .skip 27, 0xCC
1:
    call 2f
    ret
    int3
.balign 64, 0xCC
    .skip 14, 0xCC
2:
    mov eax, 5
3:
    jmp 4f
    nop
4:
    sub eax, 1
    jnz 3b
    sub ecx, 1
    jnz 1b
    ret
    int3
.size nonos_forget_history, . - nonos_forget_history

// One stub of 16 bytes per vector. The CPU pushes an error code for 8, 10 to 14, 17, 21, 29 and 30.
.macro stub vector
    .balign 16
    endbr64
    .if \vector == 8 || (\vector >= 10 && \vector <= 14) || \vector == 17 || \vector == 21 || \vector == 29 || \vector == 30
    .else
    push 0
    .endif
    push \vector
    .if \vector == 2 || \vector == 8 || \vector == 18
    jmp nonos_fatal
    .elseif \vector == 1
    jmp nonos_debug
    .else
    jmp nonos_interrupted
    .endif
.endm

.balign 16
.globl nonos_stubs
nonos_stubs:
.irp row, 0,1,2,3,4,5,6
.irp column, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    stub (\row*16+\column)
.endr
.endr
// A number in an instruction that nobody runs, so that all of this page can be decoded.
nonos_user_end:
    movabs rax, {user_end}
    int3
nonos_verw_operand:
    .word {user_data}
// An error when all of this is more than a page.
.org nonos_trampoline + 4096, 0xCC

// Where those jumps go and where they lead, each counted from the number itself, and against what: bits of nonos_abi::boot::remedy, and
// some for shadow stacks. Of two for the same place the later counts.
.section .rodata.nonos_detours, "a", @progbits
.macro detour from, to, remedy
    .long \from - ., \to - ., \remedy
.endm
.balign 4
.globl nonos_detours
nonos_detours:
    detour nonos_sysret, nonos_sysret_cleared, {clear}
    detour nonos_iret, nonos_iret_cleared, {clear}
    detour nonos_sysret, nonos_sysret_isolated, {isolate}
    detour nonos_iret, nonos_iret_isolated, {isolate}
    detour nonos_syscall_switch, nonos_syscall_isolated, {isolate}
    detour nonos_interrupted_switch, nonos_interrupted_isolated, {isolate}
    detour nonos_syscall_stored, nonos_syscall_history, {history}
    detour nonos_interrupted_stored, nonos_interrupted_history, {history}
    detour nonos_syscall_stored, nonos_syscall_barrier, {barrier}
    detour nonos_interrupted_stored, nonos_interrupted_barrier, {barrier}
    detour nonos_sysret_load, nonos_sysret_shadow, {shadow}
    detour __x86_indirect_thunk_r11, __x86_indirect_thunk_r11_far, {far_jumps}
    detour nonos_retpoline_end, nonos_retpoline_end_shadow, {shadow_retpolines}

// The instructions that store a thread's extended state and the one that loads it (cpu.rs), counted in the same way: no pointer to the
// middle of a function is anywhere.
.globl nonos_extended
nonos_extended:
    .long nonos_save_syscall - ., nonos_save_interrupted - ., nonos_load_extended - .

// The IDT, and behind it the boot page tables' CR3, for who may come with any. In read-only memory from the first instruction on:
// `interrupts.rs` fills it once through the window. A page of its own, which takes nothing of the file.
.section .bss.rel.ro.nonos_idt, "aw", @nobits
.balign 4096
.globl nonos_idt
nonos_idt:
    .zero {idt_bytes}
nonos_boot_root:
    .zero 8
.balign 4096
// In the same way a page for the shadow stacks of each CPU (cet.rs), with a page below it that is none.
.globl nonos_shadow_stacks
nonos_shadow_stacks:
    .zero {shadow_stacks_bytes}
.text
