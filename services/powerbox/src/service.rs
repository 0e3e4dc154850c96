//! Requests of programs, and the dialog that shows.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use nonos_proto::files::NAME_BYTES;
use nonos_proto::open_with::{self, BADGE_OPEN_WITH, PATH_BYTES};
use nonos_proto::permissions::{
    self, BADGE_PERMISSIONS, OF_CLIPBOARD, OF_KEY, Permission as Listed,
};
use nonos_proto::powerbox::{self as interface, Answer, OPENED_WITH, REQUESTS};
use nonos_proto::{CallError, Caller, Lease, Refusal, console, prompt};
use nonos_rt::abi::{Handle, Message, Name};
use nonos_rt::object::{Endpoint, Notification, Timer};
use nonos_rt::service::{Server, read_lent, write_lent};
use nonos_rt::{log, parent, syscall};
use nonos_ui::app::{EVENTS, GONE, Outcome, Session, Shown};
use nonos_ui::input::Input;
use powerbox::Question;
use powerbox::ask::{Ask, Chosen, Lasts, Pick, Thing, split};
use powerbox::dialog::Dialog;
use powerbox::keys::KeyDialog;
use powerbox::paste::PasteDialog;
use powerbox::permissions::{Permission, Permissions};

use crate::documents::{UserDocuments, keep_picture};
use crate::given::{self, Given};

/// Most programs at a time. The end of each is a bit of the notification, from this one on.
const PROGRAMS: usize = 32;
const FIRST_PROGRAM: u32 = 8;
/// Bit of the notification: a permission's time is over.
const EXPIRY: u64 = 1 << 1;

/// Bit of the notification: the user took a picture of the screen.
const PICTURE: u64 = 1 << 2;

/// An hour.
const HOUR_NS: u64 = 3_600_000_000_000;
/// Documents that programs were started with and did not take yet, at most.
const OPENED: usize = 8;

/// Who is told of what.
struct Watch {
    notification: Notification,
    bits: u64,
}

/// A program that called.
struct Program {
    key: u64,
    module: Name,
    watch: Option<Watch>,
    last_request: u64,
    answers: Vec<(u64, Answered)>,
}

/// The user's answer: the number of a permission, or that there is none.
type Answered = Result<u64, Refusal>;

/// What a program asked for.
struct Request {
    key: u64,
    number: u64,
    ask: Ask,
}

/// The dialog that shows.
struct Open {
    request: Request,
    dialog: Box<dyn Question>,
    shown: Shown,
}

/// A program was started with a document.
struct Opened {
    process: u64,
    ask: Ask,
    chosen: Chosen,
}

/// The service.
pub struct Service {
    signals: Notification,
    session: Session,
    prompts: prompt::Client<Endpoint>,
    programs: [Option<Program>; PROGRAMS],
    waiting: VecDeque<Request>,
    open: Option<Open>,
    opened: VecDeque<Opened>,
    permissions: Permissions<Given>,
    timer: Timer,
    settings: Option<Watch>,
}

impl Service {
    /// Connects to the compositor.
    pub fn connect(signals: Notification) -> Result<Self, CallError> {
        let session = Session::connect(&signals)?;
        let prompts = prompt::Client(parent::connect("prompt")?);
        let copy = signals.to_send().map_err(CallError::Unreachable)?;
        prompts.watch(copy.handle(), PICTURE)?;
        Ok(Self {
            session,
            prompts,
            signals,
            programs: [const { None }; PROGRAMS],
            waiting: VecDeque::new(),
            open: None,
            opened: VecDeque::new(),
            permissions: Permissions::default(),
            timer: Timer::create().map_err(CallError::Unreachable)?,
            settings: None,
        })
    }

    fn find(&mut self, key: u64) -> Option<&mut Program> {
        self.programs.iter_mut().flatten().find(|p| p.key == key)
    }

    /// The program that calls, taken in when it calls for the first time.
    fn program(&mut self, caller: Caller) -> Result<&mut Program, Refusal> {
        let key = caller.badge & !console::BADGE_INPUT;
        let known = |p: &Option<Program>| p.as_ref().is_some_and(|p| p.key == key);
        if !self.programs.iter().any(known) {
            self.take_in(key)?;
        }
        self.find(key).ok_or(Refusal::Full)
    }

    fn take_in(&mut self, key: u64) -> Result<(), Refusal> {
        let slot = self.programs.iter().position(Option::is_none);
        let slot = slot.ok_or(Refusal::Full)?;
        let client = parent::client(key).map_err(refusal)?;
        let bit = 1 << (slot as u32 + FIRST_PROGRAM);
        parent::client_end(key, &self.signals, bit).map_err(refusal)?;
        self.programs[slot] = Some(Program {
            key,
            module: client.module,
            watch: None,
            last_request: OPENED_WITH,
            answers: Vec::new(),
        });
        let with = self.opened.iter().position(|o| o.process == client.process);
        if let Some(Opened { ask, chosen, .. }) = with.and_then(|at| self.opened.remove(at)) {
            let answer = self.give(key, &ask, &chosen);
            self.answer_to(key, OPENED_WITH, answer);
        }
        Ok(())
    }

    /// Takes a request; its number.
    fn ask(&mut self, caller: Caller, ask: Ask) -> Result<u64, Refusal> {
        let program = self.program(caller)?;
        let (key, module) = (program.key, program.module);
        let answered = program.answers.len();
        let of_program = |request: &&Request| request.key == key;
        let waiting = self.waiting.iter().filter(of_program).count();
        let open = self.open.iter().filter(|open| open.request.key == key);
        if answered + waiting + open.count() >= REQUESTS {
            return Err(Refusal::Full);
        }
        self.check(key, &ask)?;
        let program = self.find(key).ok_or(Refusal::Gone)?;
        program.last_request += 1;
        let number = program.last_request;
        match self.give_again(key, module, &ask) {
            Some(answer) => self.answer_to(key, number, answer),
            None => self.waiting.push_back(Request { key, number, ask }),
        }
        self.show_next();
        Ok(number)
    }

    /// Gives what the module gets without a question, if there is such a thing. One that is gone is forgotten: the user is asked.
    fn give_again(&mut self, key: u64, module: Name, ask: &Ask) -> Option<Answered> {
        let found = self.permissions.remembered(module, ask)?;
        let number = found.number;
        let chosen = Chosen {
            thing: found.thing.clone(),
            lasts: Lasts::Program,
        };
        let answer = self.give(key, ask, &chosen);
        if !matches!(answer, Err(Refusal::Gone | Refusal::NotStored)) {
            return Some(answer);
        }
        let gone = self.permissions.revoke(number).unwrap_or_default();
        self.take_back(gone);
        None
    }

    /// Whether a program can be given something more, after what it closed was forgotten.
    fn check(&mut self, key: u64, ask: &Ask) -> Result<(), Refusal> {
        let directory = ask.is_directory();
        if self.permissions.check(key, directory).is_err() {
            let gone = self.permissions.forget(Given::is_gone);
            self.take_back(gone);
        }
        self.permissions.check(key, directory)
    }

    /// Gives a program what the user chose: the number of the permission.
    fn give(&mut self, key: u64, ask: &Ask, chosen: &Chosen) -> Answered {
        self.check(key, ask)?;
        let module = self.find(key).ok_or(Refusal::Gone)?.module;
        let given = Given::open(ask, &chosen.thing).map_err(refusal)?;
        let permission = |program, handle| permission(program, module, ask, chosen, handle);
        if chosen.lasts == Lasts::Session && chosen.thing.is_remembered() {
            self.permissions.add(permission(None, None));
        }
        let number = self.permissions.add(permission(Some(key), Some(given)));
        self.changed();
        Ok(number)
    }

    /// Has a program paste what is on the clipboard, as the user allowed.
    fn paste_for(&mut self, key: u64, ask: &Ask, chosen: &Chosen) -> Result<(), Refusal> {
        if chosen.lasts != Lasts::Once {
            self.check(key, ask)?;
            let module = self.find(key).ok_or(Refusal::Gone)?.module;
            let program = (chosen.lasts != Lasts::Session).then_some(key);
            self.permissions
                .add(permission(program, module, ask, chosen, None));
            self.changed();
        }
        self.prompts.paste(key, 0).map_err(refusal)
    }

    /// Gives what was asked for when something was chosen, and tells the program.
    fn answer(&mut self, Request { key, number, ask }: Request, chosen: Option<Chosen>) {
        let answer = match (&ask, chosen) {
            // Of this it hears by the compositor, or not at all.
            (Ask::Paste, None) => return,
            (Ask::Paste, Some(chosen)) => {
                if let Err(error) = self.paste_for(key, &ask, &chosen) {
                    log!("cannot paste: {error}");
                }
                return;
            }
            (_, Some(chosen)) => self.give(key, &ask, &chosen),
            (_, None) => Err(Refusal::Declined),
        };
        self.answer_to(key, number, answer);
    }

    /// Keeps an answer for a program and tells it.
    fn answer_to(&mut self, key: u64, number: u64, answer: Answered) {
        if let Some(program) = self.find(key) {
            program.answers.push((number, answer));
            signal(&mut program.watch);
        }
    }

    /// Shows the next request's dialog when none shows.
    fn show_next(&mut self) {
        while self.open.is_none()
            && let Some(request) = self.waiting.pop_front()
        {
            let mut dialog: Box<dyn Question> = match &request.ask {
                Ask::Document(pick) => Box::new(Dialog::new(pick.clone(), UserDocuments)),
                Ask::Key(uses, suggested) => {
                    let keys = given::keys(*uses).unwrap_or_default();
                    Box::new(KeyDialog::new(*uses, suggested, keys))
                }
                Ask::Paste => Box::new(PasteDialog::default()),
            };
            match self.show(&request, &mut *dialog) {
                Ok(shown) => {
                    self.open = Some(Open {
                        request,
                        dialog,
                        shown,
                    });
                }
                Err(error) => {
                    log!("cannot ask the user: {error}");
                    self.answer(request, None);
                }
            }
        }
    }

    fn show(&self, request: &Request, dialog: &mut dyn Question) -> Result<Shown, CallError> {
        let session = &self.session;
        let mut shown = Shown::open(session, dialog.title(), dialog.size())?;
        let placed = shown
            .limit(session, dialog.limits())
            .and_then(|()| self.prompts.place(shown.number(), request.key));
        let ready = placed.and_then(|()| {
            shown.input(session, Input::None, &mut |ui| dialog.view(ui));
            shown.show(session)
        });
        match ready {
            Ok(()) => Ok(shown),
            Err(error) => {
                let _ = shown.close(session);
                Err(error)
            }
        }
    }

    /// Gives the dialog what happened in its window.
    fn events(&mut self) -> Result<(), CallError> {
        for event in self.session.events()? {
            let Some(Open { dialog, shown, .. }) = &mut self.open else {
                continue;
            };
            match shown.event(&mut self.session, event)? {
                Outcome::Done => {}
                Outcome::Input(input) => {
                    shown.input(&self.session, input, &mut |ui| dialog.view(ui));
                }
                Outcome::Close => drop(dialog.close()),
            }
            if let Some(answer) = dialog.answer() {
                self.finish(answer);
            }
        }
        match &mut self.open {
            Some(open) => open.shown.show(&self.session),
            None => Ok(()),
        }
    }

    /// The user answered.
    fn finish(&mut self, chosen: Option<Chosen>) {
        let Some(Open { request, shown, .. }) = self.open.take() else {
            return;
        };
        let _ = shown.close(&self.session);
        self.answer(request, chosen);
        self.show_next();
    }

    /// Has the window of a request close that is no more.
    fn close_dialog(&mut self, of: impl Fn(&Request) -> bool) {
        if let Some(open) = self.open.take_if(|open| of(&open.request)) {
            let _ = open.shown.close(&self.session);
        }
        self.waiting.retain(|request| !of(request));
        self.show_next();
    }

    /// Keeps the picture of the screen that the user took, and says where.
    fn keep_picture(&mut self) {
        let kept = keep_picture(|at, out| self.prompts.picture(at, out));
        let text = match kept {
            Ok(name) => alloc::format!("Saved in your documents: {name}"),
            Err(error) => alloc::format!("The picture was not saved: {error}"),
        };
        let _ = self.session.display.notify(text.as_bytes());
    }

    /// What was given is dead when this returns.
    fn take_back(&mut self, permissions: Vec<Permission<Given>>) {
        if permissions.is_empty() {
            return;
        }
        for given in permissions.into_iter().filter_map(|p| p.handle) {
            given.revoke();
        }
        self.changed();
    }

    /// The list of permissions is another.
    fn changed(&mut self) {
        signal(&mut self.settings);
        if let Some(at_ns) = self.permissions.next_end_ns()
            && let Err(error) = self.timer.set(&self.signals, EXPIRY, at_ns)
        {
            log!("permissions that end are taken back late: {error}");
        }
    }

    fn program_ended(&mut self, slot: usize) {
        let Some(Program { key, .. }) = self.programs[slot].take() else {
            return;
        };
        let ended = self.permissions.end(key);
        self.take_back(ended);
        self.close_dialog(|request| request.key == key);
    }
}

/// What the user chose, as a permission of a program, or of all of its module.
fn permission(
    program: Option<u64>,
    module: Name,
    ask: &Ask,
    chosen: &Chosen,
    handle: Option<Given>,
) -> Permission<Given> {
    Permission {
        number: 0,
        program,
        module,
        rights: ask.rights(),
        thing: chosen.thing.clone(),
        until_ns: match chosen.lasts {
            Lasts::Hour => syscall::clock_ns().saturating_add(HOUR_NS),
            Lasts::Once | Lasts::Program | Lasts::Session => 0,
        },
        handle,
    }
}

/// Signals a watch; one that cannot be signalled is forgotten.
fn signal(watch: &mut Option<Watch>) {
    watch.take_if(|watch| watch.notification.signal(watch.bits).is_err());
}

fn refusal(error: CallError) -> Refusal {
    match error {
        CallError::Refused(refusal) => refusal,
        CallError::Unreachable(error) => Refusal::Kernel(error),
        CallError::BadReply => Refusal::DeviceFailed,
    }
}

/// Text that a caller lends, at most `N` bytes of it.
fn lent_text<const N: usize>(lease: Lease) -> Result<String, Refusal> {
    let mut buffer = [0; N];
    let length = usize::try_from(lease.length).map_err(|_| Refusal::TooLong)?;
    let bytes = buffer.get_mut(..length).ok_or(Refusal::TooLong)?;
    read_lent(lease, 0, bytes)?;
    let text = core::str::from_utf8(bytes).map_err(|_| Refusal::Malformed)?;
    Ok(text.into())
}

/// Writes a name to memory that a caller lends: its length.
fn lend_name(lease: Lease, name: &str) -> Result<u64, Refusal> {
    if (name.len() as u64) > lease.length {
        return Err(Refusal::TooShort);
    }
    write_lent(lease, 0, name.as_bytes())?;
    Ok(name.len() as u64)
}

impl interface::PowerBox for Service {
    fn watch(&mut self, caller: Caller, notification: Handle, bits: u64) -> Result<(), Refusal> {
        let notification = Notification::from_handle(notification);
        self.program(caller)?.watch = Some(Watch { notification, bits });
        Ok(())
    }

    fn open(&mut self, caller: Caller, rights: u64) -> Result<u64, Refusal> {
        self.ask(caller, Ask::Document(Pick::open(rights)?))
    }

    fn save(&mut self, caller: Caller, suggested: Lease) -> Result<u64, Refusal> {
        let name = lent_text::<NAME_BYTES>(suggested)?;
        self.ask(caller, Ask::Document(Pick::Save(name)))
    }

    fn folder(&mut self, caller: Caller, rights: u64) -> Result<u64, Refusal> {
        self.ask(caller, Ask::Document(Pick::folder(rights)?))
    }

    fn key(&mut self, caller: Caller, uses: u64, suggested: Lease) -> Result<u64, Refusal> {
        let name = lent_text::<{ Name::BYTES }>(suggested)?;
        self.ask(caller, Ask::key(uses, name)?)
    }

    fn paste(&mut self, caller: Caller) -> Result<(), Refusal> {
        let program = self.program(caller)?;
        let (key, module) = (program.key, program.module);
        // What the timer has not said yet.
        let ended = self.permissions.expire(syscall::clock_ns());
        self.take_back(ended);
        if self.permissions.pastes(key, module) {
            return self.prompts.paste(key, 1).map_err(refusal);
        }
        self.ask(caller, Ask::Paste).map(drop)
    }

    fn answer(&mut self, caller: Caller, request: u64, name: Lease) -> Result<Answer, Refusal> {
        let program = self.program(caller)?;
        let key = program.key;
        let Some(at) = program.answers.iter().position(|(n, _)| *n == request) else {
            let is_it = |asked: &Request| (asked.key, asked.number) == (key, request);
            let open = self.open.iter().map(|open| &open.request);
            return Err(match self.waiting.iter().chain(open).any(is_it) {
                true => Refusal::NotAnswered,
                false => Refusal::NotStored,
            });
        };
        let given = match program.answers[at].1 {
            Ok(number) => self.permissions.find(number).ok_or(Refusal::Gone),
            Err(refusal) => Err(refusal),
        };
        let answer = given.and_then(|permission| {
            let given = permission.handle.as_ref().ok_or(Refusal::Gone)?;
            let name_bytes = lend_name(name, permission.thing.label())?;
            Ok(Answer {
                handle: given.handle(permission.until_ns)?,
                kind: given.kind,
                rights: permission.rights,
                until_ns: permission.until_ns,
                name_bytes,
            })
        });
        if answer != Err(Refusal::TooShort)
            && let Some(program) = self.find(key)
        {
            let _ = program.answers.remove(at);
        }
        answer
    }

    fn withdraw(&mut self, caller: Caller, request: u64) -> Result<(), Refusal> {
        let program = self.program(caller)?;
        let key = program.key;
        program.answers.retain(|(number, _)| *number != request);
        self.close_dialog(|asked| (asked.key, asked.number) == (key, request));
        Ok(())
    }
}

impl permissions::Permissions for Service {
    fn permission(&mut self, _: Caller, index: u64, name: Lease) -> Result<Listed, Refusal> {
        if index == 0 {
            let gone = self.permissions.forget(Given::is_gone);
            self.take_back(gone);
        }
        let index = usize::try_from(index).map_err(|_| Refusal::NotStored)?;
        let found = self.permissions.get(index).ok_or(Refusal::NotStored)?;
        Ok(Listed {
            number: found.number,
            module: found.module,
            rights: match found.thing {
                Thing::Document { .. } => found.rights,
                Thing::Key { .. } => found.rights | OF_KEY,
                Thing::Clipboard => OF_CLIPBOARD,
            },
            until_ns: match found.program {
                Some(_) => found.until_ns,
                None => u64::MAX,
            },
            name_bytes: lend_name(name, found.thing.label())?,
        })
    }

    fn revoke(&mut self, _: Caller, number: u64) -> Result<(), Refusal> {
        let revoked = self.permissions.revoke(number)?;
        self.take_back(revoked);
        Ok(())
    }

    fn watch(&mut self, _: Caller, notification: Handle, bits: u64) -> Result<(), Refusal> {
        let notification = Notification::from_handle(notification);
        self.settings = Some(Watch { notification, bits });
        Ok(())
    }
}

impl open_with::OpenWith for Service {
    fn open(&mut self, _: Caller, module: Name, rights: u64, path: Lease) -> Result<u64, Refusal> {
        let ask = Ask::Document(Pick::open(rights)?);
        let (path, name) = split(&lent_text::<PATH_BYTES>(path)?)?;
        let (_, process) = parent::launch(module).map_err(refusal)?;
        if self.opened.len() >= OPENED {
            self.opened.pop_front();
        }
        self.opened.push_back(Opened {
            process,
            ask,
            chosen: Chosen {
                thing: Thing::Document {
                    path,
                    name: Some(name),
                },
                lasts: Lasts::Program,
            },
        });
        Ok(process)
    }
}

impl Server for Service {
    /// Which interface a caller means, its badge says.
    fn request(&mut self, caller: Caller, request: &Message) -> Result<Option<Message>, Refusal> {
        match caller.badge & (BADGE_PERMISSIONS | BADGE_OPEN_WITH) {
            BADGE_PERMISSIONS => permissions::dispatch(self, caller, request),
            BADGE_OPEN_WITH => open_with::dispatch(self, caller, request),
            _ => interface::dispatch(self, caller, request),
        }
    }

    fn signal(&mut self, bits: u64) {
        if bits & GONE != 0 {
            // The dialog is gone, and the programs that had windows are.
            syscall::exit(1);
        }
        for slot in 0..PROGRAMS {
            if bits >> (slot as u32 + FIRST_PROGRAM) & 1 != 0 {
                self.program_ended(slot);
            }
        }
        if bits & EXPIRY != 0 {
            let ended = self.permissions.expire(syscall::clock_ns());
            self.take_back(ended);
            self.changed();
        }
        if bits & PICTURE != 0 {
            self.keep_picture();
        }
        if bits & EVENTS != 0
            && let Err(error) = self.events()
        {
            log!("the dialog failed: {error}");
            self.finish(None);
        }
    }
}
