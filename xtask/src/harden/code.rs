//! Every instruction of a kernel or module.
//!
//! Code is decoded from symbol to symbol. A function's address is taken where a relocated word or a `lea` holds it: to those the
//! program can jump, so they begin with `endbr64` (CET, SDM vol. 1, 17.3) and have the number of their type before them
//! (kCFI). Every indirect branch compares that number first, and in the kernel leaves through a thunk. There the stack protector's
//! value is the CPU's own, and returns lie in upper halves of cache lines (ITS). No function moves the stack pointer over a guard page: it
//! writes to each page that it comes to (stack probes).

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, Register};
use nonos_image::elf::{Access, Executable};
use object::read::elf::ElfFile64;
use object::{LittleEndian, Object, ObjectSymbol, SymbolKind};

use super::{Finding, without};

/// Prefix of the kernel's thunks for indirect branches; the register with the target follows.
const THUNK: &str = "__x86_indirect_thunk_";
/// Where the kernel has the stack protector's value, behind GS.base.
const STACK_GUARD: u64 = 0x28;
/// Called when the stack protector finds something.
const STACK_OVERWRITTEN: &str = "__stack_chk_fail";
/// Entered by the CPU, the kernel or the boot loader, never by a call of this program: no call compares their type.
const NEVER_CALLED: [&str; 6] = [
    "_start",
    "nonos_cpu_start",
    "nonos_rt_thread",
    "nonos_stubs",
    "nonos_syscall",
    "nonos_syscall_shadows",
];

/// How a program makes indirect branches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Indirect {
    /// By an instruction.
    Direct,
    /// By a call of or jump to a thunk.
    ThroughThunks,
}

/// The code of a program and what points to it.
pub struct Code {
    /// Where it begins.
    base: u64,
    bytes: Vec<u8>,
    /// Names of what begins where.
    symbols: BTreeMap<u64, String>,
    /// Relocated words.
    words: Vec<u64>,
}

impl Code {
    /// The code of a linked file.
    ///
    /// # Errors
    /// When it is no executable of this system, or has no symbols.
    pub fn read(linked: &[u8]) -> Result<Self> {
        let executable = Executable::parse(linked)?;
        let mut code = executable
            .segments()
            .iter()
            .filter(|segment| segment.access == Access::ReadExecute);
        let segment = code.next().context("no code")?;
        ensure!(code.next().is_none(), "code in several segments");
        let end = segment.virtual_offset + segment.memory_bytes;
        let file = ElfFile64::<LittleEndian>::parse(linked).context("not an ELF file")?;
        let mut symbols = BTreeMap::new();
        for symbol in file.symbols() {
            let address = symbol.address();
            let inside = (segment.virtual_offset..end).contains(&address);
            let named = matches!(symbol.kind(), SymbolKind::Text | SymbolKind::Unknown);
            if inside && named && symbol.is_definition() {
                let name = symbol.name().context("a symbol's name")?;
                let name = format!("{:#}", rustc_demangle::demangle(name));
                symbols.insert(address, name);
            }
        }
        ensure!(!symbols.is_empty(), "no symbols");
        Ok(Self {
            base: segment.virtual_offset,
            bytes: executable.contents(segment).to_vec(),
            symbols,
            words: executable.relocations().map(|(_, word)| word).collect(),
        })
    }

    /// Where the first function begins whose name, without what it is generic over, is this.
    pub fn find(&self, name: &str) -> Option<u64> {
        let named = |(_, found): &(&u64, &String)| {
            found
                .strip_prefix(name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with("::<"))
        };
        self.symbols.iter().find(named).map(|(&address, _)| address)
    }

    fn end(&self) -> u64 {
        self.base + self.bytes.len() as u64
    }

    /// The bytes from `address` on.
    fn at(&self, address: u64) -> &[u8] {
        let from = address.checked_sub(self.base).unwrap_or(u64::MAX);
        usize::try_from(from)
            .ok()
            .and_then(|from| self.bytes.get(from..))
            .unwrap_or_default()
    }

    /// The function that holds an address: where it begins, and its name.
    fn function(&self, address: u64) -> (u64, &str) {
        let before = self.symbols.range(..=address).next_back();
        before.map_or((self.base, "?"), |(start, name)| (*start, name))
    }

    fn place(&self, address: u64) -> String {
        let (start, name) = self.function(address);
        format!("{name} + {:#x}", address - start)
    }

    /// All instructions, function by function.
    fn instructions(&self) -> impl Iterator<Item = Instruction> {
        let starts = self.symbols.keys().copied();
        let ends = self.symbols.keys().copied().skip(1).chain([self.end()]);
        let before = self.symbols.keys().next().map(|&first| (self.base, first));
        before
            .into_iter()
            .chain(starts.zip(ends))
            .flat_map(|(start, end)| {
                let bytes = self.at(start);
                let length = bytes.len().min((end - start) as usize);
                Decoder::with_ip(64, &bytes[..length], start, DecoderOptions::NONE)
            })
    }
}

/// What holds of a program's code.
pub fn check(code: &Code, indirect: Indirect) -> Vec<Finding> {
    let mut seen = Seen::default();
    let mut previous = [Instruction::default(); 4];
    for instruction in code.instructions() {
        seen.look(code, indirect, &previous, &instruction);
        previous.rotate_left(1);
        previous[3] = instruction;
    }
    seen.taken.extend(
        code.words
            .iter()
            .filter(|word| (code.base..code.end()).contains(word)),
    );
    seen.findings(code, indirect)
}

#[derive(Default)]
struct Seen {
    unreadable: Vec<String>,
    bare: Vec<String>,
    unchecked: Vec<String>,
    checked: usize,
    untracked: Vec<String>,
    trainable: Vec<String>,
    unstopped: Vec<String>,
    returns: usize,
    unprobed: Vec<String>,
    probes: usize,
    protected: BTreeSet<u64>,
    guarded: BTreeSet<u64>,
    taken: BTreeSet<u64>,
}

impl Seen {
    fn look(
        &mut self,
        code: &Code,
        indirect: Indirect,
        previous: &[Instruction; 4],
        instruction: &Instruction,
    ) {
        let at = instruction.ip();
        if instruction.is_invalid() {
            self.unreadable.push(code.place(at));
        }
        let (start, name) = code.function(at);
        let target = instruction.near_branch_target();
        let target_name = if target == 0 {
            ""
        } else {
            code.symbols.get(&target).map_or("", String::as_str)
        };
        if target_name == STACK_OVERWRITTEN {
            self.protected.insert(start);
        }
        if reads_stack_guard(instruction) {
            self.guarded.insert(start);
        }
        match stack_step(&previous[3]) {
            Some(PAGE) if writes_to_stack_top(instruction) => self.probes += 1,
            Some(PAGE..) => self.unprobed.push(code.place(previous[3].ip())),
            _ => {}
        }
        let in_thunk = name.starts_with(THUNK);
        let by_itself = matches!(
            instruction.flow_control(),
            FlowControl::IndirectBranch | FlowControl::IndirectCall
        );
        if by_itself && indirect == Indirect::ThroughThunks && !in_thunk {
            self.bare.push(code.place(at));
        }
        if by_itself && instruction.segment_prefix() == Register::DS {
            self.untracked.push(code.place(at));
        }
        let through = target_name.starts_with(THUNK).then_some(Register::R11);
        let register = if by_itself && !in_thunk {
            Some(instruction.op0_register())
        } else {
            through
        };
        match register {
            Some(register) if is_check(previous, register, at) => self.checked += 1,
            Some(_) => self.unchecked.push(code.place(at)),
            None => {}
        }
        if instruction.mnemonic() == Mnemonic::Ret {
            self.returns += 1;
            if (instruction.next_ip() - 1) & UPPER_HALF == 0 {
                self.trainable.push(code.place(at));
            }
            if code.at(instruction.next_ip()).first() != Some(&INT3) {
                self.unstopped.push(code.place(at));
            }
        }
        if instruction.mnemonic() == Mnemonic::Lea && instruction.is_ip_rel_memory_operand() {
            let address = instruction.ip_rel_memory_address();
            let elsewhere = code.function(address).0 != start || address == start;
            if (code.base..code.end()).contains(&address) && elsewhere {
                self.taken.insert(address);
            }
        }
    }

    fn findings(self, code: &Code, indirect: Indirect) -> Vec<Finding> {
        let is_called = |address: &&u64| !NEVER_CALLED.contains(&code.function(**address).1);
        let places = |without: &dyn Fn(u64) -> bool, among: Vec<&u64>| -> Vec<String> {
            let addresses = among.into_iter().filter(|address| without(**address));
            addresses.map(|address| code.place(*address)).collect()
        };
        let unpadded = places(
            &|at| !code.at(at).starts_with(&ENDBR64),
            self.taken.iter().collect(),
        );
        let called: Vec<_> = self.taken.iter().filter(is_called).collect();
        let untyped = places(
            &|at| code.at(at.saturating_sub(TYPE_BYTES)).first() != Some(&MOV_EAX),
            called,
        );
        let taken = self.taken.len();
        let calls = format!("{} indirect branches", self.checked);
        let mut findings = vec![
            without(
                "all code can be decoded",
                format!("{} symbols", code.symbols.len()),
                &self.unreadable,
            ),
            without(
                "endbr64 where an address is taken",
                format!("{taken} functions"),
                &unpadded,
            ),
            without(
                "no branch that CET does not track",
                String::new(),
                &self.untracked,
            ),
            without(
                "kCFI: a type before every function that is called so",
                format!("{taken} functions"),
                &untyped,
            ),
            without(
                "kCFI: a check before every indirect branch",
                calls,
                &self.unchecked,
            ),
            without(
                "int3 behind every return",
                format!("{} returns", self.returns),
                &self.unstopped,
            ),
            without(
                "stack probes: no step over a guard page",
                format!("{} probes", self.probes),
                &self.unprobed,
            ),
            (
                "stack protector",
                !self.protected.is_empty(),
                format!("in {} functions", self.protected.len()),
            ),
        ];
        if indirect == Indirect::ThroughThunks {
            let thunk = code.symbols.values().any(|name| name.starts_with(THUNK));
            let mut bare = self.bare;
            bare.extend((!thunk).then(|| "there is no thunk".to_owned()));
            findings.push(without(
                "no indirect branch but in the thunks",
                String::new(),
                &bare,
            ));
            findings.push(without(
                "every return in the upper half of a cache line",
                format!("{} returns", self.returns),
                &self.trainable,
            ));
            let shared = self.protected.difference(&self.guarded);
            let shared: Vec<_> = shared.map(|start| code.place(*start)).collect();
            findings.push(without(
                "stack protector: a value of each CPU's",
                format!("in {} functions", self.guarded.len()),
                &shared,
            ));
        }
        findings
    }
}

const INT3: u8 = 0xCC;
/// The bit of an address that says which half of a cache line it lies in.
const UPPER_HALF: u64 = 32;
const ENDBR64: [u8; 4] = [0xF3, 0x0F, 0x1E, 0xFA];
/// The number of a type stands in a `mov eax, number`, right before the function.
const MOV_EAX: u8 = 0xB8;
const TYPE_BYTES: u64 = 5;

/// Size of a guard page.
const PAGE: u64 = 4096;

/// By how much an instruction moves the stack pointer down, but for pushes and calls, which write; as far as can be where that is in a register.
fn stack_step(instruction: &Instruction) -> Option<u64> {
    if instruction.op_count() < 2 || instruction.op0_register() != Register::RSP {
        return None;
    }
    let by = match (instruction.mnemonic(), instruction.op1_kind()) {
        (Mnemonic::Sub, OpKind::Register) => i64::MAX,
        (Mnemonic::Sub, _) => instruction
            .try_immediate(1)
            .map_or(i64::MAX, |by| by as i64),
        (Mnemonic::Add, OpKind::Register) => 0,
        (Mnemonic::Add, _) => instruction
            .try_immediate(1)
            .map_or(i64::MAX, |by| (by as i64).saturating_neg()),
        (Mnemonic::Lea, _) if instruction.memory_base() == Register::RSP => {
            (instruction.memory_displacement64() as i64).saturating_neg()
        }
        _ => 0,
    };
    u64::try_from(by).ok()
}

/// Whether it writes to where the stack pointer points.
fn writes_to_stack_top(instruction: &Instruction) -> bool {
    instruction.mnemonic() == Mnemonic::Mov
        && instruction.op0_kind() == OpKind::Memory
        && instruction.memory_base() == Register::RSP
        && instruction.memory_index() == Register::None
        && instruction.memory_displacement64() == 0
}

/// Whether it reads the stack protector's value of the CPU that runs it.
fn reads_stack_guard(instruction: &Instruction) -> bool {
    let memory =
        (0..instruction.op_count()).any(|operand| instruction.op_kind(operand) == OpKind::Memory);
    memory
        && instruction.segment_prefix() == Register::GS
        && instruction.memory_base() == Register::None
        && instruction.memory_index() == Register::None
        && instruction.memory_displacement64() == STACK_GUARD
}

/// Whether these four instructions, right before an indirect branch, compare the type of what `register` points to:
/// `mov r10d, -type; add r10d, [register - 4]; je over; ud2`, `over` being `at`.
fn is_check(previous: &[Instruction; 4], register: Register, at: u64) -> bool {
    let [load, add, branch, trap] = previous;
    let sum = load.op0_register();
    load.mnemonic() == Mnemonic::Mov
        && load.op1_kind() == OpKind::Immediate32
        && add.mnemonic() == Mnemonic::Add
        && add.op0_register() == sum
        && register != Register::None
        && add.memory_base() == register
        && add.memory_index() == Register::None
        && add.memory_displacement64() == -4_i64 as u64
        && branch.mnemonic() == Mnemonic::Je
        && branch.near_branch_target() == at
        && trap.mnemonic() == Mnemonic::Ud2
        && trap.next_ip() == at
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: u64 = 0x1000;

    /// `mov r10d, …; add r10d, [rax - 4]; je over; ud2`
    const CHECK_RAX: &[u8] = &[
        0x41, 0xBA, 1, 2, 3, 4, 0x44, 0x03, 0x50, 0xFC, 0x74, 0x02, 0x0F, 0x0B,
    ];
    const CHECK_R11: &[u8] = &[
        0x41, 0xBA, 1, 2, 3, 4, 0x45, 0x03, 0x53, 0xFC, 0x74, 0x02, 0x0F, 0x0B,
    ];
    const CALL_RAX: &[u8] = &[0xFF, 0xD0];
    const JMP_RAX: &[u8] = &[0xFF, 0xE0];
    const RETURN: &[u8] = &[0xC3, 0xCC];

    /// A program of functions, and which of their addresses are taken.
    fn program(functions: &[(&str, &[&[u8]])], taken: &[&str]) -> Code {
        let mut code = Code {
            base: BASE,
            bytes: Vec::new(),
            symbols: BTreeMap::new(),
            words: Vec::new(),
        };
        for (name, parts) in functions {
            if taken.contains(name) {
                code.words.push(code.end());
            }
            code.symbols.insert(code.end(), (*name).to_owned());
            code.bytes.extend(parts.concat());
        }
        code
    }

    fn failing(code: &Code, indirect: Indirect) -> Vec<&'static str> {
        let findings = check(code, indirect);
        let failing = findings.into_iter().filter(|(_, holds, _)| !holds);
        failing.map(|(claim, ..)| claim).collect()
    }

    /// A call to `__stack_chk_fail`, which begins 6 bytes further on, behind a return.
    const PROTECTED: &[u8] = &[0xE8, 2, 0, 0, 0, 0xC3, 0xCC];

    /// What fails of a program that is otherwise good: a function that does this.
    fn with(parts: &[&[u8]]) -> Vec<&'static str> {
        let good = [
            ("f", parts),
            ("g", &[PROTECTED][..]),
            (STACK_OVERWRITTEN, &[RETURN][..]),
        ];
        failing(&program(&good, &[]), Indirect::Direct)
    }

    const UNPROBED: &str = "stack probes: no step over a guard page";

    #[test]
    fn functions_that_step_over_a_guard_page_fail() {
        // sub rsp, 4096
        const STEP: &[u8] = &[0x48, 0x81, 0xEC, 0, 0x10, 0, 0];
        // mov qword ptr [rsp], 0, and at rsp + 8
        const PROBE: &[u8] = &[0x48, 0xC7, 0x04, 0x24, 0, 0, 0, 0];
        const ELSEWHERE: &[u8] = &[0x48, 0xC7, 0x44, 0x24, 8, 0, 0, 0, 0];
        assert_eq!(with(&[STEP, PROBE, STEP, PROBE, RETURN]), [""; 0]);
        assert_eq!(with(&[STEP, RETURN]), [UNPROBED]);
        assert_eq!(with(&[STEP, ELSEWHERE, RETURN]), [UNPROBED]);
        for step in [
            // sub rsp, 4097; sub rsp, rax; add rsp, -4097; lea rsp, [rsp - 4097]
            &[0x48, 0x81, 0xEC, 1, 0x10, 0, 0][..],
            &[0x48, 0x29, 0xC4],
            &[0x48, 0x81, 0xC4, 0xFF, 0xEF, 0xFF, 0xFF],
            &[0x48, 0x8D, 0xA4, 0x24, 0xFF, 0xEF, 0xFF, 0xFF],
        ] {
            assert_eq!(with(&[step, PROBE, RETURN]), [UNPROBED], "{step:x?}");
        }
        // sub rsp, 4095; add rsp, 8192
        assert_eq!(
            with(&[&[0x48, 0x81, 0xEC, 0xFF, 0x0F, 0, 0], RETURN]),
            [""; 0]
        );
        assert_eq!(with(&[&[0x48, 0x81, 0xC4, 0, 0x20, 0, 0], RETURN]), [""; 0]);
    }

    const UNCHECKED: &str = "kCFI: a check before every indirect branch";

    #[test]
    fn checked_branches_pass() {
        assert_eq!(with(&[RETURN]), [""; 0]);
        assert_eq!(with(&[CHECK_RAX, CALL_RAX, RETURN]), [""; 0]);
        assert_eq!(with(&[CHECK_RAX, JMP_RAX, &[0xCC]]), [""; 0]);
    }

    #[test]
    fn branches_without_a_check_of_their_own_fail() {
        assert_eq!(with(&[CALL_RAX, RETURN]), [UNCHECKED]);
        assert_eq!(
            with(&[&[0xFF, 0x10], RETURN]),
            [UNCHECKED],
            "through memory"
        );
        assert_eq!(
            with(&[CHECK_R11, CALL_RAX, RETURN]),
            [UNCHECKED],
            "of another register"
        );
        assert_eq!(
            with(&[CHECK_RAX, &[0x90], CALL_RAX, RETURN]),
            [UNCHECKED],
            "not before it"
        );
        for (at, value) in [(9, 0xF8), (10, 0x75), (11, 0x04), (13, 0x05)] {
            let mut changed = CHECK_RAX.to_vec();
            changed[at] = value;
            assert!(
                with(&[&changed, CALL_RAX, RETURN]).contains(&UNCHECKED),
                "byte {at}"
            );
        }
    }

    #[test]
    fn what_cet_does_not_track_and_what_has_no_int3_fails() {
        assert_eq!(
            with(&[CHECK_RAX, &[0x3E, 0xFF, 0xE0], &[0xCC]]),
            ["no branch that CET does not track"]
        );
        assert_eq!(with(&[&[0xC3]]), ["int3 behind every return"]);
        assert_eq!(with(&[&[0x06]]), ["all code can be decoded"]);
    }

    #[test]
    fn a_program_without_the_stack_protector_fails() {
        let code = program(&[("f", &[RETURN])], &[]);
        assert_eq!(failing(&code, Indirect::Direct), ["stack protector"]);
    }

    const UD2: &[u8] = &[0x0F, 0x0B];
    /// `mov rax, gs:[0x28]`
    const OWN_GUARD: &[u8] = &[0x65, 0x48, 0x8B, 0x04, 0x25, 0x28, 0, 0, 0];
    /// A call to `__stack_chk_fail`, which begins behind this.
    const PROTECTED_BY_ITS_END: &[u8] = &[0xE8, 0, 0, 0, 0];

    /// What fails of a kernel with this function.
    fn of_kernel_with(function: &[&[u8]]) -> Vec<&'static str> {
        let functions: [(&str, &[&[u8]]); 4] = [
            ("f", function),
            ("g", &[OWN_GUARD, PROTECTED_BY_ITS_END]),
            (STACK_OVERWRITTEN, &[UD2]),
            ("__x86_indirect_thunk_r11", &[UD2]),
        ];
        failing(&program(&functions, &[]), Indirect::ThroughThunks)
    }

    #[test]
    fn a_kernel_with_a_return_in_the_lower_half_of_a_cache_line_fails() {
        for (before, expected) in [
            (0, &["every return in the upper half of a cache line"][..]),
            (31, &["every return in the upper half of a cache line"]),
            (32, &[]),
            (63, &[]),
            (64, &["every return in the upper half of a cache line"]),
        ] {
            let found = of_kernel_with(&[&vec![0x90; before], RETURN]);
            assert_eq!(found, expected, "behind {before} bytes");
        }
    }

    #[test]
    fn a_kernel_whose_processors_share_the_stack_protectors_value_fails() {
        // `f` calls `__stack_chk_fail`, behind `g`.
        let failing_with = |read: &[u8]| of_kernel_with(&[read, &[0xE8, 14, 0, 0, 0]]);
        assert_eq!(failing_with(OWN_GUARD), [""; 0]);
        let shared = ["stack protector: a value of each CPU's"];
        assert_eq!(failing_with(&[]), shared);
        // Of FS; of another place; of a place behind a register.
        for (at, value) in [(0, 0x64), (5, 0x30), (4, 0x20)] {
            let mut changed = OWN_GUARD.to_vec();
            changed[at] = value;
            assert_eq!(failing_with(&changed), shared, "byte {at}");
        }
    }

    #[test]
    fn functions_whose_address_is_taken_need_a_pad_and_a_type() {
        const PAD: &str = "endbr64 where an address is taken";
        const TYPED: &str = "kCFI: a type before every function that is called so";
        let number: &[u8] = &[0xB8, 1, 2, 3, 4];
        let failing = |type_number: &[u8], pad: &[u8], name: &str| {
            let functions: [(&str, &[&[u8]]); 4] = [
                ("__cfi_f", &[type_number]),
                (name, &[pad, RETURN]),
                ("g", &[PROTECTED]),
                (STACK_OVERWRITTEN, &[RETURN]),
            ];
            failing(&program(&functions, &[name]), Indirect::Direct)
        };
        assert_eq!(failing(number, &ENDBR64, "f"), [""; 0]);
        assert_eq!(failing(number, &[], "f"), [PAD]);
        assert_eq!(failing(&[0x90; 5], &ENDBR64, "f"), [TYPED]);
        assert_eq!(failing(&[0x90; 5], &ENDBR64, "nonos_syscall"), [""; 0]);
        assert_eq!(failing(&[0x90; 5], &[], "nonos_syscall"), [PAD]);
    }

    #[test]
    fn an_address_taken_by_lea_counts() {
        // lea rax, [rip + 2]: the function behind the return.
        let lea: &[u8] = &[0x48, 0x8D, 0x05, 2, 0, 0, 0];
        let failing_with = |name: &str, second: &[&[u8]]| {
            let functions: [(&str, &[&[u8]]); 4] = [
                ("f", &[lea, RETURN]),
                (name, second),
                ("h", &[PROTECTED]),
                (STACK_OVERWRITTEN, &[RETURN]),
            ];
            failing(&program(&functions, &[]), Indirect::Direct)
        };
        assert_eq!(failing_with("g", &[RETURN]).len(), 2);
        assert_eq!(failing_with("nonos_stubs", &[&ENDBR64, RETURN]), [""; 0]);
    }

    #[test]
    fn in_the_kernel_branches_leave_through_thunks_only() {
        const BARE: &str = "no indirect branch but in the thunks";
        const THUNK_R11: &str = "__x86_indirect_thunk_r11";
        let failing = |thunk: &str, branch: &[u8]| {
            let functions: [(&str, &[&[u8]]); 4] = [
                ("f", &[CHECK_R11, branch, UD2]),
                (thunk, &[&[0x41, 0xFF, 0xE3], UD2]),
                ("g", &[OWN_GUARD, PROTECTED_BY_ITS_END]),
                (STACK_OVERWRITTEN, &[UD2]),
            ];
            failing(&program(&functions, &[]), Indirect::ThroughThunks)
        };
        // call of what stands 2 bytes further on
        let call: &[u8] = &[0xE8, 2, 0, 0, 0];
        assert_eq!(failing(THUNK_R11, call), [""; 0]);
        assert_eq!(failing(THUNK_R11, &[0x41, 0xFF, 0xD3]), [BARE]);
        assert_eq!(failing("other", call), [UNCHECKED, BARE]);
    }
}
