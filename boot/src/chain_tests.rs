//! The whole chain on the host: from a signed file to a relocated kernel, and every way out of it.

use nonos_abi::Name;
use nonos_abi::boot::RollbackStore;
use nonos_image::archive;
use nonos_image::image;
use nonos_image::keys::SecretKeys;

use crate::kernel_image::KernelImage;
use crate::measure::{MeasuredImage, Measurer, measure};
use crate::page_tables::Access;
use crate::rollback::{TpmCounter, accept};
use crate::tpm::fake::FakeTpm;
use crate::{Refusal, payload};

const BASE: u64 = 0xFFFF_FFFF_9234_5000;

/// A static-PIE executable: headers and dynamic section read-only, code, and data with one relocation.
fn kernel() -> Vec<u8> {
    const PF_X: u32 = 1;
    const PF_W: u32 = 2;
    const PF_R: u32 = 4;
    let mut file = vec![0; 0x3000];
    let header = |kind: u32, flags: u32, at: u64, bytes: u64, align: u64| {
        let mut header = kind.to_le_bytes().to_vec();
        header.extend(flags.to_le_bytes());
        [at, at, at, bytes, bytes, align]
            .iter()
            .for_each(|field| header.extend(field.to_le_bytes()));
        header
    };
    let headers = [
        header(1, PF_R, 0, 0x1000, 0x1000),
        header(1, PF_R | PF_X, 0x1000, 0x10, 0x1000),
        header(1, PF_R | PF_W, 0x2000, 0x20, 0x1000),
        header(2, PF_R, 0x400, 0x40, 8),
        header(0x6474_E552, PF_R, 0x2000, 0x1000, 1),
    ];
    let mut elf = vec![0x7F, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    elf.extend([3, 0, 62, 0, 1, 0, 0, 0]);
    [0x1004u64, 64, 0]
        .iter()
        .for_each(|field| elf.extend(field.to_le_bytes()));
    elf.extend([
        0,
        0,
        0,
        0,
        64,
        0,
        56,
        0,
        headers.len() as u8,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
    ]);
    headers.iter().for_each(|header| elf.extend(header));
    file[..elf.len()].copy_from_slice(&elf);
    // DT_RELR, DT_RELRSZ, DT_RELRENT, DT_NULL, and the table: word 0x2010 = base + 0x1008.
    let dynamic = [36u64, 0x480, 35, 8, 37, 8, 0, 0];
    for (index, word) in dynamic.iter().chain(&[0; 8]).chain(&[0x2010]).enumerate() {
        file[0x400 + index * 8..][..8].copy_from_slice(&word.to_le_bytes());
    }
    file[0x1004..0x1006].copy_from_slice(&[0x0F, 0x0B]);
    file[0x2000..0x2004].copy_from_slice(b"data");
    file[0x2010..0x2018].copy_from_slice(&0x1008u64.to_le_bytes());
    file
}

fn keys() -> SecretKeys {
    SecretKeys::from_seeds([1; 32], [2; 32])
}

fn file(security_version: u64, entries: &[(&str, &[u8])]) -> Vec<u8> {
    let entries: Vec<_> = entries
        .iter()
        .map(|(name, contents)| (Name::new(name).unwrap(), *contents))
        .collect();
    let archive = archive::build(&entries).unwrap();
    image::build(
        Name::new("1.2.3").unwrap(),
        security_version,
        &archive,
        &keys(),
    )
}

/// What the firmware would have extended and logged.
#[derive(Default)]
struct Log(Vec<(Vec<u8>, String)>);

impl Measurer for Log {
    fn measure(&mut self, data: &[u8], description: &[u8]) -> Result<(), u64> {
        self.0.push((
            data.to_vec(),
            String::from_utf8(description.to_vec()).unwrap(),
        ));
        Ok(())
    }
}

/// A measurer whose TPM does not answer.
struct Broken;

impl Measurer for Broken {
    fn measure(&mut self, _: &[u8], _: &[u8]) -> Result<(), u64> {
        Err(7)
    }
}

fn measured<'f>(
    file: &'f [u8],
    tpm: &mut FakeTpm,
    log: &mut Log,
) -> Result<MeasuredImage<'f>, Refusal> {
    let keys = keys().public();
    let verified = image::verify(file, &keys).map_err(Refusal::Image)?;
    let accepted = accept(verified, &mut TpmCounter(tpm))?;
    measure(accepted, &keys, Some(log))
}

#[test]
fn a_signed_file_becomes_a_relocated_kernel() {
    let file = file(4, &[("kernel", &kernel())]);
    let (mut tpm, mut log) = (FakeTpm::new(), Log::default());
    let image = measured(&file, &mut tpm, &mut log).unwrap();
    assert!(image.measured());
    assert_eq!(
        (image.accepted().raised_from(), image.accepted().minimum()),
        (0, 4)
    );
    assert_eq!(image.accepted().store(), RollbackStore::Tpm);

    let mut out = vec![0; image.accepted().unpacked_bytes()];
    let payload = payload::unpack(&image, &mut out).unwrap();
    let kernel = KernelImage::find(&payload).unwrap();
    let mut memory = vec![0; kernel.memory_bytes() as usize];
    let loaded = kernel.load(&mut memory, BASE).unwrap();
    assert_eq!(loaded.entry(), BASE + 0x1004);
    assert_eq!(memory[0x1004..0x1006], [0x0F, 0x0B]);
    assert_eq!(memory[0x2000..0x2004], *b"data");
    assert_eq!(memory[0x2010..0x2018], (BASE + 0x1008).to_le_bytes());
    let accesses: Vec<_> = kernel
        .parts()
        .map(|part| (part.offset, part.pages, part.access))
        .collect();
    let expected = [
        (0, 1, Access::Read),
        (0x1000, 1, Access::ReadExecute),
        (0x2000, 1, Access::Read),
    ];
    assert_eq!(accesses, expected);
}

#[test]
fn what_is_measured_says_which_image_and_whose() {
    let file = file(4, &[("kernel", &kernel())]);
    let (mut tpm, mut log) = (FakeTpm::new(), Log::default());
    let image = measured(&file, &mut tpm, &mut log).unwrap();
    let header = image.accepted().header();
    let keys = keys().public();
    assert_eq!(log.0[0].0, header.payload_hash);
    assert!(log.0[0].1.starts_with("nonos: payload BLAKE3 "));
    assert_eq!(log.0[1].1, "nonos: version 1.2.3, security version 4");
    assert_eq!(log.0[1].0, log.0[1].1.as_bytes());
    assert_eq!(log.0[2].0, keys.to_bytes());
    assert!(log.0[2].1.starts_with("nonos: public keys BLAKE3 "));
    assert_eq!(log.0.len(), 3);
}

#[test]
fn an_older_image_is_neither_measured_nor_unpacked() {
    let (mut tpm, mut log) = (FakeTpm::new(), Log::default());
    let entries: &[(&str, &[u8])] = &[("kernel", &kernel())];
    measured(&file(2, entries), &mut tpm, &mut log).unwrap();
    log.0.clear();
    let refusal = measured(&file(1, entries), &mut tpm, &mut log)
        .err()
        .unwrap();
    assert!(matches!(refusal, Refusal::Rollback(_)));
    assert!(log.0.is_empty());
}

#[test]
fn a_tpm_that_fails_to_measure_is_a_refusal_and_no_tpm_is_not() {
    let file = file(1, &[("kernel", &kernel())]);
    let keys = keys().public();
    let accepted = || {
        let verified = image::verify(&file, &keys).ok().unwrap();
        accept(verified, &mut TpmCounter(&mut FakeTpm::new()))
            .ok()
            .unwrap()
    };
    let refusal = measure(accepted(), &keys, Some(&mut Broken)).err().unwrap();
    assert!(matches!(
        refusal,
        Refusal::Firmware {
            check: "measured boot",
            status: 7
        }
    ));
    assert!(!measure(accepted(), &keys, None).ok().unwrap().measured());
}

#[test]
fn a_payload_without_a_good_kernel_is_refused() {
    let refusal = |entries: &[(&str, &[u8])]| {
        let file = file(1, entries);
        let image = measured(&file, &mut FakeTpm::new(), &mut Log::default()).unwrap();
        let mut out = vec![0; image.accepted().unpacked_bytes()];
        let payload = payload::unpack(&image, &mut out).unwrap();
        KernelImage::find(&payload).err().unwrap()
    };
    assert!(matches!(refusal(&[("shell", b"x")]), Refusal::NoKernel));
    assert!(matches!(refusal(&[("kernel", b"x")]), Refusal::Kernel(_)));
    let mut writable_code = kernel();
    writable_code[64 + 56 + 4] |= 2;
    assert!(matches!(
        refusal(&[("kernel", &writable_code)]),
        Refusal::Kernel(_)
    ));
}

#[test]
fn memory_that_is_too_short_is_an_error() {
    let file = file(1, &[("kernel", &kernel())]);
    let image = measured(&file, &mut FakeTpm::new(), &mut Log::default()).unwrap();
    let mut out = vec![0; image.accepted().unpacked_bytes()];
    let payload = payload::unpack(&image, &mut out).unwrap();
    let kernel = KernelImage::find(&payload).unwrap();
    for bytes in [0, 0x1000, 0x2000, 0x2017] {
        assert!(
            kernel.load(&mut vec![0; bytes], BASE).is_err(),
            "{bytes:#x}"
        );
    }
}
