//! The rules of handles on booted machines with one, two and four CPUs: whoever breaks one is refused, for the reason
//! that the interface gives, or ended; and the system goes on.
//!
//! Attackers that need no other process run at the shell; what takes several processes is tried by the referee.

use system_tests::attack::{CPUS, expect_repelled};
use system_tests::referee::expect_part;

macro_rules! attackers {
    ($($test:ident: $module:literal => [$($words:literal),+ $(,)?];)+) => {$(
        #[test]
        fn $test() {
            for cpus in CPUS {
                expect_repelled(cpus, $module, &[$($words),+]);
            }
        }
    )+};
}

attackers! {
    closed_moved_and_old_handles_are_denied: "adv-stale-handle" => [
        "denied: a closed handle: no such handle",
        "denied: closing it again: no such handle",
        "denied: the old value of its slot: no such handle",
        "works: the new value of the slot",
        "held: 4096 rounds of closing bring no value back",
        "denied: a handle that was moved away: no such handle",
        "works: the handle where it went",
        " 0 failed", "ended: exit code 0",
    ];
    rights_do_not_grow_and_none_is_passed_on_without_grant: "adv-widen" => [
        "held: rights do not grow by copying",
        "denied: a copy without GRANT: the handle lacks the right",
        "denied: signalling with READ: the handle lacks the right",
        "denied: calling with READ: the handle lacks the right",
        "denied: receiving with WRITE: the handle lacks the right",
        "denied: revoking without REVOKE: the handle lacks the right",
        "denied: ending a thread without EXECUTE: the handle lacks the right",
        "denied: mapping writable and executable",
        "denied: mapping executable",
        "denied: mapping for writing with READ: the handle lacks the right",
        "denied: copying a handle without GRANT into a message: the handle lacks the right",
        "denied: moving a handle without GRANT into a message: the handle lacks the right",
        "denied: copying what arrived without GRANT: the handle lacks the right",
        "denied: passing on what arrived without GRANT: the handle lacks the right",
        " 0 failed", "ended: exit code 0",
    ];
    what_was_revoked_is_denied_and_nothing_else: "adv-revoke" => [
        "denied: a revoked child: the handle was revoked",
        "denied: a revoked grandchild: the handle was revoked",
        "denied: a revoked handle of the wrong kind: the handle refers to another kind",
        "denied: a revoked handle without the right: the handle was revoked",
        "denied: the child of what was revoked: the handle was revoked",
        "works: the parent after a revoke",
        "works: the sibling after a revoke",
        "denied: revoking without REVOKE: the handle lacks the right",
        "denied: hiding behind a closed handle: the handle was revoked",
        "denied: hiding by moving: the handle was revoked",
        "denied: waiting through a revoked handle: the handle was revoked",
        "denied: receiving through a revoked handle: the handle was revoked",
        "denied: calling through a revoked handle: the handle was revoked",
        "denied: a call that was received when it was revoked: the handle was revoked",
        "denied: answering it: the other side is gone",
        "denied: a timer on a revoked notification: the handle has expired",
        "held: a revoked binding wakes nobody",
        "held: all of many descendants are revoked",
        " 0 failed", "ended: exit code 0",
    ];
    no_use_succeeds_after_a_revoke_returned: "adv-revoke-race" => [
        "held: every CPU used the handles",
        "held: no use succeeds after the revoke returned",
        "held: every use is denied as revoked",
        " 0 failed", "ended: exit code 0",
    ];
    memory_that_was_revoked_is_unmapped_on_all_cpus: "adv-revoked-map" => [
        "trying: reads of revoked memory",
        "ended by fault: page fault: read from address", "(nothing mapped)",
    ];
    expired_handles_are_denied_even_while_blocked: "adv-expired" => [
        "denied: an expired handle: the handle has expired",
        "denied: an expired handle of the wrong kind: the handle refers to another kind",
        "denied: an expired handle without the right: the handle has expired",
        "denied: an expired handle that was revoked: the handle was revoked",
        "denied: a copy for ever of what has expired: the handle has expired",
        "denied: a copy until later of what has expired: the handle has expired",
        "denied: a badged copy of what has expired: the handle has expired",
        "denied: waiting beyond the deadline: the handle has expired",
        "denied: receiving beyond the deadline: the handle has expired",
        "denied: calling beyond the deadline: the handle has expired",
        "denied: a call without an answer beyond its deadline: the handle has expired",
        " 0 failed", "ended: exit code 0",
    ];
    memory_is_unmapped_when_its_handle_expires: "adv-expired-map" => [
        "trying: reads of memory until after its time",
        "ended by fault: page fault: read from address", "(nothing mapped)",
    ];
    leases_reach_what_was_lent_and_nothing_else: "adv-lease" => [
        "works: reading a lease",
        "works: writing a lease",
        "held: what was written, and nothing beside it",
        "denied: reading one byte too many",
        "denied: reading with an offset that wraps around",
        "denied: writing one byte too many",
        "held: nothing was written",
        "held: nothing was read",
        "denied: writing to a lease for reading",
        "denied: reading a lease for writing",
        "denied: reading a lease to the kernel: the address is not mapped for this use",
        "denied: writing a lease from the kernel: the address is not mapped for this use",
        "denied: reading a lease after the answer: no such handle",
        "denied: reading a lease of a caller that is gone: the other side is gone",
        "denied: lending the kernel's memory, read",
        "denied: lending own code, written",
        "denied: five leases: invalid argument",
        " 0 failed", "ended: exit code 0",
    ];
    a_call_is_answered_once_and_by_its_receiver_alone: "adv-reply" => [
        "denied: the same answer again: no such handle",
        "denied: the old reply handle for a new call: no such handle",
        "denied: an answer to a caller that is gone: the other side is gone",
        "works: answering nobody and receiving",
        "denied: copying a reply handle: the handle lacks the right",
        "denied: sending a reply handle: the handle lacks the right",
        "denied: a call whose reply handle was closed: the other side is gone",
        " 0 failed", "ended: exit code 0",
    ];
    a_handle_is_passed_on_only_so_often: "adv-depth" => [
        "denied: passing on 40 times: the handle was passed on too often",
        "denied: the deepest after a revoke: the handle was revoked",
        " 0 failed", "ended: exit code 0",
    ];
    a_handle_that_a_thread_waits_through_stays: "adv-busy" => [
        "denied: closing what a thread waits through: in use",
        "denied: moving what a thread waits through: in use",
        "denied: closing what a thread receives through: in use",
        "denied: moving what a thread calls through: in use",
        "held: a thread waits for what it named, not for its slot",
        " 0 failed", "ended: exit code 0",
    ];
}

macro_rules! parts {
    ($($test:ident: $part:literal => [$($words:literal),+ $(,)?];)+) => {$(
        #[test]
        fn $test() {
            expect_part($part, &[$($words),+]);
        }
    )+};
}

parts! {
    processes_grant_and_control_only_what_their_handles_allow: "grants" => [
        "denied: granting without GRANT: the handle lacks the right",
        "denied: granting without WRITE on the process: the handle lacks the right",
        "denied: killing without EXECUTE: the handle lacks the right",
        "denied: a process of a module without EXECUTE: the handle lacks the right",
        "denied: turning the machine off without WRITE: the handle lacks the right",
        "denied: granting to a process that runs: in use",
        "denied: granting to a process that has ended: the other side is gone",
    ];
    a_grant_never_has_more_rights_or_time_than_its_parent: "records" => [
        "held: a grant for ever of what expires ends with it",
        "held: a grant for ever of less than all is no more",
        "held: its parent is named",
        "held: a grant until later of what expires ends with it",
        "held: a grant until sooner ends sooner",
        "held: the parent counts its children",
        "held: what has expired says so",
        "held: what was revoked says so",
    ];
    handles_of_another_process_are_denied: "foreign handles" => [
        "denied: using another process's handle: no such handle",
        "denied: looking at another process's handle: no such handle",
    ];
    what_was_granted_without_grant_goes_no_further: "passing on" => [
        "denied: copying what was granted without GRANT: the handle lacks the right",
        "denied: sending what was granted without GRANT: the handle lacks the right",
        "denied: and nothing arrives",
    ];
    denials_are_counted_and_written_down: "audit" => [
        "held: one denial is counted",
        "held: the record says why, what and which",
        "held: the record says who",
        "held: the record says when",
    ];
    devices_are_given_with_rights_and_taken_back: "devices" => [
        "denied: ports without WRITE: the handle lacks the right",
        "denied: RAM as device memory: the address is not mapped for this use",
        "denied: a port of revoked hardware: the handle was revoked",
        "denied: an interrupt of revoked hardware: the handle was revoked",
        "denied: the frame buffer of revoked hardware: the handle was revoked",
        "works: the hardware handle itself",
    ];
    devices_get_no_memory_where_dma_is_not_confined: "device windows" => [
        "denied: memory for a device where DMA is not confined: this machine cannot do that",
    ];
    device_memory_cannot_be_lent: "device leases" => [
        "denied: reading lent device memory: the address is not mapped for this use",
        "denied: writing a lease with device memory as the buffer: the address is not mapped for this use",
    ];
    processes_that_wait_through_what_is_revoked_or_expires_are_told: "blocked processes" => [
        "denied: a process that waits when it is revoked: the handle was revoked",
        "denied: a process that waits beyond its time: the handle has expired",
        "denied: a process that calls when it is revoked: the handle was revoked",
        "denied: a process that calls beyond its time: the handle has expired",
        "denied: a process whose call was received when it is revoked: the handle was revoked",
        "denied: answering it: the other side is gone",
    ];
    a_killed_caller_can_be_neither_answered_nor_read: "killed callers" => [
        "denied: a lease of a process that was killed: the other side is gone",
        "denied: an answer to a process that was killed: the other side is gone",
        "denied: that answer again: no such handle",
        "denied: a call of a process that was killed: the handle has expired",
    ];
    no_process_uses_a_handle_after_its_revoke_returned: "use during revoke" => [
        "held: handles were used on every CPU",
        "held: no use succeeds after the revoke",
        "held: every use is denied as revoked",
    ];
    no_process_reads_memory_after_its_revoke_returned: "mappings during revoke" => [
        "held: no read succeeds after the revoke",
        "held: nothing of the next owner is read",
        "held: every reader ends by a page fault",
    ];
    no_process_reads_memory_after_its_handle_expired: "expired mappings" => [
        "held: no read succeeds after the handle expired",
        "held: every reader ends by a page fault",
        "held: and none before its time",
    ];
    no_thread_runs_after_it_was_ended: "threads ended while they run" => [
        "held: no thread goes on after it was ended",
        "held: ended threads leave nothing",
    ];
    no_process_runs_after_it_was_killed: "processes killed while they run" => [
        "held: no thread goes on after its process was killed",
        "held: a killed process has ended when the call returns",
        "held: killed processes leave nothing",
    ];
    ten_thousand_killed_processes_leave_nothing: "ten thousand processes" => [
        "held: ten thousand processes can be made and killed",
        "held: they leave nothing",
        "works: one more runs",
    ];
    every_processor_runs_programs: "running everywhere" => [
        "held: a thread can be sent to each CPU that runs",
        "works: a thread runs on each",
        "held: each gets a fair share",
    ];
    a_process_takes_no_more_than_its_budget_however_it_tries: "budget theft" => [
        "held: spinning on all CPUs brings no more than the budget",
        "held: spinning on all CPUs leaves the others theirs",
        "held: yielding brings no more than the budget",
        "held: making threads brings no more than the budget",
        "held: sleeping for an instant brings no more than the budget",
    ];
    who_may_not_read_the_time_stamp_counter_ends_and_has_a_coarse_clock: "clocks" => [
        "held: round 1: with permission the counter is read",
        "held: round 1: and the clock is fine",
        "held: round 1: without it reading the counter ends the process",
        "held: round 1: and the clock is coarse",
        "held: round 2: with permission the counter is read",
        "held: round 2: without it reading the counter ends the process",
        "denied: flags that do not exist",
    ];
    the_children_of_a_process_with_a_budget_take_no_more_than_it: "budget theft by children" => [
        "held: having a child without a limit leaves the others theirs",
    ];
}
