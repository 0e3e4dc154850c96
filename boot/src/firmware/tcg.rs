//! The TPM through EFI_TCG2_PROTOCOL (TCG EFI Protocol Specification 1.00): commands, measurements, event log.

use nonos_boot::acpi::PhysicalMemory;
use nonos_boot::measure::{Measurer, PCR};
use nonos_boot::random::Random;
use nonos_boot::tpm::Transport;
use nonos_boot::tpm::event_log::{self, Format};
use nonos_boot::{Refusal, pages_for};
use uefi::boot::{self, OpenProtocolAttributes, OpenProtocolParams, ScopedProtocol};
use uefi::proto::tcg::v2::{HashLogExtendEventFlags, PcrEventInputs, Tcg};
use uefi::proto::tcg::{EventType, PcrIndex};
use uefi::proto::unsafe_protocol;
use uefi::{Guid, Handle, Status, guid, system};
use uefi_raw::Boolean;
use uefi_raw::protocol::tcg::v2::{Tcg2EventLogBitmap, Tcg2Protocol};

use super::pages::Pages;
use super::physical::FirmwareMemory;

/// EFI_TCG2_FINAL_EVENTS_TABLE_GUID.
const FINAL_EVENTS: Guid = guid!("1e2ed096-30e2-4254-bd89-863bbef82325");
/// Most that is looked at after the start of the last event, to find its end.
const LAST_EVENT_BYTES_MAX: usize = 64 << 10;
/// Longest event log that is handed over.
const LOG_BYTES_MAX: usize = 1 << 20;
/// Longest final events table; the firmware's specification asks for 4 KiB, EDK2 has 32.
const FINAL_BYTES_MAX: usize = 32 << 10;
/// Room after the log for events at the end of boot services.
const LATE_EVENTS_BYTES: u64 = 4096;

/// The same protocol as [`Tcg`], for the one function that needs more than that offers.
#[repr(transparent)]
#[unsafe_protocol(Tcg2Protocol::GUID)]
struct RawTcg(Tcg2Protocol);

/// A TPM 2.0 that the firmware serves.
pub struct Tpm {
    handle: Handle,
    protocol: ScopedProtocol<Tcg>,
}

impl Tpm {
    /// The machine's TPM; `None` when the firmware says that there is none.
    ///
    /// # Errors
    /// When the firmware has the protocol but it fails: a broken TPM is not an absent one.
    pub fn find() -> Result<Option<Self>, Refusal> {
        let failed = |error: uefi::Error| firmware("TPM 2.0", error.status());
        let Ok(handle) = boot::get_handle_for_protocol::<Tcg>() else {
            return Ok(None);
        };
        let mut protocol = boot::open_protocol_exclusive::<Tcg>(handle).map_err(failed)?;
        let capability = protocol.get_capability().map_err(failed)?;
        Ok(capability
            .tpm_present()
            .then_some(Self { handle, protocol }))
    }

    /// Copies the event log to a random place. No measurement by this program may follow.
    ///
    /// # Errors
    /// When the firmware fails, its log has no end, or there is no memory.
    pub fn event_log(&mut self, random: &mut Random) -> Result<EventLog, Refusal> {
        let (start, last) = self.locate_event_log()?;
        let span = usize::try_from(last.saturating_sub(start)).map_err(|_| Refusal::EventLog)?;
        if start == 0 || span > LOG_BYTES_MAX {
            return Err(Refusal::EventLog);
        }
        let memory = &FirmwareMemory;
        let log = memory
            .bytes(start, span + LAST_EVENT_BYTES_MAX)
            .ok_or(Refusal::EventLog)?;
        let bytes = event_log::log_bytes(log, span).ok_or(Refusal::EventLog)?;
        let (format, _) = event_log::format(log).ok_or(Refusal::EventLog)?;

        let mut pages = Pages::at_random(
            "event log",
            pages_for(bytes as u64 + LATE_EVENTS_BYTES),
            random,
        )?;
        pages.bytes()[..bytes].copy_from_slice(&log[..bytes]);
        let late = LateEvents {
            table: final_events_table(),
            format,
            seen: 0,
        };
        let seen = late.read().map_or(0, <[u8]>::len);
        Ok(EventLog {
            pages,
            bytes,
            late: LateEvents { seen, ..late },
        })
    }

    /// Physical addresses of the log and of its last event.
    fn locate_event_log(&mut self) -> Result<(u64, u64), Refusal> {
        let params = OpenProtocolParams {
            handle: self.handle,
            agent: boot::image_handle(),
            controller: None,
        };
        // SAFETY: a second look at the protocol that `self` has opened, which nothing else uses meanwhile.
        let raw =
            unsafe { boot::open_protocol::<RawTcg>(params, OpenProtocolAttributes::GetProtocol) };
        let mut raw = raw.map_err(|error| firmware("event log", error.status()))?;
        let protocol: *mut Tcg2Protocol = &mut raw.0;
        let (mut start, mut last, mut truncated) = (0, 0, Boolean::FALSE);
        // SAFETY: the firmware's function, called as its specification says (6.5) with places to write to.
        let status = unsafe {
            ((*protocol).get_event_log)(
                protocol,
                Tcg2EventLogBitmap::TCG_2,
                &mut start,
                &mut last,
                &mut truncated,
            )
        };
        if status == Status::SUCCESS {
            Ok((start, last))
        } else {
            Err(firmware("event log", status))
        }
    }
}

impl Transport for Tpm {
    fn submit(&mut self, command: &[u8], response: &mut [u8]) -> Result<(), u64> {
        self.protocol
            .submit_command(command, response)
            .map_err(|error| error.status().0 as u64)
    }
}

impl Measurer for Tpm {
    fn measure(&mut self, data: &[u8], description: &[u8]) -> Result<(), u64> {
        let mut buffer = [0; 256];
        let event =
            PcrEventInputs::new_in_buffer(&mut buffer, PcrIndex(PCR), EventType::IPL, description)
                .map_err(|error| error.status().0 as u64)?;
        self.protocol
            .hash_log_extend_event(HashLogExtendEventFlags::empty(), data, event)
            .map_err(|error| error.status().0 as u64)
    }
}

/// A copy of the event log, and what is needed to complete it after the end of boot services.
pub struct EventLog {
    pages: Pages,
    bytes: usize,
    late: LateEvents,
}

impl EventLog {
    /// Where it is.
    pub fn pages(&self) -> &Pages {
        &self.pages
    }

    /// How long it is.
    pub fn bytes(&self) -> u64 {
        self.bytes as u64
    }

    /// Adds the events since it was copied, such as the end of boot services. Allocates nothing.
    pub fn complete(&mut self) {
        let events = self
            .late
            .read()
            .and_then(|events| events.get(self.late.seen..))
            .unwrap_or_default();
        if let Some(room) = self
            .pages
            .bytes()
            .get_mut(self.bytes..self.bytes + events.len())
        {
            room.copy_from_slice(events);
            self.bytes += events.len();
        }
    }
}

/// The table to which events go that come after the log was fetched; the firmware keeps it (7.1).
struct LateEvents {
    /// Its physical address.
    table: Option<u64>,
    format: Format,
    /// Bytes of events that the log has already.
    seen: usize,
}

impl LateEvents {
    fn read(&self) -> Option<&[u8]> {
        let table = FirmwareMemory.bytes(self.table?, FINAL_BYTES_MAX)?;
        event_log::final_events(&self.format, table)
    }
}

fn final_events_table() -> Option<u64> {
    system::with_config_table(|tables| {
        tables
            .iter()
            .find(|table| table.guid == FINAL_EVENTS)
            .map(|table| table.address as u64)
    })
}

fn firmware(check: &'static str, status: Status) -> Refusal {
    Refusal::Firmware {
        check,
        status: status.0 as u64,
    }
}
