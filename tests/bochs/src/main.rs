//! Gives the firmware under Bochs the ACPI tables that it lacks, then starts the boot loader.
//!
//! OVMF takes its ACPI tables from QEMU; under Bochs it has an RSDP and an XSDT, and no table of the hardware. This
//! program is for tests only: it lies where the firmware looks for a boot loader, installs tables for the machine that
//! Bochs emulates, and starts the real boot loader, unmodified, from the same volume.
#![cfg_attr(target_os = "uefi", no_main, no_std)]

#[cfg(target_os = "uefi")]
mod tables;

#[cfg(target_os = "uefi")]
mod program {
    extern crate alloc;

    use alloc::vec::Vec;

    use uefi::boot::{self, LoadImageSource};
    use uefi::proto::BootPolicy;
    use uefi::proto::acpi::AcpiTable;
    use uefi::proto::device_path::build::{DevicePathBuilder, media::FilePath};
    use uefi::proto::device_path::{DeviceSubType, DeviceType, LoadedImageDevicePath};
    use uefi::proto::pi::mp::MpServices;
    use uefi::{CStr16, Result, Status, cstr16, entry};

    use crate::tables;

    /// Where the tests put the boot loader.
    const BOOT_LOADER: &CStr16 = cstr16!("\\EFI\\NONOS\\BOOTX64.EFI");

    #[entry]
    fn main() -> Status {
        match install_tables().and_then(|()| start_boot_loader()) {
            Ok(()) => Status::SUCCESS,
            Err(error) => error.status(),
        }
    }

    fn install_tables() -> Result {
        let handle = boot::get_handle_for_protocol::<AcpiTable>()?;
        let protocol = boot::open_protocol_exclusive::<AcpiTable>(handle)?;
        for table in tables::all(cpus()?) {
            // SAFETY: the firmware copies the table.
            unsafe { protocol.install_acpi_table(table.as_ptr().cast(), table.len()) }?;
        }
        Ok(())
    }

    /// How many CPUs the firmware has found.
    fn cpus() -> Result<u8> {
        let handle = boot::get_handle_for_protocol::<MpServices>()?;
        let processors = boot::open_protocol_exclusive::<MpServices>(handle)?;
        let count = processors.get_number_of_processors()?;
        u8::try_from(count.total).map_err(|_| Status::UNSUPPORTED.into())
    }

    /// Starts the boot loader from the volume that this program came from.
    fn start_boot_loader() -> Result {
        let own = boot::open_protocol_exclusive::<LoadedImageDevicePath>(boot::image_handle())?;
        let mut buffer = Vec::new();
        let mut path = DevicePathBuilder::with_vec(&mut buffer);
        let is_file = (DeviceType::MEDIA, DeviceSubType::MEDIA_FILE_PATH);
        for node in own.node_iter().filter(|node| node.full_type() != is_file) {
            path = path.push(&node).map_err(|_| Status::OUT_OF_RESOURCES)?;
        }
        let file = FilePath {
            path_name: BOOT_LOADER,
        };
        let path = path
            .push(&file)
            .and_then(|path| path.finalize())
            .map_err(|_| Status::OUT_OF_RESOURCES)?;
        let source = LoadImageSource::FromDevicePath {
            device_path: path,
            boot_policy: BootPolicy::ExactMatch,
        };
        let image = boot::load_image(boot::image_handle(), source)?;
        boot::start_image(image)
    }
}

/// Gives up: the firmware goes on to the next boot option, and the test finds no boot loader.
#[cfg(target_os = "uefi")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: the image is this program's, which ends here.
    let _ = unsafe {
        uefi::boot::exit(
            uefi::boot::image_handle(),
            uefi::Status::ABORTED,
            0,
            core::ptr::null_mut(),
        )
    };
    loop {
        core::hint::spin_loop();
    }
}

#[cfg(not(target_os = "uefi"))]
fn main() {}
