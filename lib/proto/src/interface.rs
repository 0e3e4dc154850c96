//! What `interface!` generates from, and the few types that generated code shares.

use core::marker::PhantomData;

use nonos_abi::{Error, Handle, Message, MessageInfo};

use crate::{CallError, Lent, Packer, Refusal, Unpacker, Value};

/// Who called, as the kernel says it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Caller {
    /// Badge of the handle that was called through; no caller can choose it.
    pub badge: u64,
}

/// A call that is still to be answered, with a result of type `T`.
#[derive(Debug)]
#[must_use = "a caller waits for the answer"]
pub struct Ticket<T> {
    reply: Handle,
    result: PhantomData<fn(T)>,
}

impl<T: Value> Ticket<T> {
    /// The ticket of a call that arrived with this reply handle.
    pub fn new(reply: Handle) -> Self {
        Self {
            reply,
            result: PhantomData,
        }
    }

    /// The handle to answer with.
    pub fn reply(&self) -> Handle {
        self.reply
    }

    /// The message that answers the call.
    pub fn message(&self, result: Result<T, Refusal>) -> Message {
        reply_message(result)
    }
}

/// How a client's calls reach the server.
pub trait Transport {
    /// Sends a request and waits for the reply.
    fn call(&self, request: &Message) -> Result<Message, Error>;

    /// The same; the receiver may use this memory until it replies.
    fn call_lending(&self, request: &Message, lent: &mut [Lent<'_>]) -> Result<Message, Error> {
        let _ = (request, lent);
        Err(Error::NotSupported)
    }

    /// Closes a handle that came with a reply which is not used.
    fn close(&self, handle: Handle);
}

/// The reply that carries a result.
pub fn reply_message<T: Value>(result: Result<T, Refusal>) -> Message {
    match result {
        Ok(value) => {
            let mut out = Packer::default();
            value.pack(&mut out);
            out.reply()
        }
        Err(refusal) => Message {
            info: MessageInfo::new(refusal.label(), 0, 0),
            ..Message::default()
        },
    }
}

/// Sends a request and decodes its reply. A reply that does not fit is dropped, its handles closed.
pub fn transact<T: Value>(transport: &impl Transport, request: &Message) -> Result<T, CallError> {
    decode(transport, transport.call(request))
}

/// The same; the receiver may use this memory until it replies.
pub fn transact_lending<T: Value>(
    transport: &impl Transport,
    request: &Message,
    lent: &mut [Lent<'_>],
) -> Result<T, CallError> {
    decode(transport, transport.call_lending(request, lent))
}

fn decode<T: Value>(
    transport: &impl Transport,
    reply: Result<Message, Error>,
) -> Result<T, CallError> {
    let reply = reply.map_err(CallError::Unreachable)?;
    let decoded = match reply.info.label() {
        0 => {
            let mut input = Unpacker::new(&reply);
            T::unpack(&mut input)
                .and_then(|value| input.end().map(|()| value))
                .ok_or(CallError::BadReply)
        }
        label => Err(Refusal::from_label(label).map_or(CallError::BadReply, CallError::Refused)),
    };
    if decoded.is_err() {
        reply
            .handles
            .into_iter()
            .filter(|&h| h != Handle::NONE)
            .for_each(|h| transport.close(h));
    }
    decoded
}

/// The label of a request: version of the interface, and number of the operation.
pub const fn request_label(version: u8, operation: u8) -> u16 {
    (version as u16) << 8 | operation as u16
}

/// The number of a request's operation, when the request is of this version.
pub fn operation(version: u8, request: &Message) -> Result<u8, Refusal> {
    let [operation, asked] = request.info.label().to_le_bytes();
    if asked != version {
        return Err(Refusal::WrongVersion);
    }
    Ok(operation)
}

/// Refuses a request that does not lend exactly so many ranges of memory.
pub fn check_leases(request: &Message, leases: usize) -> Result<(), Refusal> {
    if request.info.leases() == leases {
        Ok(())
    } else {
        Err(Refusal::Malformed)
    }
}

/// Makes the server's trait, `dispatch` and `Client` of a list of operations.
///
/// ```text
/// interface! {
///     /// What the server is.
///     pub trait Clock, version 1;
///
///     /// What the operation does.
///     1 => answered time(zone: Name) -> u64;
///     2 => deferred wait(until: u64) -> ();
///     3 => answered describe(zone: Name; text: write) -> u64;
/// }
/// ```
/// An `answered` operation returns its result; a `deferred` one is given a [`Ticket`] to answer when it can. Behind `;` stands the
/// memory that the caller lends: bytes for the client, for the server a [`crate::Lease`] to `read`, `write`, or `change` (both) them.
macro_rules! interface {
    ($(#[$outer:meta])* pub trait $server:ident, version $version:literal; $(
        $(#[$doc:meta])*
        $label:literal => $kind:ident $name:ident(
            $($argument:ident: $type:ty),* $(; $($lease:ident: $access:ident),+)?
        ) -> $result:ty;
    )+) => {
        $(#[$outer])*
        pub trait $server {$(
            $crate::interface::method! {
                $kind [$(#[$doc])*]
                $name($($argument: $type,)* $($($lease: $crate::Lease,)+)?) -> $result
            }
        )+}

        /// Version of the interface: grows when its operations change.
        pub const VERSION: u8 = $version;

        /// The name of an operation, for a person.
        #[allow(dead_code)] // The interfaces of the tests alone do without it.
        pub fn name_of(operation: u8) -> &'static str {
            match operation {
                $($label => stringify!($name),)+
                _ => "?",
            }
        }

        /// The label of a request for an operation.
        pub const fn label(operation: u8) -> u16 {
            $crate::interface::request_label(VERSION, operation)
        }

        $(const _: () = {
            use $crate::Value;
            let leases = $crate::interface::count!($($($lease)+)?);
            let words = 2 * leases $(+ <$type as Value>::WORDS)*;
            let handles = 0 $(+ <$type as Value>::HANDLES)*;
            assert!(leases <= nonos_abi::message::MESSAGE_LEASES);
            assert!(words <= nonos_abi::message::MESSAGE_WORDS);
            assert!(handles <= nonos_abi::message::MESSAGE_HANDLES);
            assert!(<$result as Value>::WORDS <= nonos_abi::message::MESSAGE_WORDS);
            assert!(<$result as Value>::HANDLES <= nonos_abi::message::MESSAGE_HANDLES);
        };)+

        /// Decodes a request and has the server do it. Returns the reply, or `None` when the server keeps
        /// the [`Ticket`](crate::Ticket) to answer later.
        ///
        /// # Errors
        /// The request was refused before the server saw it: close the handles it brought.
        pub fn dispatch(
            server: &mut impl $server,
            caller: $crate::Caller,
            request: &nonos_abi::Message,
        ) -> Result<Option<nonos_abi::Message>, $crate::Refusal> {
            match $crate::interface::operation(VERSION, request)? {
                $($label => {
                    #[allow(unused_mut)]
                    let mut input = $crate::Unpacker::new(request);
                    $crate::interface::check_leases(
                        request,
                        $crate::interface::count!($($($lease)+)?),
                    )?;
                    $(let $argument = <$type as $crate::Value>::unpack(&mut input)
                        .ok_or($crate::Refusal::Malformed)?;)*
                    input.end().ok_or($crate::Refusal::Malformed)?;
                    $crate::interface::leases! { request 0; $($($lease)+)? }
                    $crate::interface::answer! {
                        $kind request server.$name(caller $(, $argument)* $($(, $lease)+)?)
                    }
                })+
                _ => Err($crate::Refusal::UnknownOperation),
            }
        }

        /// The server, as its callers see it.
        #[derive(Debug)]
        pub struct Client<T>(pub T);

        impl<T: $crate::Transport> Client<T> {$(
            $crate::interface::client! {
                [$(#[$doc])*] label($label)
                $name($($argument: $type),*; $($($lease: $access),+)?) -> $result
            }
        )+}
    };
}

/// How many names there are.
macro_rules! count {
    () => { 0_usize };
    ($($name:ident)+) => { [$(stringify!($name)),+].len() };
}

/// The leases of one operation, from a request.
macro_rules! leases {
    ($request:ident $number:expr;) => {};
    ($request:ident $number:expr; $lease:ident $($more:ident)*) => {
        let $lease = $crate::Lease::of($request, $number).ok_or($crate::Refusal::Malformed)?;
        $crate::interface::leases! { $request $number + 1; $($more)* }
    };
}

/// What the client gives for a lease, and how it is lent.
macro_rules! lent {
    (type read) => {
        &[u8]
    };
    (type $access:ident) => {
        &mut [u8]
    };
    (read $bytes:ident) => {
        $crate::Lent::Read($bytes)
    };
    (write $bytes:ident) => {
        $crate::Lent::Write($bytes)
    };
    (change $bytes:ident) => {
        $crate::Lent::ReadWrite($bytes)
    };
}

/// The client's method of one operation.
macro_rules! client {
    ([$(#[$doc:meta])*] label($label:literal) $name:ident($($argument:ident: $type:ty),*;) -> $result:ty) => {
        $(#[$doc])*
        pub fn $name(&self $(, $argument: $type)*) -> Result<$result, $crate::CallError> {
            #[allow(unused_mut)]
            let mut out = $crate::Packer::default();
            $($crate::Value::pack(&$argument, &mut out);)*
            $crate::transact(&self.0, &out.request(label($label)))
        }
    };
    ([$(#[$doc:meta])*] label($label:literal)
     $name:ident($($argument:ident: $type:ty),*; $($lease:ident: $access:ident),+) -> $result:ty) => {
        $(#[$doc])*
        pub fn $name(
            &self $(, $argument: $type)* $(, $lease: $crate::interface::lent!(type $access))+
        ) -> Result<$result, $crate::CallError> {
            #[allow(unused_mut)]
            let mut out = $crate::Packer::default();
            $($crate::Value::pack(&$argument, &mut out);)*
            let lent = &mut [$($crate::interface::lent!($access $lease)),+];
            $crate::transact_lending(&self.0, &out.request(label($label)), lent)
        }
    };
}

/// The trait method of one operation.
macro_rules! method {
    (answered [$(#[$doc:meta])*] $name:ident($($argument:ident: $type:ty,)*) -> $result:ty) => {
        $(#[$doc])*
        fn $name(&mut self, caller: $crate::Caller $(, $argument: $type)*)
        -> Result<$result, $crate::Refusal>;
    };
    (deferred [$(#[$doc:meta])*] $name:ident($($argument:ident: $type:ty,)*) -> $result:ty) => {
        $(#[$doc])*
        fn $name(&mut self, caller: $crate::Caller $(, $argument: $type)*, ticket: $crate::Ticket<$result>);
    };
}

/// The call of one operation's method, and what becomes of its result.
macro_rules! answer {
    (answered $request:ident $server:ident.$name:ident($($argument:ident),*)) => {
        Ok(Some($crate::interface::reply_message($server.$name($($argument),*))))
    };
    (deferred $request:ident $server:ident.$name:ident($($argument:ident),*)) => {{
        $server.$name($($argument),*, $crate::Ticket::new($request.info.reply()));
        Ok(None)
    }};
}

pub(crate) use {answer, client, count, interface, leases, lent, method};
