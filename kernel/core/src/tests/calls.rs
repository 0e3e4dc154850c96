//! Calls: messages, badges, replies, handles in messages, and peers that go away.

use nonos_abi::{Error, Handle, MessageInfo, Rights, Syscall, start};

use crate::arena::ProcessId;
use crate::handle::REPLY_SLOTS;
use crate::testing::World;
use crate::thread::ThreadState;

/// A server (`init`) with an endpoint, and two clients with a badged handle each.
struct Calls {
    world: World,
    server: ProcessId,
    endpoint: u64,
    clients: [ProcessId; 2],
    /// Each client's handle.
    doors: [u64; 2],
    /// The server's handles to the clients' processes.
    processes: [u64; 2],
}

const BADGES: [u64; 2] = [0xAAAA_0001, 0xBBBB_0002];

fn calls() -> Calls {
    let mut world = World::default();
    let server = world.init();
    let endpoint = world.value(server, Syscall::EndpointCreate, &[]);
    let started = [world.start_worker(), world.start_worker()];
    let doors = core::array::from_fn(|i| {
        let rights = Rights::WRITE.or(Rights::GRANT).bits();
        let badged = world.value(
            server,
            Syscall::EndpointBadge,
            &[endpoint, BADGES[i], rights],
        );
        let door = world.share(server, badged, started[i].0);
        world.value(server, Syscall::HandleClose, &[badged]);
        door
    });
    let clients = started.map(|(client, _)| client);
    Calls {
        world,
        server,
        endpoint,
        clients,
        doors,
        processes: started.map(|(_, handle)| handle),
    }
}

impl Calls {
    /// Executes a call with a message in the registers.
    fn send(
        &mut self,
        from: ProcessId,
        call: Syscall,
        to: u64,
        info: MessageInfo,
        handles: [u64; 4],
    ) {
        self.world.switch_to(from);
        let context = self.world.context(from);
        context.rax = call as u64;
        context.rdi = to;
        context.rsi = info.0;
        [context.rdx, context.r10, context.r8, context.r9] = [1, 2, 3, 4];
        [context.r12, context.r13, context.r14, context.r15] = [5, 6, 7, 8];
        context.rbx = handles[0] | handles[1] << 32;
        context.rbp = handles[2] | handles[3] << 32;
        self.world.event(crate::machine::Event::Syscall);
    }

    fn client_calls(&mut self, i: usize, info: MessageInfo, handles: [u64; 4]) {
        self.send(self.clients[i], Syscall::Call, self.doors[i], info, handles);
    }

    fn server_receives(&mut self) -> Result<[u64; 2], Error> {
        self.world
            .call(self.server, Syscall::Receive, &[self.endpoint])
    }

    fn words(&mut self, process: ProcessId) -> [u64; 8] {
        self.world.context(process).words()
    }

    fn handles(&mut self, process: ProcessId) -> [u64; 4] {
        let context = self.world.context(process);
        let low = |register| register & 0xFFFF_FFFF;
        [
            low(context.rbx),
            context.rbx >> 32,
            low(context.rbp),
            context.rbp >> 32,
        ]
    }

    fn kind_and_rights(&mut self, process: ProcessId, handle: u64) -> Result<[u64; 2], Error> {
        self.world.call(process, Syscall::HandleInfo, &[handle])
    }
}

const NO_HANDLES: [u64; 4] = [0; 4];

#[test]
fn a_call_to_a_waiting_server_arrives_and_is_answered() {
    let mut calls = calls();
    let (server, client) = (calls.server, calls.clients[0]);
    calls
        .world
        .begin(server, Syscall::Receive, &[calls.endpoint]);
    assert!(calls.world.is_blocked(server));
    calls.client_calls(0, MessageInfo::new(9, 3, 0), NO_HANDLES);
    assert!(calls.world.is_blocked(client));

    let [badge, info] = calls.world.result(server).unwrap();
    let info = MessageInfo(info);
    assert_eq!(
        (badge, info.label(), info.words(), info.handles()),
        (BADGES[0], 9, 3, 0)
    );
    assert_eq!(
        calls.words(server),
        [1, 2, 3, 0, 0, 0, 0, 0],
        "words beyond the count are zero"
    );
    assert_eq!(calls.handles(server), NO_HANDLES);

    let reply = info.reply().raw().into();
    calls.send(
        server,
        Syscall::Reply,
        reply,
        MessageInfo::new(5, 8, 0),
        NO_HANDLES,
    );
    assert!(calls.world.result(server).is_ok());
    let [badge, info] = calls.world.result(client).unwrap();
    assert_eq!((badge, MessageInfo(info)), (0, MessageInfo::new(5, 8, 0)));
    assert_eq!(calls.words(client), [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn four_handles_arrive_in_their_order() {
    let mut calls = calls();
    let (server, client) = (calls.server, calls.clients[0]);
    let created = [
        Syscall::NotificationCreate,
        Syscall::EndpointCreate,
        Syscall::TimerCreate,
        Syscall::NotificationCreate,
    ];
    let handles = created.map(|create| calls.world.value(client, create, &[]));
    let kinds = handles.map(|handle| calls.kind_and_rights(client, handle).map(|[kind, _]| kind));
    calls.client_calls(0, MessageInfo::new(0, 0, 4).moving(0b1111), handles);
    let [_, info] = calls.server_receives().unwrap();
    assert_eq!(MessageInfo(info).handles(), 4);
    let arrived = calls.handles(server);
    let found = arrived.map(|handle| calls.kind_and_rights(server, handle).map(|[kind, _]| kind));
    assert_eq!(found, kinds);
}

#[test]
fn a_call_before_the_server_receives_waits_in_order() {
    let mut calls = calls();
    for i in [1, 0] {
        calls.client_calls(i, MessageInfo::new(i as u16, 0, 0), NO_HANDLES);
        assert!(calls.world.is_blocked(calls.clients[i]));
    }
    for i in [1, 0] {
        let [badge, info] = calls.server_receives().unwrap();
        assert_eq!(
            (badge, usize::from(MessageInfo(info).label())),
            (BADGES[i], i)
        );
    }
}

#[test]
fn a_reply_handle_answers_once() {
    let mut calls = calls();
    calls.client_calls(0, MessageInfo::new(0, 0, 0), NO_HANDLES);
    let [_, info] = calls.server_receives().unwrap();
    let reply = MessageInfo(info).reply().raw().into();
    let server = calls.server;
    assert!(
        calls
            .world
            .call(server, Syscall::Reply, &[reply, 0])
            .is_ok()
    );
    assert!(!calls.world.is_blocked(calls.clients[0]));
    let again = calls.world.call(server, Syscall::Reply, &[reply, 0]);
    assert_eq!(again, Err(Error::NoHandle));
}

#[test]
fn reply_handles_cannot_be_copied_or_sent() {
    let mut calls = calls();
    calls.client_calls(0, MessageInfo::new(0, 0, 0), NO_HANDLES);
    let [_, info] = calls.server_receives().unwrap();
    let reply = MessageInfo(info).reply().raw().into();
    let server = calls.server;
    let copied = calls.world.call(server, Syscall::HandleCopy, &[reply, 31]);
    assert_eq!(copied, Err(Error::MissingRight));
    let (_, child) = calls.world.create_worker();
    let granted = calls
        .world
        .call(server, Syscall::ProcessGrant, &[child, reply, 31]);
    assert_eq!(granted, Err(Error::MissingRight));
    let with_itself = MessageInfo::new(0, 0, 1).moving(1);
    calls.send(server, Syscall::Reply, reply, with_itself, [reply, 0, 0, 0]);
    assert_eq!(calls.world.result(server), Err(Error::MissingRight));
    assert!(
        calls.world.is_blocked(calls.clients[0]),
        "the call is still open"
    );
}

#[test]
fn reply_receive_answers_and_takes_the_next_call() {
    let mut calls = calls();
    let server = calls.server;
    calls.client_calls(0, MessageInfo::new(0, 0, 0), NO_HANDLES);
    calls.client_calls(1, MessageInfo::new(0, 2, 0), NO_HANDLES);
    let [_, info] = calls.server_receives().unwrap();
    let reply = u64::from(MessageInfo(info).reply().raw());
    let both = calls.endpoint | reply << 32;
    calls.send(
        server,
        Syscall::ReplyReceive,
        both,
        MessageInfo::new(3, 1, 0),
        NO_HANDLES,
    );
    let [badge, info] = calls.world.result(server).unwrap();
    assert_eq!((badge, MessageInfo(info).words()), (BADGES[1], 2));
    let [_, info] = calls.world.result(calls.clients[0]).unwrap();
    assert_eq!(MessageInfo(info), MessageInfo::new(3, 1, 0));
    let reply = u64::from(MessageInfo(calls.world.context(server).rsi).reply().raw());
    let both = calls.endpoint | reply << 32;
    calls.send(
        server,
        Syscall::ReplyReceive,
        both,
        MessageInfo::new(3, 0, 0),
        NO_HANDLES,
    );
    assert!(calls.world.is_blocked(server));
}

#[test]
fn reply_receive_on_a_bad_endpoint_does_not_answer() {
    let mut calls = calls();
    calls.client_calls(0, MessageInfo::new(0, 0, 0), NO_HANDLES);
    let [_, info] = calls.server_receives().unwrap();
    let reply = u64::from(MessageInfo(info).reply().raw());
    let refused = calls
        .world
        .call(calls.server, Syscall::ReplyReceive, &[99 | reply << 32, 0]);
    assert_eq!(refused, Err(Error::NoHandle));
    assert!(calls.world.is_blocked(calls.clients[0]));
}

#[test]
fn rights_are_needed_to_call_and_to_receive() {
    let mut calls = calls();
    let (client, door) = (calls.clients[0], calls.doors[0]);
    let refused = calls.world.call(client, Syscall::Receive, &[door]);
    assert_eq!(refused, Err(Error::MissingRight));
    let read = [calls.endpoint, Rights::READ.bits()];
    let readable = calls.world.value(calls.server, Syscall::HandleCopy, &read);
    let refused = calls
        .world
        .call(calls.server, Syscall::Call, &[readable, 0]);
    assert_eq!(refused, Err(Error::MissingRight));
}

#[test]
fn a_badge_is_given_once_and_survives_copies() {
    let mut calls = calls();
    let (client, door) = (calls.clients[0], calls.doors[0]);
    let rebadged = calls
        .world
        .call(client, Syscall::EndpointBadge, &[door, 5, 31]);
    assert_eq!(rebadged, Err(Error::InvalidArgument));
    let none = calls.world.call(
        calls.server,
        Syscall::EndpointBadge,
        &[calls.endpoint, 0, 31],
    );
    assert_eq!(none, Err(Error::InvalidArgument));
    calls.doors[0] = calls.world.value(client, Syscall::HandleCopy, &[door, 31]);
    calls.client_calls(0, MessageInfo::new(0, 0, 0), NO_HANDLES);
    assert_eq!(calls.server_receives().unwrap()[0], BADGES[0]);
}

#[test]
fn handles_are_copied_or_moved_as_the_message_says() {
    let mut calls = calls();
    let (server, client) = (calls.server, calls.clients[0]);
    let memory = calls.world.value(client, Syscall::MemoryCreate, &[1]);
    let notification = calls.world.value(client, Syscall::NotificationCreate, &[]);
    let info = MessageInfo::new(0, 0, 2).moving(0b10);
    calls.client_calls(0, info, [memory, notification, 0, 0]);
    let [_, info] = calls.server_receives().unwrap();
    assert_eq!(MessageInfo(info).handles(), 2);
    let [first, second, none, nothing] = calls.handles(server);
    assert_eq!((none, nothing), (0, 0));
    let memory_kind = nonos_abi::ObjectKind::Memory as u64;
    assert_eq!(
        calls.kind_and_rights(server, first).unwrap()[0],
        memory_kind
    );
    let notification_kind = nonos_abi::ObjectKind::Notification as u64;
    assert_eq!(
        calls.kind_and_rights(server, second).unwrap()[0],
        notification_kind
    );
    let reply = MessageInfo(info).reply().raw().into();
    calls.send(
        server,
        Syscall::Reply,
        reply,
        MessageInfo::new(0, 0, 0),
        NO_HANDLES,
    );
    assert!(calls.kind_and_rights(client, memory).is_ok(), "copied");
    assert_eq!(
        calls.kind_and_rights(client, notification),
        Err(Error::NoHandle),
        "moved"
    );
}

#[test]
fn a_message_with_bad_counts_or_handles_is_refused_and_nothing_moves() {
    let mut calls = calls();
    let client = calls.clients[0];
    let good = calls.world.value(client, Syscall::NotificationCreate, &[]);
    let own = u64::from(start::SELF.raw());
    let used = calls.world.kernel.handle_count(client);
    for (info, handles, error) in [
        (
            MessageInfo::new(0, 9, 0),
            NO_HANDLES,
            Error::InvalidArgument,
        ),
        (
            MessageInfo::new(0, 15, 0),
            NO_HANDLES,
            Error::InvalidArgument,
        ),
        (
            MessageInfo::new(0, 0, 5),
            NO_HANDLES,
            Error::InvalidArgument,
        ),
        (MessageInfo::new(0, 0, 1), [0; 4], Error::NoHandle),
        (
            MessageInfo::new(0, 0, 2).moving(1),
            [good, 77, 0, 0],
            Error::NoHandle,
        ),
        (
            MessageInfo::new(0, 0, 2).moving(1),
            [good, own, 0, 0],
            Error::MissingRight,
        ),
        (
            MessageInfo::new(0, 0, 2).moving(1),
            [good, good, 0, 0],
            Error::InvalidArgument,
        ),
        (
            MessageInfo::new(0, 0, 3).moving(4),
            [good, own, good, 0],
            Error::MissingRight,
        ),
    ] {
        calls.client_calls(0, info, handles);
        assert_eq!(calls.world.result(client), Err(error), "{info:?}");
        assert_eq!(calls.world.kernel.handle_count(client), used);
        assert!(calls.kind_and_rights(client, good).is_ok());
    }
}

#[test]
fn the_same_handle_can_be_copied_twice() {
    let mut calls = calls();
    let good = calls
        .world
        .value(calls.clients[0], Syscall::NotificationCreate, &[]);
    calls.client_calls(0, MessageInfo::new(0, 0, 2), [good, good, 0, 0]);
    calls.server_receives().unwrap();
    let server = calls.server;
    let [first, second, ..] = calls.handles(server);
    assert_ne!(first, second);
    assert!(calls.kind_and_rights(server, second).is_ok());
}

#[test]
fn a_full_table_of_the_receiver_fails_the_call_and_moves_nothing() {
    let mut calls = calls();
    let (server, client) = (calls.server, calls.clients[0]);
    let moved = calls.world.value(client, Syscall::NotificationCreate, &[]);
    while calls
        .world
        .call(server, Syscall::HandleCopy, &[calls.endpoint, 31])
        .is_ok()
    {}
    // Once with the call waiting for the server, once with the server waiting for the call.
    let info = MessageInfo::new(0, 0, 1).moving(1);
    calls.client_calls(0, info, [moved, 0, 0, 0]);
    calls
        .world
        .begin(server, Syscall::Receive, &[calls.endpoint]);
    assert!(calls.world.is_blocked(server));
    assert_eq!(calls.world.result(client), Err(Error::OutOfHandles));
    calls.client_calls(0, info, [moved, 0, 0, 0]);
    assert_eq!(calls.world.result(client), Err(Error::OutOfHandles));
    assert!(calls.world.is_blocked(server));
    assert!(calls.kind_and_rights(client, moved).is_ok());
    calls.client_calls(0, MessageInfo::new(0, 1, 0), NO_HANDLES);
    assert_eq!(
        calls.world.result(server).unwrap()[0],
        BADGES[0],
        "a call without handles fits"
    );
}

#[test]
fn a_full_table_of_the_caller_fails_the_reply_which_can_be_repeated_without_handles() {
    let mut calls = calls();
    let (server, client) = (calls.server, calls.clients[0]);
    let given = calls.world.value(server, Syscall::NotificationCreate, &[]);
    while calls
        .world
        .call(client, Syscall::HandleCopy, &[calls.doors[0], 31])
        .is_ok()
    {}
    calls.client_calls(0, MessageInfo::new(0, 0, 0), NO_HANDLES);
    let [_, info] = calls.server_receives().unwrap();
    let reply = MessageInfo(info).reply().raw().into();
    let with_handle = MessageInfo::new(0, 0, 1).moving(1);
    calls.send(server, Syscall::Reply, reply, with_handle, [given, 0, 0, 0]);
    assert_eq!(calls.world.result(server), Err(Error::OutOfHandles));
    assert!(calls.world.is_blocked(client));
    assert!(calls.kind_and_rights(server, given).is_ok());
    calls.send(
        server,
        Syscall::Reply,
        reply,
        MessageInfo::new(1, 0, 0),
        NO_HANDLES,
    );
    assert_eq!(
        calls.world.result(client).unwrap()[1],
        MessageInfo::new(1, 0, 0).0
    );
}

#[test]
fn a_server_that_answers_nobody_runs_out_of_reply_slots_and_of_nothing_else() {
    let mut calls = calls();
    let server = calls.server;
    for _ in 0..REPLY_SLOTS {
        calls.world.kernel.table(server).insert_reply().unwrap();
    }
    calls.client_calls(0, MessageInfo::new(0, 0, 0), NO_HANDLES);
    assert_eq!(calls.server_receives(), Err(Error::OutOfHandles));
    assert!(calls.world.is_blocked(calls.clients[0]));
    assert!(
        calls
            .world
            .call(server, Syscall::NotificationCreate, &[])
            .is_ok()
    );
}

#[test]
fn a_thread_that_waits_for_a_call_keeps_a_reply_slot_for_it() {
    let mut calls = calls();
    let (server, endpoint) = (calls.server, calls.endpoint);
    let world = &mut calls.world;
    let bound = world.value(server, Syscall::NotificationCreate, &[]);
    world
        .call(server, Syscall::NotificationBind, &[bound])
        .unwrap();
    let signals = world.share(server, bound, calls.clients[1]);
    for _ in 1..REPLY_SLOTS {
        world.kernel.table(server).insert_reply().unwrap();
    }

    world.begin(server, Syscall::Receive, &[endpoint]);
    let none_left = world.kernel.table(server).insert_reply();
    assert_eq!(none_left, Err(Error::OutOfHandles));
    world
        .call(calls.clients[1], Syscall::NotificationSignal, &[signals, 1])
        .unwrap();
    assert_eq!(world.result(server).unwrap()[0], 1);
    let reply = world.kernel.table(server).insert_reply();
    world.kernel.table(server).take(reply.unwrap().index());

    world.begin(server, Syscall::Receive, &[endpoint]);
    calls.client_calls(0, MessageInfo::new(0, 0, 0), NO_HANDLES);
    assert_eq!(calls.world.result(server).unwrap()[0], BADGES[0]);
    assert_eq!(calls.server_receives(), Err(Error::OutOfHandles));
}

#[test]
fn a_caller_killed_while_it_waits_leaves_a_reply_handle_that_says_so() {
    let mut calls = calls();
    let server = calls.server;
    for i in [0, 1] {
        calls.client_calls(i, MessageInfo::new(0, 0, 0), NO_HANDLES);
    }
    let replies = [0, 1].map(|i| {
        let [_, info] = calls.server_receives().unwrap();
        calls
            .world
            .value(server, Syscall::ProcessKill, &[calls.processes[i]]);
        u64::from(MessageInfo(info).reply().raw())
    });
    let [first, second] = replies;
    assert_eq!(
        calls.world.call(server, Syscall::Reply, &[first, 0]),
        Err(Error::PeerGone)
    );
    assert_eq!(
        calls.world.call(server, Syscall::Reply, &[first, 0]),
        Err(Error::NoHandle)
    );
    // A server that goes on to the next call does not care.
    let both = calls.endpoint | second << 32;
    calls.world.begin(server, Syscall::ReplyReceive, &[both, 0]);
    assert!(matches!(
        calls.world.state(server),
        ThreadState::Receiving(_)
    ));
}

#[test]
fn a_caller_killed_in_the_queue_is_skipped() {
    let mut calls = calls();
    for i in [0, 1] {
        calls.client_calls(i, MessageInfo::new(0, 0, 0), NO_HANDLES);
    }
    calls
        .world
        .value(calls.server, Syscall::ProcessKill, &[calls.processes[0]]);
    assert_eq!(calls.server_receives().unwrap()[0], BADGES[1]);
}

#[test]
fn a_message_that_waited_is_checked_again_when_it_is_taken() {
    let mut calls = calls();
    let (server, clients) = (calls.server, calls.clients);
    let bell = calls.world.value(server, Syscall::NotificationCreate, &[]);
    let lent = calls.world.share(server, bell, clients[0]);
    calls.client_calls(0, MessageInfo::new(0, 1, 1), [lent, 0, 0, 0]);
    calls.client_calls(1, MessageInfo::new(0, 0, 0), NO_HANDLES);
    calls.world.value(server, Syscall::HandleRevoke, &[bell]);
    assert_eq!(calls.server_receives().unwrap()[0], BADGES[1]);
    assert_eq!(calls.handles(server), NO_HANDLES);
    assert_eq!(calls.world.result(clients[0]), Err(Error::Revoked));
}

#[test]
fn callers_are_told_when_the_server_dies_received_or_not() {
    let mut calls = calls();
    let (server, clients) = (calls.server, calls.clients);
    for i in [0, 1] {
        calls.client_calls(i, MessageInfo::new(0, 0, 0), NO_HANDLES);
    }
    calls.server_receives().unwrap();
    calls.world.begin(server, Syscall::Exit, &[1]);
    for client in clients {
        assert_eq!(calls.world.result(client), Err(Error::PeerGone));
    }
    calls.client_calls(0, MessageInfo::new(0, 0, 0), NO_HANDLES);
    assert_eq!(
        calls.world.result(clients[0]),
        Err(Error::PeerGone),
        "later calls, too"
    );
}

#[test]
fn closing_the_last_receiving_handle_or_a_reply_handle_wakes_callers() {
    let mut calls = calls();
    let (server, clients) = (calls.server, calls.clients);
    for i in [0, 1] {
        calls.client_calls(i, MessageInfo::new(0, 0, 0), NO_HANDLES);
    }
    let [_, info] = calls.server_receives().unwrap();
    let write = Rights::WRITE.bits();
    calls
        .world
        .value(server, Syscall::HandleCopy, &[calls.endpoint, write]);
    calls
        .world
        .value(server, Syscall::HandleClose, &[calls.endpoint]);
    assert_eq!(calls.world.result(clients[1]), Err(Error::PeerGone));
    assert!(calls.world.is_blocked(clients[0]), "its call was received");
    let reply = MessageInfo(info).reply().raw().into();
    calls.world.value(server, Syscall::HandleClose, &[reply]);
    assert_eq!(calls.world.result(clients[0]), Err(Error::PeerGone));
}

#[test]
fn an_endpoint_can_be_received_from_by_whoever_was_given_the_right() {
    let mut calls = calls();
    let (server, client) = (calls.server, calls.clients[1]);
    let receiver = calls.world.share(server, calls.endpoint, client);
    calls
        .world
        .value(server, Syscall::HandleClose, &[calls.endpoint]);
    calls.client_calls(0, MessageInfo::new(4, 0, 0), NO_HANDLES);
    let [badge, _] = calls
        .world
        .call(client, Syscall::Receive, &[receiver])
        .unwrap();
    assert_eq!(badge, BADGES[0]);
}

#[test]
fn reply_slots_start_again_and_other_slots_do_not() {
    let mut calls = calls();
    let server = calls.server;
    let mut table = calls.world.kernel.table(server);
    let first = table.insert_reply().unwrap();
    table.take(first.index());
    for _ in 0..Handle::LAST_GENERATION {
        let handle = table.insert_reply().unwrap();
        assert_ne!(handle, first);
        table.take(handle.index());
    }
    assert_eq!(table.insert_reply().unwrap(), first);
    table.take(first.index());
}

/// A server whose one handle to receive with expires at 1000, and a caller in its queue.
fn calls_until_1000() -> (Calls, u64) {
    let mut calls = calls();
    let server = calls.server;
    let until = [calls.endpoint, Rights::ALL.bits(), 1000];
    let short = calls.world.value(server, Syscall::HandleCopy, &until);
    calls.client_calls(0, MessageInfo::new(0, 0, 0), NO_HANDLES);
    let forever = [calls.endpoint];
    calls.world.value(server, Syscall::HandleClose, &forever);
    (calls, short)
}

#[test]
fn callers_are_told_when_the_last_handle_that_can_receive_expires() {
    let (mut calls, _) = calls_until_1000();
    let [first, second] = calls.clients;
    calls.world.advance(900);
    calls.client_calls(1, MessageInfo::new(0, 0, 0), NO_HANDLES);
    assert!(calls.world.is_blocked(first) && calls.world.is_blocked(second));
    calls.world.advance(200);
    assert_eq!(calls.world.result(first), Err(Error::PeerGone));
    assert_eq!(calls.world.result(second), Err(Error::PeerGone));
    calls.client_calls(0, MessageInfo::new(0, 0, 0), NO_HANDLES);
    assert_eq!(
        calls.world.result(first),
        Err(Error::PeerGone),
        "at once from then on"
    );
}

#[test]
fn a_caller_that_comes_when_all_that_can_receive_will_expire_waits_no_longer_than_that() {
    let mut calls = calls();
    let (server, client) = (calls.server, calls.clients[0]);
    let until = [calls.endpoint, Rights::ALL.bits(), 1000];
    calls.world.value(server, Syscall::HandleCopy, &until);
    let forever = [calls.endpoint];
    calls.world.value(server, Syscall::HandleClose, &forever);
    calls.client_calls(0, MessageInfo::new(0, 0, 0), NO_HANDLES);
    assert!(calls.world.is_blocked(client));
    calls.world.advance(1100);
    assert_eq!(calls.world.result(client), Err(Error::PeerGone));
}

#[test]
fn callers_wait_for_the_last_of_several_that_expire_and_no_longer() {
    let (mut calls, short) = calls_until_1000();
    let (server, client) = (calls.server, calls.clients[0]);
    for deadline_ns in [600, 400] {
        let earlier = [short, Rights::ALL.bits(), deadline_ns];
        calls.world.value(server, Syscall::HandleCopy, &earlier);
    }
    calls.world.value(server, Syscall::HandleClose, &[short]);
    calls.world.advance(500);
    assert!(calls.world.is_blocked(client), "one has 100 ns left");
    calls.world.advance(150);
    assert_eq!(calls.world.result(client), Err(Error::PeerGone));
}

#[test]
fn callers_are_told_when_what_is_left_has_expired_before() {
    let mut calls = calls();
    let (server, client) = (calls.server, calls.clients[0]);
    let until = [calls.endpoint, Rights::ALL.bits(), 100];
    calls.world.value(server, Syscall::HandleCopy, &until);
    calls.world.begin(server, Syscall::Sleep, &[5000]);
    calls.client_calls(0, MessageInfo::new(0, 0, 0), NO_HANDLES);
    calls.world.advance(6000);
    assert!(calls.world.is_blocked(client), "one does not expire");
    let forever = [calls.endpoint];
    calls.world.value(server, Syscall::HandleClose, &forever);
    calls.world.advance(1);
    assert_eq!(calls.world.result(client), Err(Error::PeerGone));
}

#[test]
fn a_call_is_received_while_all_that_can_receive_expire_later() {
    let (mut calls, short) = calls_until_1000();
    let client = calls.clients[0];
    calls.world.advance(500);
    calls.endpoint = short;
    calls.server_receives().unwrap();
    calls.world.advance(1000);
    assert!(
        calls.world.is_blocked(client),
        "the answer may still come: the call was received"
    );
}

#[test]
fn callers_are_told_when_the_last_handle_that_can_receive_is_closed() {
    let mut calls = calls();
    let (server, [first, second]) = (calls.server, calls.clients);
    let until = [calls.endpoint, Rights::ALL.bits(), 1000];
    let short = calls.world.value(server, Syscall::HandleCopy, &until);
    calls.world.value(server, Syscall::HandleClose, &[short]);
    calls.client_calls(0, MessageInfo::new(0, 0, 0), NO_HANDLES);
    assert!(calls.world.is_blocked(first), "one does not expire");
    // Invariants are checked then: nobody is noted as who can receive.
    let forever = [calls.endpoint];
    calls.world.value(server, Syscall::HandleClose, &forever);
    assert_eq!(calls.world.result(first), Err(Error::PeerGone));
    calls.client_calls(1, MessageInfo::new(0, 0, 0), NO_HANDLES);
    assert_eq!(calls.world.result(second), Err(Error::PeerGone));
}
