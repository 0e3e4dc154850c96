//! From the measured image to the jump: unpacks, places, relocates, builds the page tables, fills in the hand-over.
#![forbid(unsafe_code)]

use nonos_abi::boot::{BootInfo, Framebuffer, MAGIC, MEMORY_RANGES, MemoryRange, memory_kind};
use nonos_abi::info::boot_flags;
use nonos_boot::kernel_image::KernelImage;
use nonos_boot::measure::MeasuredImage;
use nonos_boot::placement::{self, Area};
use nonos_boot::random::{Random, Sources};
use nonos_boot::report::Report;
use nonos_boot::{PAGE, Refusal, acpi, memory_map, pages_for, payload, tpm};
use nonos_boot_stub::program::Start;
use nonos_image::signature;
use uefi::system;
use uefi::table::cfg::ConfigTableEntry;
use zeroize::Zeroizing;

use super::handoff::{self, HandedOver, Jump};
use super::pages::Pages;
use super::physical::FirmwareMemory;
use super::region::Region;
use super::tcg::{EventLog, Tpm};
use super::{cpu, memory, tables, wall_clock};

/// Bytes of the kernel's stack: verifying a module takes most of it.
const STACK_BYTES: u64 = (signature::STACK_BYTES + (96 << 10)) as u64;
/// Ranges that the memory map may still grow by until boot services end.
const RANGES_SPARE: usize = 32;

const NO_MEMORY: MemoryRange = MemoryRange {
    physical: 0,
    pages: 0,
    kind: memory_kind::KERNEL,
};

/// What was found out before, for the hand-over.
pub struct Facts<'s> {
    /// Where this program is.
    pub start: &'s Start,
    /// [`boot_flags`], but for MEASURED.
    pub flags: u64,
    pub framebuffer: Framebuffer,
    pub key_hash: [u8; 32],
    pub seed: Zeroizing<[u8; 32]>,
    pub sources: Sources,
    pub pcrs: [[u8; 32]; tpm::PCRS],
}

/// Memory that is handed over, and where the kernel sees it.
#[derive(Clone, Copy)]
pub struct Place {
    pub range: MemoryRange,
    pub base: u64,
}

/// Everything that is handed over.
pub struct Places {
    pub region: Place,
    pub payload: Place,
    pub kernel: Place,
    pub stack: Place,
    pub info: Place,
    /// Empty when there is no log.
    pub log: Place,
}

/// Makes everything ready for the jump to the kernel of an image. Secrets that the hand-over does not need are wiped
/// on return.
pub fn prepare(
    report: &mut Report<'_>,
    image: &MeasuredImage<'_>,
    facts: Facts<'_>,
    mut random: Random,
    tpm: Option<Tpm>,
) -> Result<Jump, Refusal> {
    let random = &mut random;
    // The largest first, while memory is in one piece.
    let region = Region::find(random)?;

    let unpacked_bytes = image.accepted().unpacked_bytes();
    let payload_pages = Pages::at_random("payload", pages_for(unpacked_bytes as u64), random)?;
    let payload_range = payload_pages.range();
    let payload = payload::unpack(image, &mut payload_pages.into_bytes()[..unpacked_bytes])?;
    let entries = payload.names().count();
    report.good(
        "image payload",
        format_args!("{} KiB, {entries} entries", unpacked_bytes / 1024),
    );

    let kernel = KernelImage::find(&payload)?;
    let mut kernel_pages = Pages::at_random("kernel", pages_for(kernel.memory_bytes()), random)?;
    let stack = Pages::at_random("stack", pages_for(STACK_BYTES), random)?;
    let info_pages =
        Pages::at_random("boot info", pages_for(size_of::<BootInfo>() as u64), random)?;
    let log = event_log(report, image, tpm, random)?;
    let log_range = log.as_ref().map_or(NO_MEMORY, |log| log.pages().range());

    let places = place(
        [
            region.range(),
            payload_range,
            kernel_pages.range(),
            stack.range(),
            info_pages.range(),
            log_range,
        ],
        random,
    )?;
    let loaded = kernel.load(kernel_pages.bytes(), places.kernel.base)?;
    let final_tables = tables::build_final(&kernel, &places)?;
    let transition_root = tables::build_transition(&final_tables, facts.start)?;

    let info = handoff::boot_info(info_pages);
    fill_in_places(info, &places);
    info.region_used_bytes = final_tables.used_bytes;
    info.payload_bytes = unpacked_bytes as u64;
    fill_in_facts(info, image, &facts);
    info.stack_guards.fill_with(|| random.number());
    let plan = cpu::remedies();
    (info.remedies, info.spec_control) = (plan.remedies, plan.spec_control);
    info.acpi = read_acpi()?;
    let handed_over = places.ranges();
    check_memory_map(report, info, &handed_over)?;
    report.good(
        "kernel",
        format_args!(
            "{} KiB at random addresses, W^X",
            kernel.memory_bytes() / 1024
        ),
    );
    report.good("start", format_args!("leaving the firmware"));
    Ok(Jump {
        info,
        handed_over,
        log,
        region,
        tables: final_tables.pages,
        transition_root,
        kernel: loaded,
        info_address: places.info.base,
        stack_top: places.stack.base + places.stack.range.pages * PAGE,
    })
}

/// Gives every range a random place in the kernel's half; an empty one a place that stays empty.
fn place(ranges: [MemoryRange; 6], random: &mut Random) -> Result<Places, Refusal> {
    let areas = ranges.map(|range| Area {
        pages: range.pages.max(1),
        physical: range.physical,
    });
    let bases = placement::place_virtual(&areas, random).map_err(|_| Refusal::AddressSpace)?;
    let place = |index: usize| Place {
        range: ranges[index],
        base: bases[index],
    };
    Ok(Places {
        region: place(0),
        payload: place(1),
        kernel: place(2),
        stack: place(3),
        info: place(4),
        log: place(5),
    })
}

impl Places {
    fn ranges(&self) -> HandedOver {
        [
            self.region,
            self.payload,
            self.kernel,
            self.stack,
            self.info,
            self.log,
        ]
        .map(|place| place.range)
    }
}

fn fill_in_places(info: &mut BootInfo, places: &Places) {
    let bytes = |place: Place| place.range.pages * PAGE;
    info.magic = MAGIC;
    info.kernel_base = places.kernel.base;
    info.kernel_physical = places.kernel.range.physical;
    info.kernel_bytes = bytes(places.kernel);
    info.stack_base = places.stack.base;
    info.stack_bytes = bytes(places.stack);
    info.region_base = places.region.base;
    info.region_physical = places.region.range.physical;
    info.region_bytes = bytes(places.region);
    info.payload_base = places.payload.base;
    info.payload_physical = places.payload.range.physical;
    if places.log.range.pages > 0 {
        info.event_log_base = places.log.base;
    }
}

/// The event log of a machine with a TPM; the TPM is not used any more.
fn event_log(
    report: &mut Report<'_>,
    image: &MeasuredImage<'_>,
    tpm: Option<Tpm>,
    random: &mut Random,
) -> Result<Option<EventLog>, Refusal> {
    let Some(mut tpm) = tpm else { return Ok(None) };
    let log = tpm.event_log(random)?;
    if image.measured() {
        report.good(
            "measured boot",
            format_args!("PCR 11, event log of {} bytes", log.bytes()),
        );
    }
    Ok(Some(log))
}

fn fill_in_facts(info: &mut BootInfo, image: &MeasuredImage<'_>, facts: &Facts<'_>) {
    let accepted = image.accepted();
    info.tsc_at_entry = facts.start.tsc_at_entry;
    info.wall_seconds = wall_clock::seconds();
    info.seed = *facts.seed;
    info.entropy_sources = facts.sources.passed;
    info.entropy_failed = facts.sources.failed;
    info.flags = facts.flags
        | if image.measured() {
            boot_flags::MEASURED
        } else {
            0
        };
    info.image_security_version = accepted.header().security_version;
    info.rollback_counter = accepted.minimum();
    info.rollback_store = accepted.store();
    info.payload_hash = accepted.header().payload_hash;
    info.key_hash = facts.key_hash;
    info.pcrs = facts.pcrs;
    info.framebuffer = facts.framebuffer;
}

fn read_acpi() -> Result<nonos_abi::boot::Acpi, Refusal> {
    let rsdp = system::with_config_table(|tables| {
        let find = |guid| {
            tables
                .iter()
                .find(|table| table.guid == guid)
                .map(|table| table.address as u64)
        };
        find(ConfigTableEntry::ACPI2_GUID).or_else(|| find(ConfigTableEntry::ACPI_GUID))
    });
    let rsdp = rsdp.ok_or(Refusal::Acpi("RSDP"))?;
    acpi::read(&FirmwareMemory, rsdp, cpu::apic_id()).map_err(Refusal::Acpi)
}

/// Tries the conversion of the memory map that is done after the end of boot services, when nothing can be
/// refused in words any more.
fn check_memory_map(
    report: &mut Report<'_>,
    info: &mut BootInfo,
    handed_over: &HandedOver,
) -> Result<(), Refusal> {
    let map = memory::firmware_map()?;
    let sources = memory::ranges(&map)
        .chain(handed_over.iter().copied())
        .chain([memory_map::LOW_MEMORY]);
    let room = MEMORY_RANGES - RANGES_SPARE;
    let count = memory_map::convert(sources, &mut info.memory[..room])
        .map_err(|_| Refusal::MemoryRanges)?;
    let usable = memory_map::pages_of_kind(&info.memory[..count], memory_kind::USABLE);
    report.good(
        "memory",
        format_args!("{} MiB usable", usable * PAGE / (1 << 20)),
    );
    Ok(())
}
