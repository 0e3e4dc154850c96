//! The boot loader under UEFI: asks the firmware, hands what it gets to the library's checks, and jumps.
//!
//! [`boot`] is the whole story from top to bottom. Anything that is not as it should be ends as a
//! [`Refusal`] in [`refuse`], which shows it and powers off; there is no other way out but the kernel.
//!
//! `unsafe` is in [`cpu`], [`serial`], [`stack`], [`pages`], [`display`], [`tcg`], [`physical`], [`handoff`] and [`main`],
//! each block with the reason why it is sound. Boot services run with one CPU and without preemption of this code.

mod cpu;
mod disk;
mod display;
mod entropy;
mod handoff;
mod load;
mod memory;
mod pages;
mod physical;
mod region;
mod serial;
mod stack;
mod tables;
mod tcg;
mod variables;
mod wall_clock;

use core::ffi::c_void;
use core::time::Duration;

use nonos_abi::boot::{self as hand_over, RollbackStore};
use nonos_abi::info::boot_flags;
use nonos_boot::measure::{self, Measurer};
use nonos_boot::report::Report;
use nonos_boot::rollback::{self, AcceptedImage, TpmCounter};
use nonos_boot::screen::Screen;
use nonos_boot::{Refusal, tpm};
use nonos_boot_stub::program::Start;
use nonos_image::Hex;
use nonos_image::image;
use nonos_image::keys::{PUBLIC_KEYS_BYTES, PublicKeys};
use uefi::runtime::ResetType;
use uefi::{Handle, Status, boot as boot_services, runtime, system};

use serial::Serial;
use tcg::Tpm;

/// The keys that the system image must be signed with. Nothing at run time changes them.
static IMAGE_KEYS: &[u8; PUBLIC_KEYS_BYTES] = include_bytes!(env!("NONOS_IMAGE_KEYS"));

/// How long a refusal stays on the screen when nobody presses a key.
const REFUSAL_SECONDS: u64 = 30;

/// Where the stub jumps to.
// SAFETY: the entry's name on this target, which no other function of the program has.
#[unsafe(export_name = "efi_main")]
extern "efiapi" fn main(image: Handle, table: *const c_void, start: &Start) -> Status {
    // SAFETY: the stub passes on what the firmware gave it, and nothing of this program ran before.
    unsafe {
        boot_services::set_image_handle(image);
        uefi::table::set_system_table(table.cast());
    }
    let mut display = display::Display::open();
    let mut serial = Serial;
    let framebuffer = display
        .as_ref()
        .map(display::Display::hand_over)
        .unwrap_or_default();
    let screen = display.as_mut().map(|display| Screen::new(display));
    let mut report = Report::new(&mut serial, screen);
    let refusal = stack::run(|| match boot(&mut report, start, framebuffer) {
        Ok(jump) => handoff::start(jump),
        Err(refusal) => refusal,
    });
    refuse(&mut report, &refusal.unwrap_or_else(|no_stack| no_stack))
}

/// Everything from the first check to the last step before the kernel.
fn boot(
    report: &mut Report<'_>,
    start: &Start,
    framebuffer: hand_over::Framebuffer,
) -> Result<handoff::Jump, Refusal> {
    report.good(
        "loader",
        format_args!("NONOS boot loader {}", env!("CARGO_PKG_VERSION")),
    );
    cpu::check()?;
    report.good("processor", format_args!("NX on, 4-level paging"));
    let mut flags = secure_boot(report);
    let mut tpm = Tpm::find()?;
    flags |= tpm_presence(report, tpm.is_some());

    let file = disk::read_system_image()?;
    report.good("system image", format_args!("{} bytes read", file.len()));
    let keys = PublicKeys::from_bytes(IMAGE_KEYS);
    let image = image::verify(file, &keys).map_err(Refusal::Image)?;
    flags |= boot_flags::ED25519_VALID | boot_flags::ML_DSA_VALID | boot_flags::PAYLOAD_HASH_VALID;
    let payload_hash = image.header().payload_hash;
    report.good("image signature Ed25519", format_args!("valid"));
    report.good("image signature ML-DSA-65", format_args!("valid"));
    report.good(
        "image payload BLAKE3",
        format_args!("valid, {}", Hex(&payload_hash[..8])),
    );

    let accepted = match &mut tpm {
        Some(tpm) => rollback::accept(image, &mut TpmCounter(tpm))?,
        None => rollback::accept(image, &mut variables::RollbackVariable)?,
    };
    report_version(report, &accepted);
    let measurer = tpm.as_mut().map(|tpm| tpm as &mut dyn Measurer);
    let measured = measure::measure(accepted, &keys, measurer)?;

    let (sources, seed, random) = entropy::gather(tpm.as_mut())?;
    entropy::report(report, sources);
    let pcrs = match &mut tpm {
        Some(tpm) => tpm::read_pcrs(tpm)?,
        None => [[0; 32]; tpm::PCRS],
    };

    let facts = load::Facts {
        start,
        flags,
        framebuffer,
        key_hash: keys.hash(),
        seed,
        sources,
        pcrs,
    };
    load::prepare(report, &measured, facts, random, tpm)
}

fn secure_boot(report: &mut Report<'_>) -> u64 {
    if variables::secure_boot_is_on() {
        report.good("Secure Boot", format_args!("on"));
        boot_flags::SECURE_BOOT
    } else {
        report.notice(
            "Secure Boot",
            format_args!("OFF: the firmware did not check this boot loader"),
        );
        0
    }
}

fn tpm_presence(report: &mut Report<'_>, present: bool) -> u64 {
    if present {
        report.good("TPM 2.0", format_args!("present"));
        boot_flags::TPM_PRESENT
    } else {
        report.notice(
            "TPM 2.0",
            format_args!("ABSENT: no measured boot, weaker rollback protection"),
        );
        0
    }
}

fn report_version(report: &mut Report<'_>, image: &AcceptedImage<'_>) {
    let header = image.header();
    let (version, security) = (header.version, header.security_version);
    report.good(
        "image version",
        format_args!("{}, security version {security}", version.as_str()),
    );
    let store = match image.store() {
        RollbackStore::Tpm => "TPM counter",
        RollbackStore::UefiVariable => "UEFI variable",
        RollbackStore::None => "nowhere",
    };
    let minimum = image.minimum();
    match image.raised_from() {
        from if from < minimum => {
            report.good(
                "rollback minimum",
                format_args!("{minimum} in {store}, raised from {from}"),
            );
        }
        _ => report.good("rollback minimum", format_args!("{minimum} in {store}")),
    }
}

/// Shows why nothing runs, waits for a key, and powers off.
fn refuse(report: &mut Report<'_>, refusal: &Refusal) -> ! {
    report.refuse(refusal);
    wait_for_key();
    power_off()
}

/// Waits until a key is pressed, at most [`REFUSAL_SECONDS`]. Keys pressed before do not count.
fn wait_for_key() {
    const POLL: Duration = Duration::from_millis(50);
    system::with_stdin(|keyboard| {
        let _ = keyboard.reset(false);
        for _ in 0..Duration::from_secs(REFUSAL_SECONDS).as_millis() / POLL.as_millis() {
            if matches!(keyboard.read_key(), Ok(Some(_))) {
                break;
            }
            boot_services::stall(POLL);
        }
    });
}

fn power_off() -> ! {
    runtime::reset(ResetType::SHUTDOWN, Status::SECURITY_VIOLATION, None)
}

/// A mistake of this program. The message holds no secrets: panics here are of arithmetic and indices.
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    use core::fmt::Write;
    let _ = write!(
        Serial,
        "nonos boot: REFUSED: boot loader: found a fault ({info}), expected none\r\n"
    );
    if !handoff::boot_services_ended() {
        wait_for_key();
    }
    power_off()
}
