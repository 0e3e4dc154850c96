//! Sends `init` and the console messages that fit no operation, many and random, then checks that both still answer.
#![no_std]
#![no_main]

use adversaries::{Random, console, say, succeeded};
use nonos_abi::{Handle, Message, MessageInfo, start};
use nonos_proto::{Refusal, console as terminals, init};
use nonos_rt::object::{Endpoint, Notification};
use nonos_rt::{parent, syscall};

nonos_rt::entry!(main);

const ROUNDS: u64 = 2000;

fn main() -> u64 {
    let mut terminal = console();
    let Ok(endpoint) = parent::connect("console") else {
        return adversaries::NO_CONSOLE;
    };
    let unknown = answer(start::PARENT, MessageInfo::new(init::label(0xFF), 0, 0));
    let version = answer(start::PARENT, MessageInfo::new(1, 4, 0));
    let malformed = answer(start::PARENT, MessageInfo::new(init::label(1), 8, 0));
    let no_handle = answer(
        endpoint.handle(),
        MessageInfo::new(terminals::label(5), 1, 0),
    );
    for (what, got, expected) in [
        ("an unknown operation", unknown, Refusal::UnknownOperation),
        ("an unknown version", version, Refusal::WrongVersion),
        ("too many words", malformed, Refusal::Malformed),
        ("a missing handle", no_handle, Refusal::Malformed),
    ] {
        if got != Some(expected) {
            return succeeded(
                &mut terminal,
                format_args!("{what} was answered with {got:?}"),
            );
        }
        say(&mut terminal, format_args!("denied: {what}: {expected}"));
    }
    for (target, label) in [
        (start::PARENT, init::label as fn(u8) -> u16),
        (endpoint.handle(), terminals::label),
    ] {
        if !flood(target, label) {
            return succeeded(
                &mut terminal,
                format_args!("a service does not answer any more"),
            );
        }
    }
    say(
        &mut terminal,
        format_args!("denied: {ROUNDS} random messages to each service, with handles"),
    );
    0
}

/// The refusal that a message without content is answered with.
fn answer(target: Handle, info: MessageInfo) -> Option<Refusal> {
    let reply = syscall::call(
        target,
        &Message {
            info,
            ..Message::default()
        },
    )
    .ok()?;
    Refusal::from_label(reply.info.label())
}

/// Sends random messages, each with handles that can be passed on and none of which may stay open
/// in the service; tells whether the service still answers as it should.
fn flood(target: Handle, label: fn(u8) -> u16) -> bool {
    let mut random = Random(7);
    let Ok(gift) = Notification::create() else {
        return false;
    };
    for _ in 0..ROUNDS {
        let handles = random.below(5) as usize;
        // Operation 1 of the console writes to the screen: left out, the report shall stay readable.
        let label = match random.below(2) {
            0 => label(2 + random.below(0x20) as u8),
            _ => 2 + random.below(0xFE) as u16 + (random.below(0x100) << 8) as u16,
        };
        let message = Message {
            info: MessageInfo::new(label, random.below(9) as usize, handles),
            words: core::array::from_fn(|_| random.draw()),
            handles: [gift.handle(); 4],
        };
        let _ = syscall::call(target, &message).map(|reply| {
            reply
                .handles
                .into_iter()
                .for_each(|handle| drop(Endpoint::from_handle(handle)));
        });
    }
    answer(target, MessageInfo::new(label(0xFF), 0, 0)) == Some(Refusal::UnknownOperation)
}
