//! The screen, over records that are made up.

use std::vec::Vec;

use nonos_abi::boot::RollbackStore;
use nonos_abi::info::{
    AuditRecord, BootStatus, CpuSecurity, CpuStatus, DmaStatus, Pcr, RandomStatus, boot_flags,
    cpu_features,
};
use nonos_abi::words::Words;
use nonos_abi::{Error, Name, ObjectKind, Syscall};
use nonos_proto::display::theme::{DARK, LIGHT};
use nonos_ui::App;
use nonos_ui::host::Stage;
use nonos_ui::input::{Input, usage};

use crate::Security;
use crate::claim::{Standing, chain, flaws, protections, worst};
use crate::facts::{Facts, MEASURED, Source};

fn zeroed<T: Words>() -> T {
    T::read_words(&[0; 64]).unwrap()
}

/// A machine with everything.
fn good() -> Facts {
    let hash =
        |seed: u64| [1, 2, 3, 4].map(|word| (word * seed).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    Facts {
        boot: Some(BootStatus {
            flags: (1 << 6) - 1,
            image_security_version: 3,
            rollback_counter: 3,
            rollback_store: RollbackStore::Tpm as u64,
            payload_hash: hash(5),
            ..zeroed()
        }),
        cpu: Some(CpuStatus {
            cr0: u64::MAX,
            cr4: u64::MAX,
            efer: u64::MAX,
            supervisor_cet: u64::MAX,
            features: u64::MAX,
            w_xor_x: 1,
            ..zeroed()
        }),
        flaws: Some(CpuSecurity::default()),
        dma: Some(DmaStatus {
            units: 1,
            translating: 1,
            remapping: 1,
            ..zeroed()
        }),
        random: Some(RandomStatus {
            sources: 3,
            reseeds: 12,
            ..zeroed()
        }),
        modules: std::vec![1, 1, 0, 1],
        pcrs: MEASURED
            .map(|number| {
                (
                    number,
                    Pcr {
                        digest: hash(number + 7),
                    },
                )
            })
            .into(),
    }
}

struct Pretended(Facts, Option<Vec<AuditRecord>>);

impl Source for Pretended {
    fn facts(&self) -> Facts {
        self.0.clone()
    }

    fn denials(&mut self) -> Option<Vec<AuditRecord>> {
        self.1.as_mut().map(core::mem::take)
    }
}

fn denials() -> Vec<AuditRecord> {
    let record = |index: u64| AuditRecord {
        sequence: index,
        time_ns: index * 61_000_000_000,
        process: 12 + index,
        name: Name::new(["terminal", "adversary", "editor"][index as usize % 3]).unwrap(),
        reason: [Error::NoHandle, Error::MissingRight, Error::Revoked][index as usize % 3] as u64,
        syscall: [Syscall::Call, Syscall::MemoryMap][index as usize % 2] as u64,
        kind: if index.is_multiple_of(3) {
            0
        } else {
            ObjectKind::Memory as u64
        },
        object: index * 5,
        ..zeroed()
    };
    (0..9).map(record).collect()
}

fn chain_of(facts: &Facts) -> Standing {
    worst(chain(facts).iter().flat_map(|link| &link.claims))
}

#[test]
fn a_machine_with_everything_stands_well_and_one_without_records_does_not() {
    assert_eq!(chain_of(&good()), Standing::Good);
    assert_eq!(worst(&protections(&good())), Standing::Good);
    let nothing = Facts::default();
    assert_eq!(chain_of(&nothing), Standing::Bad);
    assert!(
        protections(&nothing)
            .iter()
            .all(|claim| claim.standing == Standing::Bad)
    );
    assert_eq!(worst(&flaws(&nothing)), Standing::Bad);
}

#[test]
fn each_flag_of_the_boot_that_is_missing_is_seen() {
    for flag in [
        boot_flags::SECURE_BOOT,
        boot_flags::ED25519_VALID,
        boot_flags::ML_DSA_VALID,
        boot_flags::PAYLOAD_HASH_VALID,
        boot_flags::TPM_PRESENT,
        boot_flags::MEASURED,
    ] {
        let mut facts = good();
        facts.boot.as_mut().unwrap().flags &= !flag;
        assert_eq!(chain_of(&facts), Standing::Bad, "{flag:#x}");
    }
    let mut facts = good();
    facts.boot.as_mut().unwrap().rollback_store = RollbackStore::UefiVariable as u64;
    assert_eq!(chain_of(&facts), Standing::Weak);
    facts.boot.as_mut().unwrap().rollback_counter = 4;
    assert_eq!(chain_of(&facts), Standing::Bad);
    for modules in [Vec::new(), std::vec![0], std::vec![1, 0x105]] {
        let facts = Facts { modules, ..good() };
        assert_eq!(chain_of(&facts), Standing::Bad);
    }
}

#[test]
fn what_the_machine_lacks_differs_from_what_is_off() {
    let mut facts = good();
    let standing = |facts: &Facts, name: &str| {
        let claims = protections(facts);
        claims
            .iter()
            .find(|claim| claim.name == name)
            .unwrap()
            .standing
    };
    facts.cpu.as_mut().unwrap().cr4 = 0;
    for name in ["SMEP", "SMAP", "UMIP", "Shadow stacks", "Branch tracking"] {
        assert_eq!(standing(&facts, name), Standing::Bad, "{name}");
    }
    facts.cpu.as_mut().unwrap().features &= !(cpu_features::CET_SS | cpu_features::SMEP);
    assert_eq!(standing(&facts, "Shadow stacks"), Standing::Weak);
    assert_eq!(standing(&facts, "SMEP"), Standing::Weak);
    facts.dma.as_mut().unwrap().translating = 0;
    assert_eq!(standing(&facts, "Devices"), Standing::Bad);
    facts.cpu.as_mut().unwrap().w_xor_x = 0;
    assert_eq!(standing(&facts, "W^X"), Standing::Bad);
}

#[test]
fn denials_gather_and_the_screen_says_when_it_may_not_read_them() {
    let mut screen = Security::new(Pretended(good(), Some(denials())));
    assert_eq!(screen.denials.as_ref().unwrap().len(), 9);
    screen.source.1 = Some(denials().repeat(100));
    screen.tick();
    assert_eq!(screen.denials.as_ref().unwrap().len(), crate::KEPT);
    screen.source.1 = None;
    screen.tick();
    assert!(screen.denials.is_none());
}

#[test]
fn pictures() {
    let mut weak = good();
    let cpu = weak.cpu.as_mut().unwrap();
    cpu.features &= !(cpu_features::CET_SS | cpu_features::CET_IBT);
    cpu.cr4 &= !(1 << 23);
    weak.dma.as_mut().unwrap().units = 0;
    for (name, theme, facts) in [("light", LIGHT, good()), ("dark", DARK, weak)] {
        let mut stage = Stage::new(Security::new(Pretended(facts, Some(denials()))), theme, 2);
        for page in ["chain", "protections", "processor", "denied"] {
            stage.input(Input::Leave);
            stage.shoot(&std::format!("security-{name}-{page}"));
            if page == "chain" {
                stage.press(usage::TAB, 0);
            }
            stage.press(usage::DOWN, 0);
        }
        assert_eq!(stage.app.page.selected, Some(3));
    }
}

#[test]
fn keys_reach_every_control_and_all_can_be_read() {
    for page in 0..4 {
        let count = nonos_ui::access::check(|| {
            let app = Security::new(Pretended(good(), Some(denials())));
            let mut stage = Stage::new(app, LIGHT, 1);
            stage.press(usage::TAB, 0);
            (0..page).for_each(|_| stage.press(usage::DOWN, 0));
            stage
        });
        assert!(count > 0, "{count}");
    }
}
