//! Everything that the driver does, on the TPM emulator, with `tpm2-tools` as the other opinion.

mod common;

use common::{Rng, Tpm};
use nonos_tpm::device::{Device, Failure, Meaning, STORE_BYTES};
use nonos_tpm::policy;
use nonos_tpm::seal::{BLOB_BYTES_MAX, Conditions, DATA_BYTES_MAX};
use nonos_tpm::{Command, Problem};
use p256::ecdsa::SigningKey;
use p256::ecdsa::signature::hazmat::PrehashSigner;

const SECRET: &[u8] = b"a secret that nobody on the bus may see, of some length";
const AUTH: &[u8] = b"and the word that opens it";
const SELECTION: u32 = 1 << 7 | 1 << 11;

type TestDevice = Device<Tpm, Rng>;

fn seal(device: &mut TestDevice, conditions: &Conditions<'_>) -> Vec<u8> {
    let mut blob = vec![0; BLOB_BYTES_MAX];
    let bytes = device.seal(conditions, SECRET, &mut blob).unwrap();
    blob.truncate(bytes);
    blob
}

fn unseal(
    device: &mut TestDevice,
    blob: &[u8],
    auth: &[u8],
    approval: Option<&[u8; 64]>,
) -> Result<Vec<u8>, Meaning> {
    let mut data = [0; DATA_BYTES_MAX];
    match device.unseal(blob, auth, approval, &mut data) {
        Ok(bytes) => Ok(data[..bytes].to_vec()),
        Err(failure) => {
            println!("{failure:?}");
            assert_eq!(data, [0; DATA_BYTES_MAX]);
            Err(failure.meaning())
        }
    }
}

fn conditions(auth: &[u8]) -> Conditions<'_> {
    Conditions {
        selection: SELECTION,
        auth,
        update_key: None,
    }
}

fn with_meaning<T: std::fmt::Debug>(result: Result<T, Failure>) -> Meaning {
    result.unwrap_err().meaning()
}

#[test]
fn what_was_sealed_is_unsealed_also_after_a_restart_and_no_secret_is_seen_on_the_bus() {
    for auth in [&b""[..], AUTH] {
        let mut device = Tpm::new().device();
        let blob = seal(&mut device, &conditions(auth));
        assert_eq!(unseal(&mut device, &blob, auth, None).unwrap(), SECRET);
        device.transport.restart();
        let mut device = device.transport.device();
        assert_eq!(unseal(&mut device, &blob, auth, None).unwrap(), SECRET);
        let bus = &device.transport;
        assert!(bus.bus.len() > 2000 && bus.bus_shows(&blob[7..]));
        for part in SECRET.windows(8).chain(AUTH.windows(8)) {
            assert!(!bus.bus_shows(part));
        }
    }
}

#[test]
fn other_pcrs_do_not_unseal_and_nothing_stays_in_the_tpm() {
    let mut device = Tpm::new().device();
    let blob = seal(&mut device, &conditions(b""));
    device.extend(11, &[1; 32]).unwrap();
    for _ in 0..10 {
        let opened = unseal(&mut device, &blob, b"", None);
        assert_eq!(opened, Err(Meaning::PolicyMismatch));
    }
    assert!(!device.transport.bus_shows(SECRET));
    assert_eq!(
        device.transport.tool("tpm2_getcap handles-loaded-session"),
        ""
    );
    // PCRs that nobody asked for do not matter.
    let blob = seal(&mut device, &conditions(b""));
    device.extend(12, &[1; 32]).unwrap();
    assert_eq!(unseal(&mut device, &blob, b"", None).unwrap(), SECRET);
}

#[test]
fn an_end_of_power_counts_as_a_wrong_try_only_when_the_tpm_was_not_told() {
    let mut device = Tpm::new().device();
    let blob = seal(&mut device, &conditions(AUTH));
    for (told, failures) in [(true, 0), (false, 1), (true, 1)] {
        assert_eq!(unseal(&mut device, &blob, AUTH, None).unwrap(), SECRET);
        if told {
            device.shutdown().unwrap();
        }
        device.transport.restart();
        device = device.transport.device();
        assert_eq!(device.state().unwrap().failures, failures);
    }
}

#[test]
fn wrong_authorisation_values_are_counted_and_lock_the_tpm() {
    let mut device = Tpm::new().device();
    let blob = seal(&mut device, &conditions(AUTH));
    let before = device.state().unwrap();
    assert_eq!((before.failures, before.locked_out), (0, false));
    for tries in 1..=before.most_failures {
        let opened = unseal(&mut device, &blob, b"wrong", None);
        assert_eq!(opened, Err(Meaning::WrongAuth));
        assert_eq!(device.state().unwrap().failures, tries);
    }
    let opened = unseal(&mut device, &blob, AUTH, None);
    assert_eq!(opened, Err(Meaning::LockedOut));
    assert!(device.state().unwrap().locked_out);
    device.transport.tool("tpm2_dictionarylockout -c");
    assert_eq!(unseal(&mut device, &blob, AUTH, None).unwrap(), SECRET);
    // Without or with where it is the other way round is no try.
    assert_eq!(
        unseal(&mut device, &blob, b"", None),
        Err(Meaning::Malformed)
    );
    assert_eq!(device.state().unwrap().failures, 0);
}

#[test]
fn pcrs_that_the_update_key_approves_unseal_and_others_do_not() {
    let mut device = Tpm::new().device();
    let key = SigningKey::from_slice(&[7; 32]).unwrap();
    let point = key.verifying_key().to_sec1_point(false);
    let point = point.as_bytes()[1..].try_into().unwrap();
    let sealed_for = Conditions {
        update_key: Some(&point),
        ..conditions(AUTH)
    };
    let blob = seal(&mut device, &sealed_for);
    assert_eq!(unseal(&mut device, &blob, AUTH, None).unwrap(), SECRET);

    device.extend(11, &[5; 32]).unwrap();
    let mismatch = Err(Meaning::PolicyMismatch);
    assert_eq!(unseal(&mut device, &blob, AUTH, None), mismatch);
    let sign = |key: &SigningKey, digest: &[u8]| -> [u8; 64] {
        let signature: p256::ecdsa::Signature = key.sign_prehash(digest).unwrap();
        signature.to_bytes().into()
    };
    let digest = policy::approval_digest(&device.pcrs().unwrap());
    let good = sign(&key, &digest);
    assert_eq!(
        unseal(&mut device, &blob, AUTH, Some(&good)).unwrap(),
        SECRET
    );

    let other = sign(&SigningKey::from_slice(&[8; 32]).unwrap(), &digest);
    let mut altered = good;
    altered[40] ^= 1;
    let elsewhere = sign(
        &key,
        &policy::pcrs(policy::APPROVED, &device.pcrs().unwrap()),
    );
    for wrong in [other, altered, elsewhere, [0; 64]] {
        assert_eq!(unseal(&mut device, &blob, AUTH, Some(&wrong)), mismatch);
    }
    assert_eq!(
        unseal(&mut device, &blob, b"wrong", Some(&good)),
        Err(Meaning::WrongAuth)
    );
    // The other PCRs have to have the values at sealing, whatever is approved.
    let extended = format!("tpm2_pcrextend 7:sha256={}", "5".repeat(64));
    let before = device.pcrs().unwrap();
    device.transport.tool(&extended);
    let after = device.pcrs().unwrap();
    assert_ne!(before[7], after[7]);
    assert_eq!(policy::approval_digest(&after), digest);
    assert_eq!(unseal(&mut device, &blob, AUTH, Some(&good)), mismatch);
    // Approved for this value only.
    let mut device = Tpm::new().device();
    device.extend(11, &[5; 32]).unwrap();
    let blob = seal(&mut device, &sealed_for);
    device.extend(11, &[6; 32]).unwrap();
    assert_eq!(unseal(&mut device, &blob, AUTH, Some(&good)), mismatch);
    let booted_is_not_sealed_to = Conditions {
        selection: 1 << 7,
        ..sealed_for
    };
    let sealed = device.seal(&booted_is_not_sealed_to, SECRET, &mut [0; BLOB_BYTES_MAX]);
    assert_eq!(with_meaning(sealed), Meaning::Malformed);
}

#[test]
fn an_altered_blob_and_that_of_another_tpm_are_malformed() {
    let mut device = Tpm::new().device();
    let blob = seal(&mut device, &conditions(b""));
    for at in 0..blob.len() {
        let mut altered = blob.clone();
        altered[at] ^= 0x55;
        let opened = unseal(&mut device, &altered, b"", None);
        assert!(opened.is_err(), "{at}");
        assert_ne!(opened, Err(Meaning::Device), "{at}");
    }
    for length in 0..blob.len() {
        let opened = unseal(&mut device, &blob[..length], b"", None);
        assert_eq!(opened, Err(Meaning::Malformed), "{length}");
    }
    let mut other = Tpm::new().device();
    assert_eq!(
        unseal(&mut other, &blob, b"", None),
        Err(Meaning::Malformed)
    );
}

#[test]
fn a_quote_is_good_to_tpm2_tools_with_its_nonce_and_not_with_another() {
    let mut device = Tpm::new().device();
    device.extend(11, &[3; 32]).unwrap();
    let nonce = [0xAB; 20];
    let quote = device.quote(SELECTION, &nonce).unwrap();
    let tpm = &mut device.transport;
    for (name, bytes) in [
        ("key", &quote.public),
        ("message", &quote.attested),
        ("signature", &quote.signature),
    ] {
        std::fs::write(tpm.file(name), bytes.as_slice()).unwrap();
    }
    let check = "tpm2_checkquote -u key -m message -s signature -g sha256 -q";
    tpm.tool("tpm2_pcrread sha256:7,11 -o values");
    let values = "-f values -l sha256:7,11";
    tpm.tool(&format!("{check} {} {values}", "ab".repeat(20)));
    let other = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        tpm.tool(&format!("{check} {} {values}", "ac".repeat(20)));
    }));
    assert!(other.is_err(), "another nonce is not quoted");
    tpm.tool(
        "tpm2_pcrextend 7:sha256=0101010101010101010101010101010101010101010101010101010101010101",
    );
    tpm.tool("tpm2_pcrread sha256:7,11 -o values");
    let other = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        tpm.tool(&format!("{check} {} {values}", "ab".repeat(20)));
    }));
    assert!(other.is_err(), "other values are not quoted");
}

#[test]
fn a_credential_for_the_attestation_key_is_opened_by_the_tpm_it_was_made_for() {
    let mut device = Tpm::new().device();
    let quote = device.quote(0, b"").unwrap();
    let tpm = &mut device.transport;
    // The name of the key: SHA-256 of its public area.
    let name = nonos_tpm::key::name(&quote.public.as_slice()[2..]);
    let name: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
    tpm.tool("tpm2_createek -G ecc -c ek.context -u ek");
    tpm.tool("tpm2_flushcontext -t");
    std::fs::write(tpm.file("secret"), b"challenge of verifier").unwrap();
    tpm.tool(&format!(
        "tpm2_makecredential -T none -u ek -s secret -n {name} -o credential"
    ));
    let credential = std::fs::read(tpm.file("credential")).unwrap();
    // The tool's file has a header of its own: magic and version.
    assert_eq!(credential[..8], [0xBA, 0xDC, 0xC0, 0xDE, 0, 0, 0, 1]);
    // The tools flushed the driver's key, too.
    let mut device = device.transport.device();
    let (secret, bytes) = device.activate(&credential[8..]).unwrap();
    assert_eq!(&secret.expose()[..bytes], b"challenge of verifier");
    assert!(!device.transport.bus_shows(b"challenge"));
    let mut altered = credential[8..].to_vec();
    altered[20] ^= 1;
    assert_eq!(
        with_meaning(device.activate(&altered).map(|_| ())),
        Meaning::Malformed
    );
}

#[test]
fn the_certificate_of_the_endorsement_key_is_read_when_the_maker_left_one() {
    let mut device = Tpm::new().device();
    let mut part = [0; 512];
    assert_eq!(device.certificate(0, &mut part), Err(Failure::NotStored));
    let certificate: Vec<u8> = (0..700u32).map(|i| i as u8).collect();
    let tpm = &mut device.transport;
    std::fs::write(tpm.file("certificate"), &certificate).unwrap();
    tpm.tool("tpm2_nvdefine 0x01C0000A -C p -s 700 -a ppwrite|ppread|authread|ownerread|platformcreate|no_da");
    tpm.tool("tpm2_nvwrite 0x01C0000A -C p -i certificate");
    assert_eq!(device.certificate(0, &mut part), Ok((512, 700)));
    assert_eq!(part, certificate[..512]);
    assert_eq!(device.certificate(512, &mut part), Ok((188, 700)));
    assert_eq!(part[..188], certificate[512..]);
    assert_eq!(device.certificate(9999, &mut part), Ok((0, 700)));
}

#[test]
fn the_counter_and_the_area_of_the_vault_stay_over_a_restart() {
    let mut device = Tpm::new().device();
    assert_eq!(device.counter(), Err(Failure::NotStored));
    let first = device.increment().unwrap();
    assert_eq!(device.increment(), Ok(first + 1));
    let mut read = [0; 300];
    assert_eq!(device.load(0, &mut read), Err(Failure::NotStored));
    let written: [u8; 300] = core::array::from_fn(|i| (i * 7) as u8);
    device.store(100, &written).unwrap();
    device.transport.restart();
    let mut device = device.transport.device();
    assert_eq!(device.counter(), Ok(first + 1));
    device.load(100, &mut read).unwrap();
    assert_eq!(read, written);
    assert!(!device.transport.bus_shows(&written[..16]), "encrypted");
    for (offset, bytes) in [(0, 513), (STORE_BYTES - 299, 300), (0, 0), (u16::MAX, 300)] {
        let mut part = vec![0; bytes];
        assert_eq!(device.load(offset, &mut part), Err(Failure::Malformed));
        assert_eq!(device.store(offset, &part), Err(Failure::Malformed));
    }
    let said = device.transport.tool("tpm2_nvread 0x01804E50 -s 8");
    assert_eq!(said.as_bytes(), (first + 1).to_be_bytes());
    let said = device.transport.tool("tpm2_nvreadpublic");
    assert!(
        said.contains("0x1804E51") || said.contains("0x1804e51"),
        "{said}"
    );
}

#[test]
fn random_bytes_differ_and_are_not_seen_on_the_bus() {
    let mut device = Tpm::new().device();
    let (one, given) = device.random().unwrap();
    let (other, _) = device.random().unwrap();
    assert_eq!(given, 32);
    assert!(!one.equals(&other));
    assert!(!device.transport.bus_shows(&one.expose()[..16]));
}

#[test]
fn pcrs_are_read_and_those_of_the_firmware_are_not_extended() {
    let mut device = Tpm::new().device();
    assert_eq!(device.pcr(17).unwrap(), [0xFF; 32]);
    device.extend(23, &[9; 32]).unwrap();
    let extended = nonos_crypto::hash::sha256(&[[0; 32], [9; 32]].concat());
    assert_eq!(device.pcr(23).unwrap(), extended);
    for number in [0, 7, 17, 22, 24, u64::MAX] {
        assert_eq!(device.extend(number, &[1; 32]), Err(Failure::Malformed));
    }
    assert_eq!(device.pcr(24), Err(Failure::Malformed));
}

#[test]
fn what_an_earlier_driver_left_in_the_tpm_is_taken_out() {
    let mut device = Tpm::new().device();
    let blob = seal(&mut device, &conditions(b""));
    // Ended without a word, again and again; the TPM holds three objects.
    let mut tpm = device.transport;
    for _ in 0..5 {
        let mut device = tpm.device();
        assert_eq!(unseal(&mut device, &blob, b"", None).unwrap(), SECRET);
        tpm = device.transport;
    }
    let mut device = tpm.device();
    device.random().unwrap();
    let left = device.transport.tool("tpm2_getcap handles-transient");
    assert_eq!(left.lines().count(), 1, "the storage key: {left}");
}

#[test]
fn a_response_that_was_altered_on_the_bus_is_noticed() {
    // Each byte of the responses that carry secrets.
    for (code, length) in [(0x15E, 10 + 4 + 2 + SECRET.len() + 69), (0x153, 300)] {
        for at in (10..length).step_by(13) {
            let mut device = Tpm::new().device();
            let blob = seal(&mut device, &conditions(b""));
            device.transport.tamper = Box::new(move |command, response| {
                if command == code {
                    response[at] ^= 1;
                }
            });
            let mut out = [0; BLOB_BYTES_MAX];
            let failure = if code == 0x15E {
                let mut data = [0; DATA_BYTES_MAX];
                device.unseal(&blob, b"", None, &mut data).unwrap_err()
            } else {
                device.seal(&conditions(b""), SECRET, &mut out).unwrap_err()
            };
            assert_eq!(failure.meaning(), Meaning::Device, "{code:#x} {at}");
        }
    }
}

#[test]
fn a_tpm_that_goes_away_is_an_error_and_works_again_when_it_is_back() {
    let mut device = Tpm::new().device();
    let blob = seal(&mut device, &conditions(AUTH));
    device.transport.stop();
    let opened = unseal(&mut device, &blob, AUTH, None);
    assert_eq!(opened, Err(Meaning::Device));
    let failure = device.increment().unwrap_err();
    let lost = Command::NV_READ_PUBLIC.error(Problem::Transport(1));
    assert_eq!(failure, Failure::Tpm(lost));
    device.transport.restart();
    assert_eq!(unseal(&mut device, &blob, AUTH, None).unwrap(), SECRET);
}
