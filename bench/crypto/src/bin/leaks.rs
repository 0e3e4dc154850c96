//! Whether the time that `lib/crypto` takes depends on secrets, by the method of dudect: two kinds of input in random order, each call timed, and Welch's
//! test over the times.
//!
//! It finds leaks and proves nothing: what it does not find in so many measurements may be there. It is a command for a person and no
//! test, since it is the machine's noise that decides how many measurements are needed. That it can find a leak here and now it
//! shows with a comparison that has one; when that is not found it fails.
//!
//! ML-DSA is not here: it tries again a random number of times, by design. Verification of signatures handles nothing secret.

use std::arch::x86_64::{__rdtscp, _mm_lfence};
use std::hint::black_box;
use std::process::ExitCode;

use bench_crypto::{Noise, Times};
use nonos_crypto::aead::{Aes256Gcm, ChaCha20Poly1305, Sealed};
use nonos_crypto::mac::HmacSha256;
use nonos_crypto::{Secret, ed25519, hybrid, ml_kem, secret, x25519};

/// A leak beyond doubt (as dudect has it).
const CERTAIN: f64 = 10.0;
/// Less than this is no sign of one.
const NO_SIGN: f64 = 4.5;

/// Kinds of input in random order.
struct Measurement {
    noise: Noise,
    times: Times,
    left: u64,
}

impl Measurement {
    /// The kind of the next input; none when there were enough.
    fn next_kind(&mut self) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        Some((self.noise.number() >> 63) as usize)
    }

    /// Calls once and keeps the time. What `call` is given must have been written before, in the same way for both kinds.
    fn time<T>(&mut self, kind: usize, call: impl FnOnce() -> T) {
        let before = ticks();
        let result = call();
        let after = ticks();
        black_box(result);
        self.times.of[kind].push(after - before);
    }
}

/// The time-stamp counter, when all before it is done and nothing after it has begun (SDM vol. 2, RDTSCP).
fn ticks() -> u64 {
    // SAFETY: every x86_64 CPU that boots this system or builds it has both; they write nothing but `core`.
    unsafe {
        let mut core = 0;
        let ticks = __rdtscp(&mut core);
        _mm_lfence();
        ticks
    }
}

type Run = fn(&mut Measurement);

/// Name, share of the measurements (slow calls get fewer), and what is measured.
const CASES: [(&str, u64, Run); 12] = [
    ("comparison: first byte differs, or last", 1, comparison),
    (
        "AES-256-GCM open: first byte of the tag wrong, or last",
        1,
        aes_tags,
    ),
    (
        "ChaCha20-Poly1305 open: first byte of the tag wrong, or last",
        1,
        chacha_tags,
    ),
    (
        "HMAC-SHA-256 verify: first byte of the tag wrong, or last",
        1,
        hmac_tags,
    ),
    (
        "AES-256-GCM seal: key and message fixed, or random",
        1,
        aes_seals,
    ),
    (
        "ChaCha20-Poly1305 seal: key and message fixed, or random",
        1,
        chacha_seals,
    ),
    ("Ed25519 sign: key fixed, or random", 10, ed25519_keys),
    ("X25519 agree: key fixed, or random", 10, x25519_keys),
    (
        "ML-KEM-768 decapsulate: ciphertext right, or wrong",
        10,
        ml_kem_ciphertexts,
    ),
    (
        "ML-KEM-768 decapsulate: secret vector fixed, or random",
        20,
        ml_kem_vectors,
    ),
    (
        "ML-KEM-768 decapsulate: rejection secret fixed, or random",
        20,
        ml_kem_rejections,
    ),
    (
        "X-Wing decapsulate: ciphertext right, or wrong",
        10,
        hybrid_ciphertexts,
    ),
];

fn main() -> ExitCode {
    let count = std::env::args().nth(1).map(|count| count.parse());
    let Ok(count) = count.unwrap_or(Ok(200_000_u64)) else {
        eprintln!("usage: crypto-leaks [MEASUREMENTS]");
        return ExitCode::FAILURE;
    };
    let leak = measure(count, leaky_comparison);
    println!("{leak:10.1}  a comparison that stops at the first difference (must be found)");
    let mut worst: f64 = 0.0;
    for (name, share, run) in CASES {
        let found = measure(count / share, run);
        worst = worst.max(found);
        let verdict = match found {
            _ if found >= CERTAIN => "LEAK",
            _ if found >= NO_SIGN => "unclear: measure again, with more",
            _ => "no sign of a leak",
        };
        println!("{found:10.1}  {name}: {verdict}");
    }
    if leak < CERTAIN {
        println!(
            "the comparison that leaks was not found: these figures say nothing; measure more"
        );
        return ExitCode::FAILURE;
    }
    match worst >= CERTAIN {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    }
}

fn measure(count: u64, run: Run) -> f64 {
    let mut warm = Measurement {
        noise: Noise::new(1),
        times: Times::default(),
        left: count / 20,
    };
    run(&mut warm);
    let mut measurement = Measurement {
        noise: warm.noise,
        times: Times::default(),
        left: count,
    };
    run(&mut measurement);
    measurement.times.difference()
}

fn filled<const BYTES: usize>(byte: u8) -> Secret<BYTES> {
    Secret::written_by(|bytes| bytes.fill(byte))
}

/// Zeros, with a 1 at the start or at the end: how much a comparison that stops early would compare.
fn marked<const BYTES: usize>(kind: usize) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    bytes[[0, BYTES - 1][kind]] = 1;
    bytes
}

/// The comparison of slices, by a function as it is found in code that knows no better.
fn leaky_comparison(measurement: &mut Measurement) {
    let (ours, theirs) = ([0; 256], [marked::<256>(0), marked::<256>(1)]);
    let mut given = [0; 256];
    while let Some(kind) = measurement.next_kind() {
        given.copy_from_slice(&theirs[kind]);
        let (ours, given) = (black_box(&ours), black_box(&given));
        measurement.time(kind, || ours.iter().zip(given).all(|(a, b)| a == b));
    }
}

fn comparison(measurement: &mut Measurement) {
    let (ours, theirs) = ([0; 256], [marked::<256>(0), marked::<256>(1)]);
    let mut given = [0; 256];
    while let Some(kind) = measurement.next_kind() {
        given.copy_from_slice(&theirs[kind]);
        let (ours, given) = (black_box(&ours), black_box(&given));
        measurement.time(kind, || secret::equal(ours, given));
    }
}

fn wrong_tag(mut sealed: Sealed, kind: usize) -> Sealed {
    let mark: [u8; 16] = marked(kind);
    sealed
        .tag
        .iter_mut()
        .zip(mark)
        .for_each(|(byte, mark)| *byte ^= mark);
    sealed
}

macro_rules! tags {
    ($name:ident, $cipher:ty) => {
        fn $name(measurement: &mut Measurement) {
            let mut message = [7; 256];
            let mut cipher = <$cipher>::for_protocol(filled(1), [2; 12]);
            let sealed = cipher.seal(b"beside", &mut message).expect("it is short");
            let wrong = [wrong_tag(sealed, 0), wrong_tag(sealed, 1)];
            let mut given = sealed;
            while let Some(kind) = measurement.next_kind() {
                given.tag.copy_from_slice(&wrong[kind].tag);
                let given = black_box(&given);
                measurement.time(kind, || cipher.open(given, b"beside", &mut message));
            }
        }
    };
}

tags!(aes_tags, Aes256Gcm);
tags!(chacha_tags, ChaCha20Poly1305);

fn hmac_tags(measurement: &mut Measurement) {
    let key: Secret<32> = filled(1);
    let mac = || {
        let mut mac = HmacSha256::new(key.expose());
        mac.update(b"a message");
        mac
    };
    let tag = mac().finish();
    let wrong = [0, 1].map(|kind| {
        let mark: [u8; 32] = marked(kind);
        std::array::from_fn::<u8, 32, _>(|at| tag[at] ^ mark[at])
    });
    let mut given = tag;
    while let Some(kind) = measurement.next_kind() {
        given.copy_from_slice(&wrong[kind]);
        let given = black_box(&given);
        let mac = mac();
        measurement.time(kind, || mac.verify(given));
    }
}

/// Fixed bytes or new ones, made the same way for both kinds.
fn fixed_or_random<const BYTES: usize>(measurement: &mut Measurement, kind: usize) -> [u8; BYTES] {
    let mut kinds = [[0x5A; BYTES]; 2];
    measurement.noise.fill(&mut kinds[1]);
    kinds[black_box(kind)]
}

macro_rules! seals {
    ($name:ident, $cipher:ty) => {
        fn $name(measurement: &mut Measurement) {
            while let Some(kind) = measurement.next_kind() {
                let mut key = fixed_or_random(measurement, kind);
                let mut message = fixed_or_random::<256>(measurement, kind);
                let mut cipher = <$cipher>::for_protocol(Secret::taken_from(&mut key), [2; 12]);
                measurement.time(kind, || cipher.seal(b"beside", &mut message));
            }
        }
    };
}

seals!(aes_seals, Aes256Gcm);
seals!(chacha_seals, ChaCha20Poly1305);

fn ed25519_keys(measurement: &mut Measurement) {
    while let Some(kind) = measurement.next_kind() {
        let mut seed = fixed_or_random(measurement, kind);
        let key = ed25519::SigningKey::from_seed(&Secret::taken_from(&mut seed));
        measurement.time(kind, || key.sign(b"a message"));
    }
}

fn x25519_keys(measurement: &mut Measurement) {
    let other = x25519::SecretKey::from_bytes(&filled(9)).public();
    while let Some(kind) = measurement.next_kind() {
        let mut bytes = fixed_or_random(measurement, kind);
        let key = x25519::SecretKey::from_bytes(&Secret::taken_from(&mut bytes));
        measurement.time(kind, || key.agree(&other).is_ok());
    }
}

fn ml_kem_ciphertexts(measurement: &mut Measurement) {
    let key = ml_kem::SecretKey::from_seed(&filled(3));
    let made = ml_kem::encapsulate(&key.public(), &mut measurement.noise);
    let (right, _) = made.expect("the key is one");
    ciphertexts(measurement, right, |given| key.decapsulate(given));
}

/// A right ciphertext and a wrong one.
fn ciphertexts<const N: usize, T>(
    measurement: &mut Measurement,
    right: [u8; N],
    decapsulate: impl Fn(&[u8; N]) -> T,
) {
    let mut wrong = right;
    wrong[100] ^= 1;
    let mut given = right;
    while let Some(kind) = measurement.next_kind() {
        given.copy_from_slice([&right, &wrong][kind]);
        let given = black_box(&given);
        measurement.time(kind, || decapsulate(given));
    }
}

/// Not a whole key: its public part, which decapsulation encrypts with again, is expanded from a public seed in a time that depends on it
/// (FIPS 203, algorithm 7). So the kinds differ in the secret vector only, which is possible below `lib/crypto`: an expanded key is the vector
/// (1152 bytes of numbers of 12 bits below 3329), then the public key, its hash, and what wrong ciphertexts lead to.
#[allow(deprecated, reason = "the form in which the parts can be changed")]
fn ml_kem_vectors(measurement: &mut Measurement) {
    use ::ml_kem::ExpandedKeyEncoding;
    use ::ml_kem::kem::Decapsulate;
    use ::ml_kem::ml_kem_768::DecapsulationKey;

    let key = DecapsulationKey::from_seed([3; ml_kem::SEED_BYTES].into());
    let fixed: [u8; 2400] = key.to_expanded_bytes().into();
    let mut ciphertext = [0; ml_kem::CIPHERTEXT_BYTES];
    measurement.noise.fill(&mut ciphertext);
    while let Some(kind) = measurement.next_kind() {
        let mut kinds = [fixed; 2];
        for pair in kinds[1][..1152].as_chunks_mut::<3>().0 {
            let mut number = || (measurement.noise.number() % 3329) as u32;
            let [low, middle, high, _] = (number() | number() << 12).to_le_bytes();
            *pair = [low, middle, high];
        }
        let given = kinds[black_box(kind)];
        let key = DecapsulationKey::from_expanded_bytes((&given).into());
        let key = key.expect("only the vector is another");
        measurement.time(kind, || key.decapsulate((&ciphertext).into()));
    }
}

/// The rest of a key that is secret: what wrong ciphertexts lead to.
fn ml_kem_rejections(measurement: &mut Measurement) {
    let mut ciphertext = [0; ml_kem::CIPHERTEXT_BYTES];
    measurement.noise.fill(&mut ciphertext);
    while let Some(kind) = measurement.next_kind() {
        let mut seed = [3; ml_kem::SEED_BYTES];
        seed[32..].copy_from_slice(&fixed_or_random::<32>(measurement, kind));
        let key = ml_kem::SecretKey::from_seed(&Secret::taken_from(&mut seed));
        measurement.time(kind, || key.decapsulate(&ciphertext));
    }
}

fn hybrid_ciphertexts(measurement: &mut Measurement) {
    let key = hybrid::SecretKey::from_seed(&filled(3));
    let made = hybrid::encapsulate(&key.public(), &mut measurement.noise);
    let (right, _) = made.expect("the key is one");
    ciphertexts(measurement, right, |given| key.decapsulate(given));
}
