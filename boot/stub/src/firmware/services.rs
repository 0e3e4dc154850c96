//! The few services of the firmware that the stub needs (UEFI 2.10, 7 and 37.3).

use core::ffi::c_void;
use core::ops::Range;
use core::ptr::{self, NonNull};
use core::slice;

use nonos_boot_stub::program::PAGE;
use uefi_raw::Status;
use uefi_raw::protocol::console::SimpleTextOutputProtocol;
use uefi_raw::protocol::memory_protection::MemoryAttributeProtocol;
use uefi_raw::table::boot::{AllocateType, BootServices, MemoryAttribute, MemoryType};
use uefi_raw::table::system::SystemTable;

/// The firmware's services, which there are as long as there is a value of this.
pub struct Services {
    boot: &'static BootServices,
    console: Option<NonNull<SimpleTextOutputProtocol>>,
}

impl Services {
    /// The services in the firmware's table.
    ///
    /// # Safety
    /// `table` is that of the firmware, and boot services do not end while a value of this is used.
    pub unsafe fn new(table: *const SystemTable) -> Self {
        // SAFETY: the caller's; the table names its boot services (UEFI 2.10, 4.3).
        let (boot, console) = unsafe { (&*(*table).boot_services, (*table).stdout) };
        Self {
            boot,
            console: NonNull::new(console),
        }
    }

    /// Says something to whoever looks.
    pub fn say(&self, words: &str) {
        let Some(console) = self.console else { return };
        for byte in words.bytes() {
            let text = [u16::from(byte), 0];
            // SAFETY: the console is the firmware's, and the text ends with a zero. That nobody hears it is no reason to do otherwise.
            let _ = unsafe { (console.as_ref().output_string)(console.as_ptr(), text.as_ptr()) };
        }
    }

    /// Zeroed whole pages for so many bytes, and of them these. They are code to the firmware, and kept.
    pub fn pages(&self, bytes: usize) -> Result<&'static mut [u8], Status> {
        let mut first = 0;
        let (kind, pages) = (MemoryType::LOADER_CODE, bytes.div_ceil(PAGE));
        // SAFETY: the firmware writes an address to `first`.
        let status = unsafe {
            (self.boot.allocate_pages)(AllocateType::ANY_PAGES, kind, pages, &raw mut first)
        };
        done(status)?;
        let first = first as *mut u8;
        if let Some(access) = self.memory_access() {
            let start = first as u64;
            access.forbid_execution(start..start + (pages * PAGE) as u64)?;
        }
        // SAFETY: the firmware just gave these pages to this program alone, mapped where they are (UEFI 2.10, 2.3.4) and writable.
        unsafe { ptr::write_bytes(first, 0, bytes) };
        // SAFETY: as above; they are initialised, and never given back.
        Ok(unsafe { slice::from_raw_parts_mut(first, bytes) })
    }

    /// What changes the access to pages, where the firmware has it.
    pub fn memory_access(&self) -> Option<MemoryAccess> {
        let mut protocol: *mut c_void = ptr::null_mut();
        let guid = MemoryAttributeProtocol::GUID;
        // SAFETY: the firmware reads the GUID and writes an address to `protocol`.
        let status =
            unsafe { (self.boot.locate_protocol)(&raw const guid, ptr::null(), &raw mut protocol) };
        let protocol = NonNull::new(protocol.cast())?;
        status.is_success().then_some(MemoryAccess { protocol })
    }
}

/// EFI_MEMORY_ATTRIBUTE_PROTOCOL.
pub struct MemoryAccess {
    protocol: NonNull<MemoryAttributeProtocol>,
}

impl MemoryAccess {
    /// Of memory that this program owns.
    pub fn forbid_execution(&self, range: Range<u64>) -> Result<(), Status> {
        // SAFETY: the protocol is the firmware's.
        let set = unsafe { self.protocol.as_ref() }.set_memory_attributes;
        self.change(set, range, MemoryAttribute::EXECUTE_PROTECT)
    }

    /// Of memory that this program owns and writes no more.
    pub fn forbid_writing(&self, range: Range<u64>) -> Result<(), Status> {
        // SAFETY: the protocol is the firmware's.
        let set = unsafe { self.protocol.as_ref() }.set_memory_attributes;
        self.change(set, range, MemoryAttribute::READ_ONLY)
    }

    /// Of memory that can no longer be written.
    pub fn allow_execution(&self, range: Range<u64>) -> Result<(), Status> {
        // SAFETY: the protocol is the firmware's.
        let clear = unsafe { self.protocol.as_ref() }.clear_memory_attributes;
        self.change(clear, range, MemoryAttribute::EXECUTE_PROTECT)
    }

    fn change(
        &self,
        change: unsafe extern "efiapi" fn(
            *const MemoryAttributeProtocol,
            u64,
            u64,
            MemoryAttribute,
        ) -> Status,
        range: Range<u64>,
        attributes: MemoryAttribute,
    ) -> Result<(), Status> {
        if range.is_empty() {
            return Ok(());
        }
        let bytes = range.end - range.start;
        // SAFETY: whole pages of this program's, which it does not use otherwise than it is still allowed to.
        done(unsafe { change(self.protocol.as_ptr(), range.start, bytes, attributes) })
    }
}

fn done(status: Status) -> Result<(), Status> {
    match status.is_success() {
        true => Ok(()),
        false => Err(status),
    }
}
