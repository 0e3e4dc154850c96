//! Reads the system image from the volume that the boot loader came from.
#![forbid(unsafe_code)]

use nonos_boot::refusal::IMAGE_BYTES_MAX;
use nonos_boot::{Refusal, pages_for};
use uefi::boot;
use uefi::proto::media::file::{File, FileAttribute, FileInfo, FileMode, RegularFile};
use uefi::{CStr16, Error, cstr16};

use super::pages::Pages;

/// [`nonos_boot::refusal::IMAGE_PATH`] as the firmware wants it.
const PATH: &CStr16 = cstr16!("\\EFI\\NONOS\\system.img");

/// The file's contents, in memory of their own: what is verified is what is used.
pub fn read_system_image() -> Result<&'static [u8], Refusal> {
    let mut file = open().map_err(|error| Refusal::ImageMissing(error.status().0 as u64))?;
    let bytes = size(&mut file)?;
    if bytes > IMAGE_BYTES_MAX {
        return Err(Refusal::ImageTooLarge(bytes));
    }
    let pages = Pages::anywhere("system image", pages_for(bytes).max(1))?;
    let memory = &mut pages.into_bytes()[..bytes as usize];
    let mut read = 0;
    while read < memory.len() {
        match file.read(&mut memory[read..]) {
            Ok(0) => {
                return Err(Refusal::ImageShortRead {
                    found: read as u64,
                    expected: bytes,
                });
            }
            Ok(more) => read += more,
            Err(error) => return Err(failed(error.status())),
        }
    }
    Ok(memory)
}

fn open() -> uefi::Result<RegularFile> {
    let mut volume = boot::get_image_file_system(boot::image_handle())?;
    let file = volume
        .open_volume()?
        .open(PATH, FileMode::Read, FileAttribute::empty())?;
    file.into_regular_file()
        .ok_or(Error::from(uefi::Status::NOT_FOUND))
}

fn size(file: &mut RegularFile) -> Result<u64, Refusal> {
    #[repr(align(8))]
    struct Aligned([u8; 256]);
    let mut buffer = Aligned([0; 256]);
    let info = file
        .get_info::<FileInfo>(&mut buffer.0)
        .map_err(|error| failed(error.status()))?;
    Ok(info.file_size())
}

fn failed(status: uefi::Status) -> Refusal {
    Refusal::Firmware {
        check: "system image",
        status: status.0 as u64,
    }
}
