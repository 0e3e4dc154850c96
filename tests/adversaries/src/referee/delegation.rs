//! Handing on across processes: only with GRANT, never more, never longer; and what the kernel's records say of it.

use adversaries::calls::{self, MS, NEVER, Result, clock, copy, make, word};
use adversaries::roles::{OTHER, Role, THING, Word};
use adversaries::verdict::Verdicts;
use nonos_abi::info::{AuditRecord, HandleRecord, Topic, handle_state};
use nonos_abi::words::Words;
use nonos_abi::{Error, Handle, ObjectKind, Rights, Syscall, start};

use crate::partner::{self, Partner};
use crate::{Log, read};

const ALL: Rights = Rights::ALL;

fn all_but(right: Rights) -> Rights {
    Rights::from_bits(ALL.bits() & !right.bits())
}

/// Grants and other uses of a process without the rights.
pub fn grants(verdicts: &mut Verdicts<Log>, module: Handle) -> Result<()> {
    let thing = calls::notification()?;
    let child = Partner::new(module)?;
    let kept = copy(thing, all_but(Rights::GRANT), NEVER)?;
    verdicts.denied(
        "granting without GRANT",
        child.grant(kept, ALL, NEVER),
        Error::MissingRight,
    );
    for (what, missing, attempt) in [
        ("granting without WRITE on the process", Rights::WRITE, 0),
        ("starting without WRITE", Rights::WRITE, 1),
        ("killing without EXECUTE", Rights::EXECUTE, 2),
        ("reading without READ", Rights::READ, 3),
        ("watching without READ", Rights::READ, 4),
    ] {
        let weak = copy(child.process, all_but(missing), NEVER)?;
        let result = match attempt {
            0 => partner::grant(weak, thing, ALL, NEVER).map(drop),
            1 => partner::start(weak, Role::Idle, 0),
            2 => partner::kill(weak),
            3 => partner::info(weak).map(drop),
            _ => make(Syscall::ProcessWatch, [word(weak), word(thing), 1]).map(drop),
        };
        verdicts.denied(what, result, Error::MissingRight);
        calls::close(weak)?;
    }
    let weak = copy(module, all_but(Rights::EXECUTE), NEVER)?;
    let created = partner::create(weak, 8, 0, 0);
    verdicts.denied(
        "a process of a module without EXECUTE",
        created,
        Error::MissingRight,
    );
    let weak = copy(start::ARCHIVE, all_but(Rights::READ), NEVER)?;
    let admitted = nonos_rt::syscall::module_admit(weak, "partner");
    verdicts.denied(
        "admitting a module without READ",
        admitted,
        Error::MissingRight,
    );
    let weak = copy(start::POWER, all_but(Rights::WRITE), NEVER)?;
    let off = make(Syscall::PowerOff, [word(weak), 0]);
    verdicts.denied(
        "turning the machine off without WRITE",
        off,
        Error::MissingRight,
    );
    let weak = copy(start::LOG, Rights::READ, NEVER)?;
    let written = nonos_rt::syscall::log_write(weak, b"forged");
    verdicts.denied(
        "writing to the log without WRITE",
        written,
        Error::MissingRight,
    );
    let layout = make(
        Syscall::SystemRead,
        [word(start::SYSTEM_INFO), Topic::Layout as u64, 0, 0, 0],
    );
    verdicts.denied(
        "where the kernel lies, from the wrong handle",
        layout,
        Error::WrongKind,
    );

    verdicts.works("a grant", child.grant(thing, Rights::READ, NEVER));
    child.start(Role::Wait, 0)?;
    verdicts.denied(
        "granting to a process that runs",
        child.grant(thing, ALL, NEVER),
        Error::Busy,
    );
    let again = partner::start(child.process, Role::Idle, 0);
    verdicts.denied_one_of(
        "starting twice",
        again,
        &[Error::Busy, Error::InvalidArgument],
    );
    partner::kill(child.process)?;
    child.ended()?;
    let late = child.grant(thing, ALL, NEVER);
    verdicts.denied(
        "granting to a process that has ended",
        late,
        Error::PeerGone,
    );
    child.finish()
}

/// The record of a handle in a process; 0: the referee.
fn record(process: u64, handle: Handle) -> Result<HandleRecord> {
    read(Topic::Handle, process << 32 | u64::from(handle.index()))
}

/// Rights, deadlines and lineage, as the kernel's records show them.
pub fn records(verdicts: &mut Verdicts<Log>, module: Handle) -> Result<()> {
    let child = Partner::new(module)?;
    let (own, its) = (partner::info(start::SELF)?.id, child.info()?.id);
    let root = calls::notification()?;
    let deadline = clock() + 100 * MS;
    let narrow = copy(root, Rights::READ.or(Rights::GRANT), deadline)?;
    let wide = child.grant(narrow, ALL, NEVER)?;
    let later = child.grant(narrow, ALL, deadline + 3_600_000 * MS)?;
    let sooner = child.grant(narrow, Rights::READ, deadline - 50 * MS)?;
    for (what, handle) in [("for ever", wide), ("until later", later)] {
        let record = record(its, handle)?;
        verdicts.equal(
            format_args!("a grant {what} of what expires ends with it"),
            record.deadline_ns,
            deadline,
        );
        verdicts.equal(
            format_args!("a grant {what} of less than all is no more"),
            Rights::from_bits(record.rights),
            Rights::READ.or(Rights::GRANT),
        );
        verdicts.equal(
            "its parent is named",
            (record.parent_process, record.parent_handle),
            (own, word(narrow)),
        );
    }
    let sooner = record(its, sooner)?;
    verdicts.equal(
        "a grant until sooner ends sooner",
        sooner.deadline_ns,
        deadline - 50 * MS,
    );
    let parent = record(0, narrow)?;
    verdicts.equal("the parent counts its children", parent.children, 3);
    verdicts.equal("a root has no parent", record(0, root)?.parent_process, 0);
    calls::sleep(120 * MS);
    verdicts.equal(
        "what has expired says so",
        record(its, wide)?.state,
        handle_state::EXPIRED,
    );
    calls::revoke(root)?;
    verdicts.equal(
        "what was revoked says so",
        record(its, wide)?.state,
        handle_state::REVOKED,
    );
    child.finish()
}

/// Values of other processes' handles.
pub fn foreign(verdicts: &mut Verdicts<Log>, module: Handle) -> Result<()> {
    let mut mine = calls::notification()?;
    // A slot that no partner has filled.
    for _ in 0..20 {
        mine = copy(mine, ALL, NEVER)?;
    }
    let child = Partner::new(module)?;
    child.start(Role::Foreign, word(mine))?;
    for (what, kept) in [("using", Word::First), ("looking at", Word::Second)] {
        let result = child.shared.kept(kept).unwrap_or(Err(Error::Busy));
        verdicts.denied(
            format_args!("{what} another process's handle"),
            result,
            Error::NoHandle,
        );
    }
    child.finish()
}

/// What arrived without GRANT goes no further.
pub fn passing_on(verdicts: &mut Verdicts<Log>, module: Handle) -> Result<()> {
    let (thing, endpoint) = (calls::notification()?, calls::endpoint()?);
    let child = Partner::new(module)?;
    let landed = child.grant(thing, all_but(Rights::GRANT), NEVER)?;
    let way_out = child.grant(endpoint, Rights::WRITE, NEVER)?;
    verdicts.equal(
        "handles land where the partner looks",
        (landed, way_out),
        (THING, OTHER),
    );
    child.start(Role::PassOn, 0)?;
    for (what, kept) in [("copying", Word::First), ("sending", Word::Second)] {
        let result = child.shared.kept(kept).unwrap_or(Err(Error::Busy));
        verdicts.denied(
            format_args!("{what} what was granted without GRANT"),
            result,
            Error::MissingRight,
        );
    }
    let received = calls::receive_at_most(endpoint, 20 * MS);
    verdicts.denied("and nothing arrives", received.map(drop), Error::Expired);
    child.finish()
}

/// Denials are counted and written down: who, what, which, why.
pub fn audit(verdicts: &mut Verdicts<Log>, module: Handle) -> Result<()> {
    let thing = calls::notification()?;
    let child = Partner::new(module)?;
    let landed = child.grant(thing, Rights::READ, NEVER)?;
    let before = child.info()?.denials;
    let mut position = 0;
    // To the end of what was written so far.
    while let Some((_, next)) = audit_record(position)? {
        position = next;
    }
    child.start(Role::Foreign, word(landed))?;
    let result = child.shared.kept(Word::First).unwrap_or(Err(Error::Busy));
    verdicts.denied(
        "signalling what can be waited for only",
        result,
        Error::MissingRight,
    );
    verdicts.equal("one denial is counted", child.info()?.denials - before, 1);
    let id = child.info()?.id;
    let mut found = None;
    while let Some((record, next)) = audit_record(position)? {
        position = next;
        if record.process == id {
            found = Some(record);
        }
    }
    let record = found.ok_or(Error::NotFound)?;
    let why = (record.reason, record.syscall, record.handle, record.kind);
    let expected = (
        Error::MissingRight.raw(),
        Syscall::NotificationSignal as u64,
        word(landed),
        ObjectKind::Notification as u64,
    );
    verdicts.equal("the record says why, what and which", why, expected);
    verdicts.equal("the record says who", record.name.as_str(), "partner");
    verdicts.held(
        "the record says when",
        record.time_ns > 0 && record.time_ns <= clock(),
    );
    let weak = copy(start::AUDIT, all_but(Rights::READ), NEVER)?;
    let denied = make(Syscall::AuditRead, [word(weak), 0, 0, 0]);
    verdicts.denied(
        "reading the record without READ",
        denied,
        Error::MissingRight,
    );
    child.finish()
}

/// The record at a position, and the next position; `None` at the end.
fn audit_record(position: u64) -> Result<Option<(AuditRecord, u64)>> {
    static BUFFER: calls::Buffer<32> = calls::Buffer::new();
    let arguments = [word(start::AUDIT), position, BUFFER.address(), 1];
    let (count, next) = make(Syscall::AuditRead, arguments)?;
    let record = AuditRecord::read_words(&BUFFER.words()).ok_or(Error::InvalidArgument)?;
    const { assert!(AuditRecord::COUNT <= 32) };
    Ok((count > 0).then_some((record, next)))
}
