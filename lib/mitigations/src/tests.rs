//! The functions on snapshots of CPUs: signatures, leaves and capabilities as these CPUs give them with current or with old
//! microcode, and the states that the vendors' guidance (and Linux's sysfs) gives for them.

use std::vec::Vec;

use nonos_abi::boot::remedy;
use nonos_abi::info::{CpuSecurity, cpu_measures as does};
use nonos_abi::words::Words;

use crate::State::{InPart, Mitigated, NotAffected, Vulnerable};
use crate::{Issue, Plan, State, assess, is_affected, plan};

extern crate std;

const INTEL: [u64; 2] = [
    u64::from_le_bytes(*b"GenuineI"),
    u64::from_le_bytes(*b"ntel\0\0\0\0"),
];
const AMD: [u64; 2] = [
    u64::from_le_bytes(*b"Authenti"),
    u64::from_le_bytes(*b"cAMD\0\0\0\0"),
];

/// Measures that hold on every CPU.
const BUILT_IN: u64 = does::INDICES_MASKED | does::ABSENT_ENTRIES_ZERO;

const AVX: u64 = 1 << 60;
const RTM: u64 = 1 << 11;
/// CPUID leaf 7, EDX.
const fn leaf_7_edx(edx: u64) -> u64 {
    edx << 32
}

fn cpu(vendor: [u64; 2], signature: u64) -> CpuSecurity {
    CpuSecurity {
        vendor: vendor[0],
        vendor_end: vendor[1],
        leaf_1: signature | AVX,
        cr4: 0x0030_0EF0,
        efer: 0xD01,
        measures: BUILT_IN,
        ..CpuSecurity::default()
    }
}

/// i7-4770, microcode 0x28: TSX was taken out by microcode.
fn haswell() -> CpuSecurity {
    CpuSecurity {
        leaf_7: 0x27AB | leaf_7_edx(0x9C00_0400),
        microcode: 0x28,
        ..cpu(INTEL, 0x306C3)
    }
}

/// The same with the microcode it came with.
fn haswell_new() -> CpuSecurity {
    CpuSecurity {
        leaf_7: 0x2FBB,
        microcode: 0x6,
        ..cpu(INTEL, 0x306C3)
    }
}

/// i7-6700K: capabilities RSBA, GDS_CTRL.
fn skylake() -> CpuSecurity {
    CpuSecurity {
        leaf_7: 0x029C_67AF | leaf_7_edx(0xBC00_2600),
        arch_capabilities: 1 << 2 | 1 << 25,
        ..cpu(INTEL, 0x506E3)
    }
}

/// Xeon 8280: RDCL_NO, IBRS_ALL, RSBA is not said, SKIP_L1DFL, MDS_NO, TSX_CTRL, FB_CLEAR, RRSBA, GDS_CTRL.
fn cascade_lake() -> CpuSecurity {
    CpuSecurity {
        leaf_7: 0xD39F_FFFB | leaf_7_edx(0xBC00_0400),
        arch_capabilities: 0b1010_1011 | 1 << 17 | 1 << 19 | 1 << 25,
        ..cpu(INTEL, 0x50657)
    }
}

/// Xeon 8380: as before and TAA_NO.
fn ice_lake() -> CpuSecurity {
    CpuSecurity {
        leaf_7: 0xF3BF_A7EB | leaf_7_edx(0xBC04_0412),
        arch_capabilities: 0b1_0110_1011 | 1 << 17 | 1 << 19 | 1 << 25,
        ..cpu(INTEL, 0x606A6)
    }
}

/// i9-12900K: everything up to MMIO is solved; BHI_CTRL, RRSBA_CTRL; RFDS_CLEAR.
fn alder_lake() -> CpuSecurity {
    CpuSecurity {
        leaf_7: 0x239C_27EB | leaf_7_edx(0xBC18_C410),
        leaf_7_2: 0b1_1111,
        arch_capabilities: 0b1_0110_1011 | 0b111 << 13 | 1 << 19 | 1 << 26 | 1 << 28,
        ..cpu(INTEL, 0x90672)
    }
}

fn zen(signature: u64, leaf_8: u64, leaf_21: u64) -> CpuSecurity {
    CpuSecurity {
        leaf_7: 0x209C_01A9,
        leaf_8,
        leaf_21,
        ..cpu(AMD, signature)
    }
}

/// Ryzen 7 1800X with IBPB.
fn zen_1() -> CpuSecurity {
    zen(0x800F11, 1 << 12, 0)
}

/// EPYC 7742: IBPB, IBRS, STIBP, SSBD.
fn zen_2() -> CpuSecurity {
    zen(0x830F10, 0x0100_D000, 0)
}

/// EPYC 7763 with the microcode that forgets branch types: BTC_NO.
fn zen_3() -> CpuSecurity {
    zen(0xA20F10, 0x2100_D000, 1 << 28)
}

/// EPYC 9654: automatic IBRS, IBPB_RET.
fn zen_4() -> CpuSecurity {
    zen(0xA10F11, 0x6100_D000, 1 << 8 | 1 << 28)
}

/// `-cpu max` of QEMU's emulator: AMD, family 6, nothing of all this.
fn qemu_max() -> CpuSecurity {
    CpuSecurity {
        leaf_1: 0x663 | 1 << 63,
        ..cpu(AMD, 0x663)
    }
}

/// The machine after a kernel did all of its plan, and every register holds what was written.
fn hardened(cpu: CpuSecurity) -> CpuSecurity {
    let Plan {
        spec_control,
        remedies,
    } = plan(&cpu);
    let when = |remedy, bits| {
        if remedies & remedy != 0 { bits } else { 0 }
    };
    CpuSecurity {
        spec_control,
        efer: cpu.efer | when(remedy::AUTO_IBRS, 1 << 21),
        tsx_control: when(remedy::TSX_OFF, 3),
        leaf_7: cpu.leaf_7 & !when(remedy::TSX_OFF, RTM),
        measures: cpu.measures
            | when(remedy::CLEAR_BUFFERS, does::BUFFERS_CLEARED)
            | when(remedy::BARRIER_ON_SWITCH, does::BARRIER_ON_SWITCH)
            | when(remedy::BARRIER_ON_ENTRY, does::BARRIER_ON_ENTRY)
            | when(remedy::CLEAR_HISTORY, does::HISTORY_CLEARED),
        ..cpu
    }
}

/// The same with page-table isolation, retpolines and aligned returns.
fn complete(cpu: CpuSecurity) -> CpuSecurity {
    let cpu = hardened(cpu);
    CpuSecurity {
        measures: cpu.measures
            | does::PAGE_TABLES_ISOLATED
            | does::RETPOLINES
            | does::RETURNS_ALIGNED,
        ..cpu
    }
}

/// The same, but returns lie anywhere.
fn without_aligned_returns(cpu: CpuSecurity) -> CpuSecurity {
    CpuSecurity {
        measures: cpu.measures & !does::RETURNS_ALIGNED,
        ..cpu
    }
}

#[track_caller]
fn expect(cpu: &CpuSecurity, states: [State; Issue::ALL.len()]) {
    for (verdict, expected) in assess(cpu).iter().zip(states) {
        assert_eq!(verdict.state, expected, "{verdict:?}");
        let silent = verdict.why.is_empty();
        assert_eq!(silent, expected == NotAffected, "{verdict:?}");
        // `status` puts it behind a name and a state, in 80 columns.
        assert!(verdict.why.len() <= 42, "{verdict:?}");
    }
}

const NO: State = NotAffected;
const OK: State = Mitigated;
const BAD: State = Vulnerable;

// In this order: Meltdown, Spectre v1, v2, store bypass, L1TF, MDS, TAA, MMIO, Retbleed, SRSO, Downfall, RFDS, BHI, ITS.

#[test]
fn each_cpu_has_the_flaws_that_its_vendor_names_and_all_are_mitigated() {
    expect(
        &complete(haswell()),
        [OK, OK, OK, OK, OK, OK, NO, OK, NO, NO, NO, NO, NO, NO],
    );
    expect(
        &complete(skylake()),
        [OK, OK, OK, OK, OK, OK, NO, OK, OK, NO, OK, NO, NO, NO],
    );
    expect(
        &complete(cascade_lake()),
        [NO, OK, OK, OK, NO, NO, OK, OK, OK, NO, OK, NO, OK, OK],
    );
    expect(
        &complete(ice_lake()),
        [NO, OK, OK, OK, NO, NO, NO, OK, NO, NO, OK, NO, OK, OK],
    );
    expect(
        &complete(alder_lake()),
        [NO, OK, OK, OK, NO, NO, NO, NO, NO, NO, NO, OK, OK, NO],
    );
    expect(
        &complete(zen_1()),
        [NO, OK, OK, BAD, NO, NO, NO, NO, OK, OK, NO, NO, NO, NO],
    );
    expect(
        &complete(zen_2()),
        [NO, OK, OK, OK, NO, NO, NO, NO, OK, OK, NO, NO, NO, NO],
    );
    for zen in [zen_3(), zen_4()] {
        expect(
            &complete(zen),
            [NO, OK, OK, OK, NO, NO, NO, NO, NO, OK, NO, NO, NO, NO],
        );
    }
}

#[test]
fn retpolines_count_against_history_only_when_nothing_else_predicts_returns() {
    let no_rrsba = |cpu: CpuSecurity| CpuSecurity {
        arch_capabilities: cpu.arch_capabilities & !(1 << 19),
        ..cpu
    };
    expect(
        &complete(no_rrsba(ice_lake())),
        [NO, OK, OK, OK, NO, NO, NO, OK, NO, NO, OK, NO, OK, OK],
    );
    let its = |cpu: &CpuSecurity| assess(cpu)[13].state;
    // Returns can be trained then, and that of the retpoline where something else predicts returns.
    assert_eq!(
        its(&without_aligned_returns(complete(no_rrsba(ice_lake())))),
        InPart
    );
    assert_eq!(its(&without_aligned_returns(complete(ice_lake()))), BAD);
    // Aligned returns alone do not help indirect jumps.
    let bare = CpuSecurity {
        measures: does::RETURNS_ALIGNED,
        ..ice_lake()
    };
    assert_eq!(its(&bare), BAD);
}

#[test]
fn far_jumps_count_against_history_whatever_predicts_returns() {
    let measures = does::PAGE_TABLES_ISOLATED | does::FAR_JUMPS | does::RETURNS_ALIGNED;
    let with_far_jumps = |cpu: CpuSecurity| CpuSecurity {
        measures: cpu.measures | measures,
        ..cpu
    };
    expect(
        &with_far_jumps(hardened(ice_lake())),
        [NO, OK, OK, OK, NO, NO, NO, OK, NO, NO, OK, NO, OK, OK],
    );
    let unaligned = without_aligned_returns(with_far_jumps(ice_lake()));
    assert_eq!(assess(&unaligned)[13].state, InPart);
    // Nothing but the jumps: programs train one another.
    let alone = with_far_jumps(ice_lake());
    assert_eq!(assess(&alone)[2].state, InPart);
}

#[test]
fn without_isolation_and_retpolines_older_cpus_are_vulnerable() {
    expect(
        &hardened(haswell()),
        [BAD, OK, BAD, OK, OK, OK, NO, OK, NO, NO, NO, NO, NO, NO],
    );
    // Enhanced IBRS does without retpolines.
    let ice_lake = hardened(ice_lake());
    expect(
        &ice_lake,
        [NO, OK, OK, OK, NO, NO, NO, OK, NO, NO, OK, NO, OK, BAD],
    );
    assert_eq!(assess(&ice_lake)[2].why, "enhanced IBRS, IBPB, STIBP");
    let zen_4 = hardened(zen_4());
    assert_eq!(assess(&zen_4)[2].why, "automatic IBRS, IBPB, STIBP");
}

#[test]
fn with_old_microcode_a_cpu_is_vulnerable_and_the_reason_says_so() {
    expect(
        &complete(haswell_new()),
        [
            OK, OK, InPart, BAD, OK, BAD, BAD, BAD, NO, NO, NO, NO, NO, NO,
        ],
    );
    let zen_3 = CpuSecurity {
        leaf_21: 0,
        ..zen_3()
    };
    let on_entry = plan(&zen_3).remedies & remedy::BARRIER_ON_ENTRY;
    assert_eq!(on_entry, 0, "it would not help");
    assert_eq!(assess(&complete(zen_3))[9].state, Vulnerable);
    let skylake = CpuSecurity {
        arch_capabilities: 0,
        ..skylake()
    };
    assert_eq!(assess(&complete(skylake))[10].why, "AVX off, no microcode");
    let no_avx = |cpu| plan(&cpu).remedies & remedy::AVX_OFF != 0;
    assert!(no_avx(skylake) && !no_avx(self::skylake()) && !no_avx(haswell()));
    let avx_on = CpuSecurity {
        cr4: skylake.cr4 | 1 << 18,
        ..complete(skylake)
    };
    assert_eq!(assess(&avx_on)[10].state, Vulnerable);
}

#[test]
fn what_a_register_does_not_hold_does_not_count() {
    let nothing_held = CpuSecurity {
        spec_control: 0,
        tsx_control: 0,
        ..complete(cascade_lake())
    };
    let states = assess(&nothing_held);
    for (verdict, expected) in states
        .iter()
        .zip([NO, OK, OK, BAD, NO, NO, BAD, OK, OK, NO, OK, NO, OK, OK])
    {
        let expected = match verdict.issue {
            // Retpolines are left.
            Issue::SpectreV2 => OK,
            // Enhanced IBRS is not.
            Issue::Retbleed => BAD,
            _ => expected,
        };
        assert_eq!(verdict.state, expected, "{verdict:?}");
    }
    let zen_4 = CpuSecurity {
        efer: 0xD01,
        ..hardened(zen_4())
    };
    assert_eq!(assess(&zen_4)[2].why, "IBPB at entries and switches, STIBP");
}

#[test]
fn what_the_kernel_does_not_do_does_not_count() {
    for cpu in [haswell(), skylake(), cascade_lake(), alder_lake(), zen_1()] {
        let nothing = CpuSecurity {
            measures: 0,
            ..complete(cpu)
        };
        for verdict in assess(&nothing) {
            let by_kernel = matches!(
                verdict.issue,
                Issue::Meltdown
                    | Issue::SpectreV1
                    | Issue::L1tf
                    | Issue::Mds
                    | Issue::MmioStaleData
                    | Issue::Rfds
                    | Issue::Srso
            );
            assert!(
                !by_kernel || matches!(verdict.state, NotAffected | Vulnerable),
                "{verdict:?}"
            );
        }
    }
}

#[test]
fn the_plans_are_as_guidance_has_them() {
    use remedy::{
        AUTO_IBRS, BARRIER_ON_ENTRY, BARRIER_ON_SWITCH, CLEAR_BUFFERS, CLEAR_HISTORY,
        ISOLATE_TABLES, MCU_CONTROL, SPEC_CONTROL, TSX_OFF,
    };
    let with = |spec_control, remedies| Plan {
        spec_control,
        remedies,
    };
    let usual = SPEC_CONTROL | BARRIER_ON_SWITCH;
    assert_eq!(plan(&qemu_max()), with(0, 0));
    // Nothing else is there to turn on.
    assert_eq!(plan(&haswell_new()), with(0, ISOLATE_TABLES));
    let haswell_plan = usual | ISOLATE_TABLES | CLEAR_BUFFERS;
    assert_eq!(plan(&haswell()), with(0b110, haswell_plan));
    let skylake_plan = haswell_plan | MCU_CONTROL | BARRIER_ON_ENTRY;
    assert_eq!(plan(&skylake()), with(0b110, skylake_plan));
    let cascade_lake_plan = usual | CLEAR_BUFFERS | TSX_OFF | MCU_CONTROL | CLEAR_HISTORY;
    assert_eq!(plan(&cascade_lake()), with(0b111, cascade_lake_plan));
    let alder_lake_plan = usual | CLEAR_BUFFERS;
    assert_eq!(plan(&alder_lake()), with(0b100_0100_0111, alder_lake_plan));
    assert_eq!(
        plan(&zen_1()),
        with(0, BARRIER_ON_SWITCH | BARRIER_ON_ENTRY)
    );
    let zen_2_plan = usual | BARRIER_ON_ENTRY;
    assert_eq!(plan(&zen_2()), with(0b110, zen_2_plan));
    assert_eq!(plan(&zen_3()), with(0b110, zen_2_plan));
    assert_eq!(plan(&zen_4()), with(0b110, zen_2_plan | AUTO_IBRS));
}

#[test]
fn an_emulated_cpu_that_says_nothing_is_not_called_safe() {
    let states = assess(&hardened(qemu_max()));
    assert_eq!(states[0].state, NotAffected, "AMD's have no Meltdown");
    assert_eq!(states[1].state, Mitigated);
    assert_eq!(states[2].state, Vulnerable);
    assert_eq!(states[2].why, "no IBRS, IBPB or retpolines");
    assert_eq!(states[3].state, Vulnerable);
    // A vendor that nobody knows has what all had before a bit said otherwise.
    let unknown = assess(&hardened(cpu([0, 0], 0x663)));
    for verdict in unknown {
        use Issue::{L1tf, Mds, Meltdown, MmioStaleData, SpectreV1, SpectreV2, StoreBypass};
        let old = [
            Meltdown,
            SpectreV1,
            SpectreV2,
            StoreBypass,
            L1tf,
            Mds,
            MmioStaleData,
        ];
        assert_eq!(
            verdict.state != NotAffected,
            old.contains(&verdict.issue),
            "{verdict:?}"
        );
    }
}

/// SplitMix64.
fn draw(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ z >> 31
}

#[test]
fn on_any_cpu_a_complete_kernel_mitigates_what_the_microcode_lets_it() {
    let mut seed = 4;
    let models: Vec<u64> = (0..0x100).collect();
    for round in 0..100_000 {
        let model = models[round % models.len()];
        let signature = (model & 0xF) << 4 | (model & 0xF0) << 12 | 6 << 8 | draw(&mut seed) & 0xF;
        let bare = CpuSecurity {
            leaf_7: draw(&mut seed),
            leaf_7_2: draw(&mut seed),
            arch_capabilities: draw(&mut seed) & draw(&mut seed),
            ..cpu(INTEL, signature)
        };
        let after = complete(bare);
        assert_eq!(plan(&after), plan(&bare), "the plan changes what it needs");
        let verdicts = assess(&after);
        let has = |bit: u32| bare.leaf_7 >> bit & 1 != 0;
        for verdict in verdicts {
            let expected_mitigated = match verdict.issue {
                Issue::Meltdown | Issue::SpectreV1 | Issue::L1tf => true,
                Issue::SpectreV2 => has(58),
                Issue::StoreBypass => has(63),
                Issue::Mds => has(42),
                Issue::Rfds => bare.arch_capabilities >> 28 & 1 != 0,
                _ => false,
            };
            assert_eq!(
                verdict.state == NotAffected,
                !is_affected(&bare, verdict.issue)
            );
            if expected_mitigated && is_affected(&bare, verdict.issue) {
                assert_eq!(verdict.state, Mitigated, "{verdict:?} {bare:x?}");
            }
        }
    }
}

#[test]
fn the_record_survives_the_way_through_the_kernel() {
    let record = complete(alder_lake());
    let mut words = [0; CpuSecurity::COUNT];
    record.write_words(&mut words);
    assert_eq!(CpuSecurity::read_words(&words), Some(record));
}
