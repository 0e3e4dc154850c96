//! Loading: what a new process finds in memory and registers.

use std::collections::BTreeSet;

use nonos_abi::{Error, PAGE_BYTES, Syscall};

use crate::machine::{Access, Machine, UserPage};
use crate::region::Backing;
use crate::testing::layout::{CODE, DATA, END, RELOCATIONS, RELRO, TABLES, ZEROS};
use crate::testing::{World, WorldOptions};

#[test]
fn segments_are_mapped_as_the_file_says_and_relro_is_read_only() {
    let mut world = World::default();
    let (worker, _) = world.create_worker();
    let base = world.context(worker).rip - CODE;
    for (offset, access) in [
        (TABLES, Access::Read),
        (CODE, Access::ReadExecute),
        (RELRO, Access::Read),
        (DATA, Access::ReadWrite),
        (ZEROS, Access::ReadWrite),
        (END - 1, Access::ReadWrite),
    ] {
        let page = UserPage::containing(base + offset).unwrap();
        let found = world.machine.translate(world.space(worker), page).unwrap();
        assert_eq!(found.1, access, "{offset:#x}");
    }
    assert_eq!(world.peek(worker, base + CODE, 4), [0xCC; 4]);
    assert_eq!(world.peek(worker, base + DATA + 8, 4), [0x22; 4]);
    assert_eq!(
        world.peek(worker, base + ZEROS, PAGE_BYTES),
        [0; PAGE_BYTES]
    );
}

#[test]
fn relocations_hold_base_plus_addend() {
    let mut world = World::default();
    let (worker, _) = world.create_worker();
    let base = world.context(worker).rip - CODE;
    for (offset, addend) in RELOCATIONS {
        assert_eq!(
            world.peek_words(worker, base + offset, 1),
            [base + addend],
            "{offset:#x}"
        );
    }
}

#[test]
fn every_process_starts_with_a_random_number_of_its_own() {
    let mut world = World::default();
    let numbers: [u64; 4] = core::array::from_fn(|_| {
        let (worker, _) = world.create_worker();
        world.context(worker).rdx
    });
    for (i, number) in numbers.iter().enumerate() {
        assert!(*number > u64::from(u32::MAX) && !numbers[..i].contains(number));
    }
}

#[test]
fn processes_of_a_module_share_text_and_nothing_else() {
    let mut world = World::default();
    let (first, _) = world.create_worker();
    let (second, _) = world.create_worker();
    let frame = |world: &mut World, process, offset| {
        let page = UserPage::containing(world.context(process).rip - CODE + offset).unwrap();
        world
            .machine
            .translate(world.space(process), page)
            .unwrap()
            .0
    };
    for (offset, shared) in [(TABLES, true), (CODE, true), (RELRO, false), (DATA, false)] {
        let same = frame(&mut world, first, offset) == frame(&mut world, second, offset);
        assert_eq!(same, shared, "{offset:#x}");
    }
    let [a, b] = [first, second].map(|process| *world.context(process));
    assert_ne!(a.rip, b.rip);
    assert_ne!(a.rsp, b.rsp);
}

#[test]
fn a_thread_starts_with_its_arguments_its_stack_its_number_and_zeros() {
    let mut world = World::default();
    let (worker, handle) = world.create_worker();
    world.value(
        world.init(),
        Syscall::ProcessStart,
        &[handle, 0x1234, 0x5678],
    );
    let stack = world
        .kernel
        .regions_of(worker)
        .iter()
        .find(|r| r.backing == Backing::Stack);
    let top = stack.unwrap().end();
    let context = *world.context(worker);
    assert_eq!((context.rdi, context.rsi), (0x1234, 0x5678));
    assert_eq!((context.rsp, context.rsp % 16), (top, 0));
    for register in [
        context.rax,
        context.rbx,
        context.rcx,
        context.rbp,
        context.r8,
    ] {
        assert_eq!(register, 0);
    }
    for register in [
        context.r9,
        context.r10,
        context.r11,
        context.r12,
        context.r13,
        context.r14,
    ] {
        assert_eq!(register, 0);
    }
}

#[test]
fn bases_are_random_over_at_least_28_bits() {
    let mut bases = BTreeSet::new();
    let (mut ones, mut zeros) = (0, 0);
    for seed in 0..24 {
        let mut world = World::new(WorldOptions {
            seed: [seed; 32],
            ..Default::default()
        });
        let base = world.context(world.init()).rip - CODE;
        assert!(bases.insert(base));
        ones |= base;
        zeros |= !base;
    }
    // A bit that was seen both set and clear is random.
    assert!((ones & zeros).count_ones() >= 28, "{:#x}", ones & zeros);
}

/// Frames and page tables that are free when no module is in use.
fn free(world: &World) -> (u64, u64) {
    (
        world.kernel.frames.available(),
        world.machine.table_frames().0,
    )
}

#[test]
fn a_quota_that_the_program_does_not_fit_in_is_refused_and_leaves_nothing() {
    let mut world = World::default();
    let init = world.init();
    let before = free(&world);
    let [small, good] = ["small", "worker"].map(|name| world.admit(name).unwrap());
    let refused = world.call(init, Syscall::ProcessCreate, &[small, 1, 256]);
    assert_eq!(refused, Err(Error::QuotaExceeded));
    for quota in [0, 1, 32, 37] {
        let refused = world.call(init, Syscall::ProcessCreate, &[good, 1, quota]);
        assert_eq!(refused, Err(Error::QuotaExceeded), "{quota}");
    }
    world.value(init, Syscall::HandleClose, &[small]);
    world.value(init, Syscall::HandleClose, &[good]);
    assert_eq!(free(&world), before);
    assert_eq!(world.kernel.processes.used(), 1);
}

#[test]
fn text_stays_while_the_module_is_held_and_goes_with_its_last_user() {
    let mut world = World::default();
    let init = world.init();
    let before = free(&world).0;
    let module = world.admit("worker").unwrap();
    let handle = world.value(init, Syscall::ProcessCreate, &[module, 1, 256]);
    world.value(init, Syscall::ProcessKill, &[handle]);
    assert_eq!(before - free(&world).0, 2, "tables and code");
    world.value(init, Syscall::HandleClose, &[module]);
    assert_eq!(free(&world).0, before);
}

#[test]
fn without_page_tables_no_process_is_made_and_nothing_is_lost() {
    let mut world = World::default();
    let init = world.init();
    let before = free(&world);
    let (free_tables, total) = world.machine.table_frames();
    for left in 0..7 {
        let module = world.admit("worker").unwrap();
        world.machine.table_frames = total - free_tables + left;
        let refused = world.call(init, Syscall::ProcessCreate, &[module, 1, 256]);
        assert_eq!(refused.map(drop), Err(Error::OutOfMemory), "{left} tables");
        world.value(init, Syscall::HandleClose, &[module]);
        world.machine.table_frames = total;
        assert_eq!(free(&world), before);
    }
}

#[test]
fn without_memory_no_process_is_made_and_nothing_is_lost() {
    // `init` takes 38 frames, another process 36, the text of its module 2.
    for left in 0..38 {
        let mut world = World::new(WorldOptions {
            frames: 38 + left,
            ..Default::default()
        });
        let init = world.init();
        let module = world.admit("worker").unwrap();
        let refused = world.call(init, Syscall::ProcessCreate, &[module, 1, 256]);
        assert_eq!(refused.map(drop), Err(Error::OutOfMemory));
        world.value(init, Syscall::HandleClose, &[module]);
        assert_eq!(free(&world).0, left.into(), "{left} frames");
    }
}
