//! Handles of two processes to one endpoint: copied, moved, closed, revoked, expired, and called through.
//!
//! Lineage is modelled as the kernel keeps it, as links between slots. Beside it the state has what the kernel does not have,
//! for the properties only: a name for every handle that was ever made, and the names of all that it was derived from. From
//! these alone it is known which handles a revocation must end, and that is compared with what the links made of it.

use stateright::{Checker, HasDiscoveries, Model, Property};

const PROCESSES: usize = 2;
const SLOTS: usize = 2;
/// Handles that can ever be made, so that there are finitely many states.
const NAMES: u8 = 3;
/// The clock stops here.
const END_OF_TIME: u8 = 1;
const NEVER: u8 = u8::MAX;

type Rights = u8;
const READ: Rights = 1;
const WRITE: Rights = 2;
const GRANT: Rights = 4;
const REVOKE: Rights = 8;
const ALL: Rights = READ | WRITE | GRANT | REVOKE;

/// A slot of a process; also its node in the lineage.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Slot {
    process: u8,
    index: u8,
}

impl Slot {
    fn all() -> impl Iterator<Item = Self> {
        (0..PROCESSES as u8)
            .flat_map(|process| (0..SLOTS as u8).map(move |index| Self { process, index }))
    }

    fn position(self) -> usize {
        usize::from(self.process) * SLOTS + usize::from(self.index)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Handle {
    rights: Rights,
    deadline: u8,
    revoked: bool,
    /// For the properties: which handle this is.
    name: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
struct Links {
    parent: Option<Slot>,
    first_child: Option<Slot>,
    next: Option<Slot>,
}

/// What the one thread of a process does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Thread {
    Ready,
    Calling(Slot),
    Receiving(Slot),
    AwaitingReply { through: Slot, server: u8 },
}

impl Thread {
    fn through(self) -> Option<Slot> {
        match self {
            Self::Ready => None,
            Self::Calling(slot)
            | Self::Receiving(slot)
            | Self::AwaitingReply { through: slot, .. } => Some(slot),
        }
    }
}

/// What a process has in its one reply slot.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Reply {
    None,
    /// To a process's thread, for the call that it made in an even or odd place.
    To(u8, bool),
    Orphan,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct State {
    now: u8,
    handles: [Option<Handle>; PROCESSES * SLOTS],
    links: [Links; PROCESSES * SLOTS],
    threads: [Thread; PROCESSES],
    replies: [Reply; PROCESSES],
    /// For the properties: what each handle that was ever made was derived from, as a set of names.
    ancestors: [u8; NAMES as usize],
    names: u8,
    /// For the properties: names of handles that were revoked, whatever the kernel made of it.
    dead: u8,
    /// For the properties: which call of a process is under way.
    parity: [bool; PROCESSES],
    /// What the kernel let happen and must not.
    broken: Option<Broken>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Broken {
    RightsGrew,
    DeadHandleWorked,
    WrongReply,
}

/// What is wrong with the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    None,
    CopyKeepsAllRights,
    CopyNeedsNoGrant,
    CopyExpiresLater,
    MoveLosesItsParent,
    CloseMakesRoots,
    RevokeTakesChildrenOnly,
    RevokeTakesSiblings,
    RevokeTakesTheHandleItself,
    RevokeLeavesWaiters,
    RevokedIsNotChecked,
    ExpiryIsNotChecked,
    ExpiryLeavesWaiters,
    ReplyIsNotUsedUp,
    ReplyIsNotOrphaned,
    LastReceiverIsForgotten,
    ExpiredReceiversCount,
    HandleInUseIsClosed,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Action {
    Copy(Slot, u8, Rights, u8),
    Move(Slot, u8),
    Close(Slot),
    Revoke(Slot),
    Call(Slot),
    Receive(Slot),
    Reply(u8),
    CloseReply(u8),
    Tick,
}

/// The kernel, right or with a fault.
struct Kernel(Fault);

impl State {
    fn handle(&self, slot: Slot) -> Option<Handle> {
        self.handles[slot.position()]
    }

    fn links(&mut self, slot: Slot) -> &mut Links {
        &mut self.links[slot.position()]
    }

    fn is_dead(&self, handle: Handle) -> bool {
        self.dead >> handle.name & 1 != 0 || self.now >= handle.deadline
    }

    fn free_slot(&self, process: u8) -> Option<Slot> {
        Slot::all().find(|&slot| slot.process == process && self.handle(slot).is_none())
    }

    fn is_in_use(&self, slot: Slot) -> bool {
        self.threads.iter().any(|t| t.through() == Some(slot))
    }

    fn link(&mut self, child: Slot, parent: Slot) {
        let next = self.links(parent).first_child.replace(child);
        self.links(child).parent = Some(parent);
        self.links(child).next = next;
    }

    fn children(&self, of: Slot) -> Vec<Slot> {
        let first = self.links[of.position()].first_child;
        std::iter::successors(first, |child| self.links[child.position()].next).collect()
    }

    /// Takes a node out of the list of its parent's children.
    fn cut(&mut self, slot: Slot) {
        let Links { parent, next, .. } = *self.links(slot);
        if let Some(parent) = parent {
            match self
                .children(parent)
                .into_iter()
                .find(|&c| self.links[c.position()].next == Some(slot))
            {
                Some(previous) => self.links(previous).next = next,
                None => self.links(parent).first_child = next,
            }
        }
        self.links(slot).parent = None;
        self.links(slot).next = None;
    }

    /// Whether somebody could receive.
    fn receivers(&self) -> usize {
        let reads = |handle: &Handle| {
            !handle.revoked && handle.rights & READ != 0 && self.now < handle.deadline
        };
        self.handles.iter().flatten().filter(|h| reads(h)).count()
    }

    /// Ends the wait of a thread; the reply that it waited for has nobody to go to.
    fn end_wait(&mut self, process: usize, fault: Fault) {
        if let Thread::AwaitingReply { server, .. } = self.threads[process]
            && fault != Fault::ReplyIsNotOrphaned
        {
            self.replies[usize::from(server)] = Reply::Orphan;
        }
        self.threads[process] = Thread::Ready;
    }

    /// A handle that could receive is gone: if it was the last, callers are told.
    fn lost_receiver(&mut self, fault: Fault) {
        if self.receivers() > 0 || fault == Fault::LastReceiverIsForgotten {
            return;
        }
        for process in 0..PROCESSES {
            if let Thread::Calling(_) = self.threads[process] {
                self.threads[process] = Thread::Ready;
            }
        }
    }

    fn deliver(&mut self, caller: u8, through: Slot, server: u8) {
        let parity = self.parity[usize::from(caller)];
        self.replies[usize::from(server)] = Reply::To(caller, parity);
        self.threads[usize::from(caller)] = Thread::AwaitingReply { through, server };
    }
}

impl Kernel {
    /// The check at every use. Notes when it lets pass what must not work.
    fn look_up(&self, state: &mut State, slot: Slot, rights: Rights) -> Option<Handle> {
        let handle = state.handle(slot)?;
        let revoked = handle.revoked && self.0 != Fault::RevokedIsNotChecked;
        let expired = state.now >= handle.deadline && self.0 != Fault::ExpiryIsNotChecked;
        if revoked || expired || handle.rights & rights != rights {
            return None;
        }
        if state.is_dead(handle) {
            state.broken = Some(Broken::DeadHandleWorked);
        }
        Some(handle)
    }

    fn copy(
        &self,
        state: &mut State,
        from: Slot,
        to: u8,
        rights: Rights,
        deadline: u8,
    ) -> Option<()> {
        let needed = if self.0 == Fault::CopyNeedsNoGrant {
            0
        } else {
            GRANT
        };
        let handle = self.look_up(state, from, needed)?;
        let slot = state.free_slot(to)?;
        if state.names == NAMES {
            return None;
        }
        let name = state.names;
        state.names += 1;
        state.ancestors[usize::from(name)] =
            state.ancestors[usize::from(handle.name)] | 1 << handle.name;
        let copy = Handle {
            rights: if self.0 == Fault::CopyKeepsAllRights {
                rights
            } else {
                handle.rights & rights
            },
            deadline: if self.0 == Fault::CopyExpiresLater {
                deadline
            } else {
                deadline.min(handle.deadline)
            },
            revoked: false,
            name,
        };
        let grew = copy.rights & !handle.rights != 0 || copy.deadline > handle.deadline;
        if grew || handle.rights & GRANT == 0 {
            state.broken = Some(Broken::RightsGrew);
        }
        state.handles[slot.position()] = Some(copy);
        state.link(slot, from);
        Some(())
    }

    /// A handle in a message that is moved keeps its place in the lineage.
    fn transfer(&self, state: &mut State, from: Slot, to: u8) -> Option<()> {
        let handle = self.look_up(state, from, GRANT)?;
        let slot = state.free_slot(to)?;
        if state.is_in_use(from) {
            return None;
        }
        state.handles[from.position()] = None;
        state.handles[slot.position()] = Some(handle);
        let parent = state.links(from).parent;
        let children = state.children(from);
        state.cut(from);
        state.links(from).first_child = None;
        if let Some(parent) = parent.filter(|_| self.0 != Fault::MoveLosesItsParent) {
            state.link(slot, parent);
        }
        state.links(slot).first_child = children.first().copied();
        for child in children {
            state.links(child).parent = Some(slot);
        }
        Some(())
    }

    /// What was derived from a handle that is closed is its parent's from then on.
    fn close(&self, state: &mut State, slot: Slot) -> Option<()> {
        state.handle(slot)?;
        if state.is_in_use(slot) && self.0 != Fault::HandleInUseIsClosed {
            return None;
        }
        state.handles[slot.position()] = None;
        let parent = state.links(slot).parent;
        for child in state.children(slot) {
            state.cut(child);
            if let Some(parent) = parent.filter(|_| self.0 != Fault::CloseMakesRoots) {
                state.link(child, parent);
            }
        }
        state.cut(slot);
        state.lost_receiver(self.0);
        Some(())
    }

    fn revoke(&self, state: &mut State, slot: Slot) -> Option<()> {
        let handle = self.look_up(state, slot, REVOKE)?;
        for other in state.handles.iter().flatten() {
            let derived = state.ancestors[usize::from(other.name)] >> handle.name & 1 != 0;
            state.dead |= u8::from(derived) << other.name;
        }
        if self.0 == Fault::RevokeTakesSiblings
            && let Some(sibling) = state.links(slot).next
        {
            self.remove(state, sibling);
        }
        loop {
            let mut leaf = slot;
            while let Some(child) = state.links(leaf).first_child {
                leaf = child;
                if self.0 == Fault::RevokeTakesChildrenOnly {
                    break;
                }
            }
            if leaf == slot {
                break;
            }
            state.cut(leaf);
            self.remove(state, leaf);
        }
        if self.0 == Fault::RevokeTakesTheHandleItself {
            self.remove(state, slot);
        }
        state.lost_receiver(self.0);
        Some(())
    }

    fn remove(&self, state: &mut State, slot: Slot) {
        if let Some(handle) = &mut state.handles[slot.position()] {
            handle.revoked = true;
        }
        if self.0 != Fault::RevokeLeavesWaiters {
            self.end_waits_through(state, slot);
        }
    }

    fn end_waits_through(&self, state: &mut State, slot: Slot) {
        for process in 0..PROCESSES {
            if state.threads[process].through() == Some(slot) {
                state.end_wait(process, self.0);
            }
        }
    }

    fn call(&self, state: &mut State, slot: Slot) -> Option<()> {
        self.look_up(state, slot, WRITE)?;
        if state.receivers() == 0 {
            return None;
        }
        let caller = slot.process;
        state.parity[usize::from(caller)] ^= true;
        let receiver = (0..PROCESSES as u8)
            .find(|&p| matches!(state.threads[usize::from(p)], Thread::Receiving(_)));
        match receiver {
            Some(server) => {
                state.threads[usize::from(server)] = Thread::Ready;
                state.deliver(caller, slot, server);
            }
            None => state.threads[usize::from(caller)] = Thread::Calling(slot),
        }
        Some(())
    }

    fn receive(&self, state: &mut State, slot: Slot) -> Option<()> {
        self.look_up(state, slot, READ)?;
        let server = slot.process;
        if state.replies[usize::from(server)] != Reply::None {
            return None;
        }
        let callers = (0..PROCESSES as u8).find_map(|p| match state.threads[usize::from(p)] {
            Thread::Calling(through) => Some((p, through)),
            _ => None,
        });
        match callers {
            Some((caller, through)) => state.deliver(caller, through, server),
            None => state.threads[usize::from(server)] = Thread::Receiving(slot),
        }
        Some(())
    }

    fn reply(&self, state: &mut State, server: u8) -> Option<()> {
        let Reply::To(caller, parity) = state.replies[usize::from(server)] else {
            return None;
        };
        let waits = matches!(state.threads[usize::from(caller)],
            Thread::AwaitingReply { server: expected, .. } if expected == server);
        if !waits || parity != state.parity[usize::from(caller)] {
            state.broken = Some(Broken::WrongReply);
        }
        state.threads[usize::from(caller)] = Thread::Ready;
        if self.0 != Fault::ReplyIsNotUsedUp {
            state.replies[usize::from(server)] = Reply::None;
        }
        Some(())
    }

    /// A reply handle that is closed unused ends the call.
    fn close_reply(&self, state: &mut State, server: u8) -> Option<()> {
        let reply = std::mem::replace(&mut state.replies[usize::from(server)], Reply::None);
        match reply {
            Reply::None => return None,
            Reply::Orphan => {}
            Reply::To(caller, _) => state.threads[usize::from(caller)] = Thread::Ready,
        }
        Some(())
    }

    fn tick(&self, state: &mut State) -> Option<()> {
        if state.now == END_OF_TIME {
            return None;
        }
        state.now += 1;
        for slot in Slot::all() {
            let expired = state.handle(slot).is_some_and(|h| state.now >= h.deadline);
            if expired && self.0 != Fault::ExpiryLeavesWaiters {
                self.end_waits_through(state, slot);
            }
        }
        if self.0 != Fault::ExpiredReceiversCount {
            state.lost_receiver(self.0);
        }
        Some(())
    }
}

impl Model for Kernel {
    type State = State;
    type Action = Action;

    /// The first process has a handle with all rights.
    fn init_states(&self) -> Vec<State> {
        let mut handles = [None; PROCESSES * SLOTS];
        handles[0] = Some(Handle {
            rights: ALL,
            deadline: NEVER,
            revoked: false,
            name: 0,
        });
        vec![State {
            now: 0,
            handles,
            links: [Links::default(); PROCESSES * SLOTS],
            threads: [Thread::Ready; PROCESSES],
            replies: [Reply::None; PROCESSES],
            ancestors: [0; NAMES as usize],
            names: 1,
            dead: 0,
            parity: [false; PROCESSES],
            broken: None,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for slot in Slot::all().filter(|&slot| state.handle(slot).is_some()) {
            // While its one thread of the model waits, a process has another that closes and moves.
            actions.push(Action::Close(slot));
            for to in 0..PROCESSES as u8 {
                actions.push(Action::Move(slot, to));
            }
            if state.threads[usize::from(slot.process)] != Thread::Ready {
                continue;
            }
            for to in 0..PROCESSES as u8 {
                for rights in [ALL, READ | GRANT, WRITE] {
                    for deadline in [NEVER, state.now + 1] {
                        actions.push(Action::Copy(slot, to, rights, deadline));
                    }
                }
            }
            actions.extend([
                Action::Revoke(slot),
                Action::Call(slot),
                Action::Receive(slot),
            ]);
        }
        for process in 0..PROCESSES {
            if state.threads[process] == Thread::Ready && state.replies[process] != Reply::None {
                actions.extend([
                    Action::Reply(process as u8),
                    Action::CloseReply(process as u8),
                ]);
            }
        }
        actions.push(Action::Tick);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        match action {
            Action::Copy(from, to, rights, deadline) => {
                self.copy(&mut next, from, to, rights, deadline)
            }
            Action::Move(from, to) => self.transfer(&mut next, from, to),
            Action::Close(slot) => self.close(&mut next, slot),
            Action::Revoke(slot) => self.revoke(&mut next, slot),
            Action::Call(slot) => self.call(&mut next, slot),
            Action::Receive(slot) => self.receive(&mut next, slot),
            Action::Reply(server) => self.reply(&mut next, server),
            Action::CloseReply(server) => self.close_reply(&mut next, server),
            Action::Tick => self.tick(&mut next),
        }?;
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(RIGHTS_NEVER_GROW, |_, state: &State| {
                state.broken != Some(Broken::RightsGrew) && lineage_narrows(state)
            }),
            Property::always(DEAD_STAYS_DEAD, |_, state: &State| {
                state.broken != Some(Broken::DeadHandleWorked) && revoked_is_complete(state)
            }),
            Property::always(DESCENDANTS_ONLY, |_, state: &State| {
                state
                    .handles
                    .iter()
                    .flatten()
                    .all(|handle| !handle.revoked || state.dead >> handle.name & 1 != 0)
            }),
            Property::always(BLOCKED_HAS_WAKER, |_, state: &State| {
                (0..PROCESSES).all(|process| has_waker(state, process))
            }),
            Property::always(NO_REPLY_TWICE, |_, state: &State| {
                state.broken != Some(Broken::WrongReply)
            }),
            Property::sometimes(
                "a call is answered after a revocation",
                |_, state: &State| {
                    state.dead != 0 && state.parity[1] && state.threads[1] == Thread::Ready
                },
            ),
            Property::sometimes("a reply is orphaned", |_, state: &State| {
                state.replies.contains(&Reply::Orphan)
            }),
            Property::sometimes(
                "a caller waits while every receiver has a deadline",
                |_, state: &State| {
                    let lasts = |h: &Handle| h.rights & READ != 0 && h.deadline == NEVER;
                    let lasts = state.handles.iter().flatten().any(lasts);
                    let calls = |thread: &Thread| matches!(thread, Thread::Calling(_));
                    !lasts && state.threads.iter().any(calls)
                },
            ),
            Property::sometimes("three generations", |_, state: &State| {
                state.ancestors[2].count_ones() == 2
            }),
        ]
    }
}

const RIGHTS_NEVER_GROW: &str = "rights never grow";
const DEAD_STAYS_DEAD: &str = "a revoked or expired handle never works again";
const DESCENDANTS_ONLY: &str = "descendants only";
const BLOCKED_HAS_WAKER: &str = "a blocked thread has a waker or a deadline";
const NO_REPLY_TWICE: &str = "a reply goes once, to the call that it answers";

fn lineage_narrows(state: &State) -> bool {
    Slot::all().all(|slot| {
        let parent = state.links[slot.position()].parent;
        match (
            state.handle(slot),
            parent.map(|parent| state.handle(parent)),
        ) {
            (Some(child), Some(Some(parent))) => {
                child.rights & !parent.rights == 0 && child.deadline <= parent.deadline
            }
            (_, Some(None)) | (None, Some(_)) => false,
            (_, None) => true,
        }
    })
}

/// No handle that was to be revoked is left without its mark.
fn revoked_is_complete(state: &State) -> bool {
    let mut handles = state.handles.iter().flatten();
    handles.all(|handle| handle.revoked || state.dead >> handle.name & 1 == 0)
}

/// Whoever waits does so through a handle that works, and for something that can still come.
fn has_waker(state: &State, process: usize) -> bool {
    let thread = state.threads[process];
    let Some(through) = thread.through() else {
        return true;
    };
    let Some(handle) = state
        .handle(through)
        .filter(|handle| !state.is_dead(*handle))
    else {
        return false;
    };
    let comes = match thread {
        Thread::Ready | Thread::Receiving(_) => true,
        Thread::Calling(_) => state.receivers() > 0,
        Thread::AwaitingReply { server, .. } => {
            state.replies[usize::from(server)] == Reply::To(process as u8, state.parity[process])
        }
    };
    comes || handle.deadline != NEVER
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, Into::into)
}

#[test]
fn handles_and_calls_keep_their_promises_in_every_order() {
    let checker = Kernel(Fault::None)
        .checker()
        .threads(threads())
        .spawn_bfs()
        .join();
    checker.assert_properties();
    println!("{} states", checker.unique_state_count());
    assert!(checker.is_done() && checker.unique_state_count() > 10_000);
}

/// Each fault, and a property that it breaks.
const FAULTS: [(Fault, &str); 17] = [
    (Fault::CopyKeepsAllRights, RIGHTS_NEVER_GROW),
    (Fault::CopyNeedsNoGrant, RIGHTS_NEVER_GROW),
    (Fault::CopyExpiresLater, RIGHTS_NEVER_GROW),
    (Fault::MoveLosesItsParent, DEAD_STAYS_DEAD),
    (Fault::CloseMakesRoots, DEAD_STAYS_DEAD),
    (Fault::RevokeTakesChildrenOnly, DEAD_STAYS_DEAD),
    (Fault::RevokedIsNotChecked, DEAD_STAYS_DEAD),
    (Fault::ExpiryIsNotChecked, DEAD_STAYS_DEAD),
    (Fault::RevokeTakesSiblings, DESCENDANTS_ONLY),
    (Fault::RevokeTakesTheHandleItself, DESCENDANTS_ONLY),
    (Fault::RevokeLeavesWaiters, BLOCKED_HAS_WAKER),
    (Fault::ExpiryLeavesWaiters, BLOCKED_HAS_WAKER),
    (Fault::LastReceiverIsForgotten, BLOCKED_HAS_WAKER),
    (Fault::ExpiredReceiversCount, BLOCKED_HAS_WAKER),
    (Fault::ReplyIsNotOrphaned, NO_REPLY_TWICE),
    (Fault::ReplyIsNotUsedUp, NO_REPLY_TWICE),
    (Fault::HandleInUseIsClosed, BLOCKED_HAS_WAKER),
];

#[test]
fn every_fault_of_the_kernel_breaks_a_promise_and_is_found() {
    for (fault, property) in FAULTS {
        let any_of = HasDiscoveries::AnyOf([property].into());
        let checker = Kernel(fault).checker().finish_when(any_of);
        let checker = checker.threads(threads()).spawn_bfs().join();
        assert!(
            checker.discovery(property).is_some(),
            "{fault:?} does not break: {property}"
        );
    }
}
