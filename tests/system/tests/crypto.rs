//! `lib/crypto` in ring 3: all public vectors, on a CPU with instructions for cryptography and on one without.

use system_tests::images;
use system_tests::machine::{Machine, PROMPT};
use xtask::qemu::MachineConfig;

/// Runs the program on a CPU of this model and expects what the host finds, too (`crypto_vectors::tests`).
#[track_caller]
fn expect_all_vectors_hold(cpu_model: &str) {
    let config = MachineConfig {
        cpu_model: cpu_model.to_owned(),
        ..images::with_vectors().machine_without_tpm()
    };
    let mut machine = Machine::start(config);
    machine.expect(PROMPT);
    let output = machine.command("run vectors");
    println!("{output}");
    let expected = "all vectors: 2514 run, 248 not offered, 0 wrong";
    machine.check_contains(&output, expected);
    machine.check_contains(&output, "ended: exit code 0");
}

#[test]
fn all_public_vectors_hold_in_ring_3() {
    expect_all_vectors_hold("max");
}

#[test]
fn they_hold_on_a_processor_without_instructions_for_cryptography() {
    // Programs have AVX where the CPU has it, and there is no CPU with it and without SSE4.
    expect_all_vectors_hold(
        "max,aes=off,pclmulqdq=off,sha-ni=off,ssse3=off,sse4.1=off,sse4.2=off,avx=off,avx2=off",
    );
}
