//! The one trait through which the kernel's logic knows the hardware.
//!
//! `nonos-hal` implements it for x86_64; the host tests implement it with a fake machine. Everything here is
//! safe: an implementation upholds memory safety whatever the logic asks for, in the limits stated.

use nonos_abi::message::MESSAGE_WORDS;
use nonos_abi::{MessageInfo, PAGE_BYTES};

/// Number of a 4-KiB physical frame: physical address / 4096.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(transparent)]
pub struct FrameNumber(pub u32);

/// A page-aligned user-space address: `nonos_abi::USER_START <= address < nonos_abi::USER_END`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(transparent)]
pub struct UserPage(u64);

impl UserPage {
    /// The page at an address, when it is aligned and in user space.
    pub fn new(address: u64) -> Option<Self> {
        let valid = address.is_multiple_of(PAGE_BYTES as u64)
            && (nonos_abi::USER_START..nonos_abi::USER_END).contains(&address);
        valid.then_some(Self(address))
    }

    /// The page that holds an address in user space.
    pub fn containing(address: u64) -> Option<Self> {
        Self::new(address & !(PAGE_BYTES as u64 - 1))
    }

    /// Address of its first byte.
    pub fn address(self) -> u64 {
        self.0
    }
}

/// An address space, as the machine names it (the frame of its top-level page table).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub struct AddressSpace(pub FrameNumber);

/// Most CPUs that run.
pub const CPUS_MAX: usize = nonos_abi::boot::CPUS;

/// Most records of faults that a machine keeps for [`Machine::dma_fault`] in one place.
pub const DMA_FAULTS_MAX: usize = 256;

/// Most devices that reach memory: an IOMMU tells 16 apart at least, one of them for all others.
pub const DEVICES_MAX: usize = 15;

/// Number of a CPU; 0 is the one that booted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(transparent)]
pub struct CpuId(pub u8);

/// How user space may access a page. There is no writable and executable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Read.
    Read,
    /// Read and write.
    ReadWrite,
    /// Read and execute.
    ReadExecute,
    /// Read, and written by `call` alone: a shadow stack.
    ShadowStack,
}

/// How the CPU caches a mapping.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Caching {
    /// RAM.
    WriteBack,
    /// Frame buffers (falls back to uncached where the PAT cannot say it).
    WriteCombining,
    /// Device registers.
    Uncached,
}

/// Why a page was not mapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MapError {
    /// The page is mapped already.
    Mapped,
    /// The kernel region has no frame left for a page table.
    OutOfTables,
}

/// Registers of a thread in user space. System calls and IPC read and write them here.
///
/// The machine loads them when it enters user space and stores them when user space enters the kernel.
/// It takes from `rflags` only the arithmetic flags (and DF) and refuses to return to an instruction pointer
/// outside user space (that return is a fault of the thread).
#[derive(Clone, Copy, Debug)]
#[repr(C)]
#[allow(missing_docs)]
pub struct UserContext {
    pub rax: u64,
    pub rbx: u64,
    pub rcx: u64,
    pub rdx: u64,
    pub rsi: u64,
    pub rdi: u64,
    pub rbp: u64,
    pub r8: u64,
    pub r9: u64,
    pub r10: u64,
    pub r11: u64,
    pub r12: u64,
    pub r13: u64,
    pub r14: u64,
    pub r15: u64,
    pub rip: u64,
    pub rsp: u64,
    pub rflags: u64,
    /// The machine's: which load of the FPU registers this image belongs to, 0 for none. Whoever changes `fpu` sets it to 0.
    pub fpu_state: u64,
    /// The machine's: after a system call, which leaves `rip` in `rcx` and `rflags` in `r11`, whatever stands in those, the end of user
    /// space, where `rip` must not lie; 0 when all registers have their values here.
    pub sysret_end: u64,
    /// Where the thread's shadow stack is, when it has one: the address of its top at first, then the machine's.
    pub control_flow: u64,
    /// x87, SSE and AVX registers.
    pub fpu: FpuState,
}

/// The registers of x87, SSE and AVX as XSAVE stores them in standard form (SDM vol. 1, 13.4), or of x87 and SSE as FXSAVE does, which is how
/// that begins.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub struct FpuState([u8; Self::BYTES]);

impl FpuState {
    /// What FXSAVE stores (SDM vol. 1, 10.5.1), XSAVE's header, and the upper halves of sixteen AVX registers.
    pub const BYTES: usize = 512 + 64 + 16 * 16;

    /// The initial state: FCW 0x37F, MXCSR 0x1F80, all registers zero, and nothing in use by XSAVE's header.
    pub fn new() -> Self {
        let mut bytes = [0; Self::BYTES];
        bytes[0] = 0x7F;
        bytes[1] = 0x03;
        bytes[24] = 0x80;
        bytes[25] = 0x1F;
        Self(bytes)
    }
}

impl Default for FpuState {
    fn default() -> Self {
        Self::new()
    }
}

impl UserContext {
    /// The registers for the words of a message, in the order of the words.
    #[inline(always)]
    pub const fn words(&self) -> [u64; MESSAGE_WORDS] {
        [
            self.rdx, self.r10, self.r8, self.r9, self.r12, self.r13, self.r14, self.r15,
        ]
    }

    /// Writes them.
    #[inline(always)]
    pub const fn set_words(&mut self, words: [u64; MESSAGE_WORDS]) {
        [
            self.rdx, self.r10, self.r8, self.r9, self.r12, self.r13, self.r14, self.r15,
        ] = words;
    }

    /// Writes the words of a message in another's registers; those beyond the count are zero.
    #[inline(never)]
    pub fn take_words(&mut self, from: &Self, info: MessageInfo) {
        self.set_words(from.words_of(info));
    }

    /// The words of a message in these registers; those beyond the count are zero.
    #[inline(always)]
    pub fn words_of(&self, info: MessageInfo) -> [u64; MESSAGE_WORDS] {
        let mut words = self.words();
        words
            .iter_mut()
            .skip(info.words())
            .for_each(|word| *word = 0);
        words
    }
}

impl UserContext {
    /// All registers zero, those of [`FpuState`] in their initial state, RFLAGS with IF.
    pub fn new() -> Self {
        Self {
            rax: 0,
            rbx: 0,
            rcx: 0,
            rdx: 0,
            rsi: 0,
            rdi: 0,
            rbp: 0,
            r8: 0,
            r9: 0,
            r10: 0,
            r11: 0,
            r12: 0,
            r13: 0,
            r14: 0,
            r15: 0,
            rip: 0,
            rsp: 0,
            rflags: 0x202,
            fpu_state: 0,
            sysret_end: 0,
            control_flow: 0,
            fpu: FpuState::new(),
        }
    }
}

impl Default for UserContext {
    fn default() -> Self {
        Self::new()
    }
}

/// What a CPU runs: the registers of a thread and its address space; `None` when it is to wait.
pub type Current<'a> = Option<(&'a mut UserContext, AddressSpace)>;

/// What a CPU runs after a system call on the fast path.
#[derive(Debug)]
pub struct Switch<'a> {
    /// The registers of the thread.
    pub context: &'a mut UserContext,
    /// Its address space.
    pub space: AddressSpace,
    /// A message that the thread gets from the one that made the call: the registers for its words are to have what the other's
    /// registers for words have, but zero beyond the count, and not what `context` says. The machine sees to that before anybody else
    /// can change the other thread's; before, it has the logic finish a message with handles ([`Kernel::finish_moving`]).
    ///
    /// [`Kernel::finish_moving`]: crate::kernel::Kernel::finish_moving
    pub message: Option<MessageInfo>,
}

impl<'a> Switch<'a> {
    /// To a thread whose registers are all its own.
    pub const fn to(context: &'a mut UserContext, space: AddressSpace) -> Self {
        Self {
            context,
            space,
            message: None,
        }
    }
}

/// Why the kernel runs: what ended a stay in user space, or woke an idle CPU.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// The current thread executed `syscall`.
    Syscall,
    /// The timer reached the deadline.
    Timer,
    /// A device interrupt: its global system interrupt number. The line is masked until acknowledged.
    Interrupt(u32),
    /// The current thread caused an exception.
    Fault(Fault),
    /// The machine has stopped a device: [`Machine::dma_fault`] says which. It says so again after the next interrupt of a timer at the
    /// earliest.
    DmaFault,
    /// Nothing to do: a spurious interrupt, or another CPU wants this one to look at its queue.
    Spurious,
}

/// A CPU exception in user space.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    /// Vector (SDM vol. 3, 6.3.1).
    pub vector: u8,
    /// Error code, 0 for vectors without one.
    pub error: u64,
    /// Page faults: the address accessed (CR2); else 0.
    pub address: u64,
    /// The instruction.
    pub instruction: u64,
}

/// What a device was stopped from doing.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct DmaFault {
    /// Bus, device (5 bits) and function (3 bits).
    pub device: u16,
    /// First byte of the page that it wanted to reach.
    pub address: u64,
    /// VT-d's fault reason (VT-d 4.1, 7.1.3).
    pub reason: u8,
    /// Whether it wanted to write.
    pub write: bool,
}

/// What to do with the power.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PowerAction {
    /// Turn off.
    Off,
    /// Restart.
    Restart,
}

/// A generator of random numbers in the CPU.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CpuRandom {
    /// RDSEED: a source of entropy.
    Rdseed,
    /// RDRAND: a generator that one seeds.
    Rdrand,
}

/// Width of a port access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PortWidth {
    /// One byte.
    Byte,
    /// Two bytes.
    Word,
    /// Four bytes.
    Double,
}

/// The hardware, as the kernel's logic sees it: all of the machine, and the one CPU that runs the kernel now.
///
/// One CPU at a time runs the kernel; the others run user space, are idle, or wait to enter the kernel with their
/// event. What a thread that runs on another CPU has in [`UserContext`] is out of date until [`Machine::stop`] returned.
pub trait Machine {
    /// The CPU that runs the kernel now, below [`Machine::cpus`].
    fn cpu(&self) -> CpuId;

    /// How many CPUs run, 1 to [`CPUS_MAX`].
    fn cpus(&self) -> usize;

    /// Has another CPU enter the kernel soon, with [`Event::Spurious`] if nothing else happens there. Does not wait.
    fn kick(&mut self, cpu: CpuId);

    /// Has another CPU leave user space. When this returns, it executes no user code, the registers of the thread that ran there
    /// are stored, and it waits to enter the kernel with an event of that thread.
    fn stop(&mut self, cpu: CpuId);

    /// Whether a thread needs a shadow stack.
    fn has_shadow_stacks(&self) -> bool;

    /// An address space with nothing mapped for user space; `None` when the kernel region is used up. While a CPU runs a thread in
    /// one `without_counter`, reading the time-stamp counter is a fault.
    fn space_create(&mut self, without_counter: bool) -> Option<AddressSpace>;

    /// Frees an address space and its page tables. Mapped frames are not touched: their owner frees them.
    fn space_destroy(&mut self, space: AddressSpace);

    /// Maps a frame.
    fn map(
        &mut self,
        space: AddressSpace,
        page: UserPage,
        frame: FrameNumber,
        access: Access,
        caching: Caching,
    ) -> Result<(), MapError>;

    /// Unmaps a page. CPUs may remember it until [`Machine::shootdown`]: before that, the frame is given to nobody else. `None` when
    /// nothing was mapped.
    fn unmap(&mut self, space: AddressSpace, page: UserPage) -> Option<FrameNumber>;

    /// Has all CPUs forget what was unmapped in an address space. When this returns, no user code reaches a frame through it.
    fn shootdown(&mut self, space: AddressSpace);

    /// The frame a page is mapped to, and how.
    fn translate(&self, space: AddressSpace, page: UserPage) -> Option<(FrameNumber, Access)>;

    /// Runs `f` with the contents of a frame of RAM that belongs to user space, mapped only for that time.
    fn with_frame<R>(
        &mut self,
        frame: FrameNumber,
        f: impl FnOnce(&mut [u8; PAGE_BYTES]) -> R,
    ) -> R;

    /// Copies bytes from one frame of RAM that belongs to user space to another, or within one. Neither range reaches past its frame.
    fn copy(
        &mut self,
        from: FrameNumber,
        from_offset: usize,
        to: FrameNumber,
        to_offset: usize,
        bytes: usize,
    );

    /// Nanoseconds since the kernel started; the same on all CPUs, never goes back.
    fn now_ns(&self) -> u64;

    /// A counter that goes on fast, for what nobody can foresee in its lowest bits.
    fn counter(&self) -> u64;

    /// A number of a generator in the CPU; `None` when the CPU has none, or it gives none after some tries.
    fn cpu_random(&self, from: CpuRandom) -> Option<u64>;

    /// The VM generation id, which is another one when the machine was restored from a snapshot. Zeros when there is none.
    fn vm_generation(&self) -> [u64; 2];

    /// When the next [`Event::Timer`] of this CPU is due; `None` for never. Replaces the deadline set before.
    fn set_timer(&mut self, deadline_ns: Option<u64>);

    /// The global system interrupt that ISA interrupt or global interrupt `line` is wired to, or `None` when
    /// the machine has no such line.
    fn interrupt_route(&self, line: u32) -> Option<u32>;

    /// Lets a global system interrupt through, once: it is masked again when it arrives. That of the serial port says that a
    /// driver has it.
    fn interrupt_enable(&mut self, global: u32);

    /// Masks a global system interrupt. That of the serial port says that no driver has it any more.
    fn interrupt_disable(&mut self, global: u32);

    /// How many IOMMUs there are, and what is on in them, read now. What was stopped is not the machine's to say.
    fn dma_status(&self) -> nonos_abi::info::DmaStatus;

    /// Takes the record of something that a device was stopped from doing, of which there are [`DMA_FAULTS_MAX`] at most at a time. Records
    /// may be missing when devices do more than fits.
    fn dma_fault(&mut self) -> Option<DmaFault>;

    /// Gives a device (bus, device and function) I/O addresses with nothing mapped, unless it has some; it keeps them. False when DMA is not
    /// confined, the kernel region is used up, or [`DEVICES_MAX`] have some.
    fn device_create(&mut self, device: u16) -> bool;

    /// Maps a frame of RAM that belongs to user space at a page below [`nonos_abi::DEVICE_PAGES`] of a device that has I/O addresses.
    fn device_map(&mut self, device: u16, page: u16, frame: FrameNumber, write: bool);

    /// Unmaps a page. The device may reach the frame until [`Machine::device_forget`]: before that, it is given to nobody else.
    fn device_unmap(&mut self, device: u16, page: u16);

    /// Has all IOMMUs forget what they know. When this returns, devices reach what is mapped and nothing else.
    fn device_forget(&mut self);

    /// Reads an I/O port.
    fn port_read(&mut self, port: u16, width: PortWidth) -> u32;

    /// Writes an I/O port.
    fn port_write(&mut self, port: u16, width: PortWidth, value: u32);

    /// Whether user space may be given these ports: not those of interrupt controllers, the timer, DMA, PCI configuration and ACPI.
    fn ports_allowed(&self, first: u16, count: u16) -> bool;

    /// Whether a physical range is a device's, so that it may be mapped for a driver: no RAM, no APIC.
    fn is_device_memory(&self, physical: u64, pages: u64) -> bool;

    /// State of the CPU, read now.
    fn cpu_status(&self) -> nonos_abi::info::CpuStatus;

    /// What the CPU says of the known flaws of CPUs, read now, and what the machine does about them.
    fn cpu_security(&self) -> nonos_abi::info::CpuSecurity;

    /// Wipes all memory of user space and the kernel region's secrets and changes the power state. Returns only where
    /// the machine cannot do it (and on the host).
    fn power(&mut self, action: PowerAction);

    /// Free and total frames of the kernel region, for page tables.
    fn table_frames(&self) -> (u64, u64);

    /// Writes text to the serial port while no driver has it.
    fn early_print(&mut self, text: &str);
}
