//! A debugger at a machine: QEMU's stub for GDB, to write registers and memory that the monitor only shows.
//!
//! The machine stands still while one is attached. Only the few packets of the remote serial protocol that the tests need.

use std::io::{BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Numbers of registers in QEMU's description of x86_64.
#[derive(Clone, Copy, Debug)]
pub enum Register {
    /// RAX.
    Rax = 0,
    /// RCX.
    Rcx = 2,
    /// RDX.
    Rdx = 3,
    /// RSP.
    Rsp = 7,
    /// RIP.
    Rip = 16,
    /// The base of GS.
    GsBase = 25,
    /// CR0.
    Cr0 = 27,
    /// CR4.
    Cr4 = 30,
    /// IA32_EFER.
    Efer = 32,
}

/// A debugger that is attached.
pub struct Debugger {
    input: BufReader<UnixStream>,
    output: UnixStream,
}

impl Debugger {
    /// Attaches at the stub's socket.
    ///
    /// # Panics
    /// When there is none.
    pub fn attach(socket: &Path) -> Self {
        let output = UnixStream::connect(socket).expect("the stub listens");
        let input = BufReader::new(output.try_clone().expect("a socket can be shared"));
        let mut debugger = Self { input, output };
        // The stub names control registers to those only who asked what there is.
        let description = debugger.ask("qXfer:features:read:target.xml:0,ff");
        assert!(description.starts_with(['l', 'm']), "{description}");
        debugger
    }

    /// What a register of the CPU that stopped last holds, the first one's before.
    pub fn read(&mut self, register: Register) -> u64 {
        let answer = self.ask(&format!("p{:x}", register as u32));
        let digits = u64::from_str_radix(&answer, 16);
        digits
            .unwrap_or_else(|_| panic!("{register:?} is {answer:?}"))
            .swap_bytes()
    }

    /// Changes a register of that CPU.
    pub fn write(&mut self, register: Register, value: u64) {
        let number = register as u32;
        let answer = self.ask(&format!("P{number:x}={:016x}", value.swap_bytes()));
        assert_eq!(answer, "OK", "{register:?}");
        assert_eq!(self.read(register), value, "{register:?} took the value");
    }

    /// Changes memory at an address of the first CPU, whoever may write there.
    pub fn write_memory(&mut self, address: u64, bytes: &[u8]) {
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let answer = self.ask(&format!("M{address:x},{:x}:{digits}", bytes.len()));
        assert_eq!(answer, "OK", "memory at {address:#x}");
    }

    /// This many bytes of memory, up to 1,024, at an address of that CPU; `None` when some are not mapped.
    pub fn read_memory(&mut self, address: u64, bytes: usize) -> Option<Vec<u8>> {
        let answer = self.ask(&format!("m{address:x},{bytes:x}"));
        let digits = answer.as_bytes().chunks(2);
        let read: Option<Vec<u8>> = digits
            .map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok())
            .collect();
        read.filter(|read| read.len() == bytes)
    }

    /// Lets the machine run until a CPU is about to execute what is at an address: that CPU is the one that stopped.
    pub fn run_to(&mut self, address: u64) {
        assert_eq!(self.ask(&format!("Z1,{address:x},1")), "OK");
        while self.read(Register::Rip) != address {
            self.send("c");
            self.expect_stop();
        }
        assert_eq!(self.ask(&format!("z1,{address:x},1")), "OK");
    }

    /// Has the CPU that stopped execute one instruction.
    pub fn step(&mut self) {
        self.send("s");
        self.expect_stop();
    }

    /// Has the CPU that stopped execute an instruction that stands nowhere, with these registers, and leaves all else as it was.
    pub fn execute(&mut self, instruction: &[u8], registers: &[(Register, u64)]) {
        let at = self.read(Register::Rip);
        let code = self.read_memory(at, instruction.len()).expect("code");
        let before: Vec<u64> = registers.iter().map(|&(name, _)| self.read(name)).collect();
        self.write_memory(at, instruction);
        for &(name, value) in registers {
            self.write(name, value);
        }
        self.step();
        for (&(name, _), value) in registers.iter().zip(before) {
            self.write(name, value);
        }
        self.write_memory(at, &code);
        self.write(Register::Rip, at);
    }

    /// Lets the machine go on.
    pub fn detach(mut self) {
        assert_eq!(self.ask("D"), "OK");
    }

    /// Sends a packet and returns the answer.
    fn ask(&mut self, packet: &str) -> String {
        self.send(packet);
        loop {
            let answer = self.answer();
            // That the machine stopped, when one attaches, it says unasked.
            if !answer.starts_with('T') {
                return answer;
            }
        }
    }

    fn send(&mut self, packet: &str) {
        let sum = packet.bytes().fold(0_u8, u8::wrapping_add);
        write!(self.output, "${packet}#{sum:02x}").expect("the stub listens");
    }

    fn expect_stop(&mut self) {
        let answer = self.answer();
        assert!(
            answer.starts_with('T'),
            "the machine did not stop: {answer}"
        );
    }

    fn answer(&mut self) -> String {
        while self.byte() != b'$' {}
        let mut answer = String::new();
        loop {
            match self.byte() {
                b'#' => break,
                byte => answer.push(byte.into()),
            }
        }
        let _sum = [self.byte(), self.byte()];
        self.output.write_all(b"+").expect("the stub listens");
        answer
    }

    fn byte(&mut self) -> u8 {
        let mut byte = [0];
        self.input.read_exact(&mut byte).expect("the stub answers");
        byte[0]
    }
}
