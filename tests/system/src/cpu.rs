//! What the monitor's `info registers` says about a CPU.

/// Registers of a CPU, as far as the tests look at them. Names as in the SDM.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs)]
pub struct Registers {
    pub rip: u64,
    pub rsp: u64,
    pub cpl: u64,
    /// 1 in system-management mode, with the firmware's own tables.
    pub smm: u64,
    pub cr0: u64,
    pub cr3: u64,
    pub cr4: u64,
    pub efer: u64,
    pub gdt_base: u64,
    pub idt_base: u64,
    pub gs_base: u64,
}

/// Protected mode.
pub const CR0_PE: u64 = 1;
/// Supervisor writes honour read-only pages.
pub const CR0_WP: u64 = 1 << 16;
/// Paging.
pub const CR0_PG: u64 = 1 << 31;
/// Programs may read performance counters.
pub const CR4_PCE: u64 = 1 << 8;
/// User-mode instruction prevention.
pub const CR4_UMIP: u64 = 1 << 11;
/// Five-level paging.
pub const CR4_LA57: u64 = 1 << 12;
/// Programs may write segment bases.
pub const CR4_FSGSBASE: u64 = 1 << 16;
/// Protection keys for user pages.
pub const CR4_PKE: u64 = 1 << 22;
/// Supervisor-mode execution prevention.
pub const CR4_SMEP: u64 = 1 << 20;
/// Supervisor-mode access prevention.
pub const CR4_SMAP: u64 = 1 << 21;
/// Long mode is active.
pub const EFER_LMA: u64 = 1 << 10;
/// No-execute pages.
pub const EFER_NXE: u64 = 1 << 11;

/// Names of the bits of CR0 (SDM vol. 3, 2.5).
pub const CR0_NAMES: [(u32, &str); 11] = [
    (0, "PE"),
    (1, "MP"),
    (2, "EM"),
    (3, "TS"),
    (4, "ET"),
    (5, "NE"),
    (16, "WP"),
    (18, "AM"),
    (29, "NW"),
    (30, "CD"),
    (31, "PG"),
];
/// Names of the bits of CR4 (SDM vol. 3, 2.5).
pub const CR4_NAMES: [(u32, &str); 24] = [
    (0, "VME"),
    (1, "PVI"),
    (2, "TSD"),
    (3, "DE"),
    (4, "PSE"),
    (5, "PAE"),
    (6, "MCE"),
    (7, "PGE"),
    (8, "PCE"),
    (9, "OSFXSR"),
    (10, "OSXMMEXCPT"),
    (11, "UMIP"),
    (12, "LA57"),
    (13, "VMXE"),
    (14, "SMXE"),
    (16, "FSGSBASE"),
    (17, "PCIDE"),
    (18, "OSXSAVE"),
    (19, "KL"),
    (20, "SMEP"),
    (21, "SMAP"),
    (22, "PKE"),
    (23, "CET"),
    (24, "PKS"),
];
/// Names of the bits of IA32_EFER (SDM vol. 3, 2.2.1; AMD64 manual vol. 2, 3.1.7).
pub const EFER_NAMES: [(u32, &str); 7] = [
    (0, "SCE"),
    (8, "LME"),
    (10, "LMA"),
    (11, "NXE"),
    (12, "SVME"),
    (13, "LMSLE"),
    (14, "FFXSR"),
];

impl Registers {
    /// Reads the monitor's text about all CPUs; `None` when a register of one is missing in it.
    pub fn parse_all(text: &str) -> Option<Vec<Self>> {
        let mut parts = text.split("CPU#");
        parts.next();
        parts.map(Self::parse).collect()
    }

    /// Reads the monitor's text; `None` when a register is missing in it.
    pub fn parse(text: &str) -> Option<Self> {
        Some(Self {
            rip: field(text, "RIP=")?,
            rsp: field(text, "RSP=")?,
            cpl: field(text, "CPL=")?,
            smm: field(text, "SMM=")?,
            cr0: field(text, "CR0=")?,
            cr3: field(text, "CR3=")?,
            cr4: field(text, "CR4=")?,
            efer: field(text, "EFER=")?,
            gdt_base: field(text, "GDT=")?,
            idt_base: field(text, "IDT=")?,
            // Behind the selector.
            gs_base: hexadecimal(text.split_once("GS =")?.1.split_whitespace().nth(1)?)?,
        })
    }
}

/// The hexadecimal number after `name`.
fn field(text: &str, name: &str) -> Option<u64> {
    hexadecimal(text[text.find(name)? + name.len()..].trim_start())
}

/// The hexadecimal number that a text begins with.
fn hexadecimal(value: &str) -> Option<u64> {
    let end = value
        .find(|c: char| !c.is_ascii_hexdigit())
        .unwrap_or(value.len());
    u64::from_str_radix(&value[..end], 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_are_read_from_the_monitors_text() {
        let text = "\
CPU#0\r
RAX=0000000000000000 RBX=0000000000000001 RCX=0000000000000000 RDX=0000000000000000\r
RSI=0000000000000000 RDI=0000000000000000 RBP=0000000000000000 RSP=ffffffff8020ff00\r
RIP=ffffffff80201234 RFL=00000246 [---Z-P-] CPL=3 II=0 A20=1 SMM=0 HLT=1\r
ES =0030 0000000000000000 ffffffff 00cf9300 DPL=0 DS   [-WA]\r
GS =0000 ffffffff80302200 00000000 00000000\r
GDT=     ffffffff80300000 00000047\r
IDT=     ffffffff80301000 00000fff\r
CR0=80010033 CR2=0000000000000000 CR3=000000000fc01000 CR4=00300668\r
EFER=0000000000000d01\r
";
        let registers = Registers::parse(text).unwrap();
        assert_eq!(registers.rip, 0xffff_ffff_8020_1234);
        assert_eq!((registers.cpl, registers.smm), (3, 0));
        assert_eq!(registers.cr0, 0x8001_0033);
        assert_eq!(registers.cr3, 0x0fc0_1000);
        assert_eq!(registers.cr4 & CR4_SMEP, CR4_SMEP);
        assert_eq!(registers.efer & EFER_NXE, EFER_NXE);
        assert_eq!(registers.gdt_base, 0xffff_ffff_8030_0000);
        assert_eq!(registers.gs_base, 0xffff_ffff_8030_2200);
        assert_eq!(registers.idt_base, 0xffff_ffff_8030_1000);
        assert_eq!(Registers::parse("RIP=0"), None);
        let both = format!("\r\n{text}\r\n{}", text.replace("CPU#0", "CPU#1"));
        assert_eq!(Registers::parse_all(&both), Some(vec![registers; 2]));
        assert_eq!(Registers::parse_all("CPU#0 RIP=0"), None);
    }
}
