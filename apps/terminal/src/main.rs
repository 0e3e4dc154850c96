//! A terminal on the desktop: a window, and the console of a shell in it. See [`terminal`].
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

extern crate alloc;

use core::hint::black_box;

use nonos_proto::console as interface;
use nonos_proto::display::modifiers;
use nonos_proto::{CallError, Caller, Refusal};
use nonos_rt::abi::{Error, Message, Name};
use nonos_rt::object::{Endpoint, Notification, Process};
use nonos_rt::service::{self, Server};
use nonos_rt::{log, parent, syscall};
use nonos_terminal::ansi::Action;
use nonos_terminal::keys::{self, Modifiers};
use nonos_terminal::queue;
use nonos_terminal::serve::{Clients, Screen};
use nonos_ui::Ui;
use nonos_ui::app::{EVENTS, GONE, Outcome, Session, Shown};
use nonos_ui::input::{Input, Key, usage};
use nonos_ui::widgets::TextCommand;
use terminal::view::{self, Cells, View};
use terminal::waiting::Waiting;

nonos_rt::entry!(main);

/// Bit of the notification beside [`EVENTS`]: the shell ended.
const ENDED: u64 = 1 << 1;

/// Size of the window at first, points.
const SIZE: (i32, i32) = (760, 480);
/// How small it can be made.
const LEAST: (i32, i32) = (320, 160);

/// Longest time that the window shows nothing new while text streams in.
const PAINT_NS: u64 = 50_000_000;

fn main() -> u64 {
    service::main(run)
}

fn run() -> Result<Error, CallError> {
    let signals = Notification::create().map_err(CallError::Unreachable)?;
    signals.bind().map_err(CallError::Unreachable)?;
    let session = Session::connect(&signals)?;
    let mut shown = Shown::open(&session, "Terminal", SIZE)?;
    shown.offer_to_paste();
    shown.limit(&session, [LEAST, (0, 0)])?;
    let endpoint = Endpoint::create().map_err(CallError::Unreachable)?;
    let mut terminal = Terminal {
        session,
        shown,
        view: View::default(),
        focused: false,
        clients: Clients::new(Text {
            cells: view::cells(80, 25),
            due: false,
            painted_ns: 0,
        }),
        waiting: Waiting::default(),
        shell: None,
    };
    // Its size is known from the first view on, before the shell asks for it.
    terminal.input(Input::None);
    let name = Name::new("shell").ok_or(CallError::Refused(Refusal::NoSuchModule))?;
    let (shell, _) = parent::spawn_on(name, &endpoint)?;
    shell
        .watch(&signals, ENDED)
        .map_err(CallError::Unreachable)?;
    terminal.shell = Some(shell);
    Ok(service::serve(&endpoint, &mut terminal))
}

/// What clients write.
struct Text {
    cells: Cells,
    /// It is to be painted.
    due: bool,
    painted_ns: u64,
}

impl Screen for Text {
    fn act(&mut self, action: Action) {
        self.cells.act(action);
    }

    fn show(&mut self, more: bool) {
        let now_ns = syscall::clock_ns();
        if !more || now_ns.saturating_sub(self.painted_ns) >= PAINT_NS {
            self.painted_ns = now_ns;
            self.due = true;
        }
    }

    fn at_line_start(&self) -> bool {
        self.cells.at_line_start()
    }

    fn size(&self) -> (usize, usize) {
        self.cells.size()
    }
}

struct Terminal {
    session: Session,
    shown: Shown,
    view: View,
    focused: bool,
    clients: Clients<Text>,
    waiting: Waiting,
    shell: Option<Process>,
}

impl Terminal {
    fn input(&mut self, input: Input) {
        if let Input::Focus(focused) = input {
            self.focused = focused;
        }
        let Self {
            session,
            shown,
            view,
            focused,
            clients,
            waiting,
            ..
        } = self;
        shown.input(session, input, &mut |ui| {
            let room = view::room(ui);
            if clients.screen.cells.size() != room {
                clients.screen.cells = view::resized(&clients.screen.cells, room.0, room.1);
            }
            menu(ui, view, &clients.screen.cells);
            if let Some(key) = ui.take_key(|_| true) {
                typed(ui, key, view, &clients.screen.cells, waiting);
            }
            if let Some(text) = ui.take_paste() {
                view.typed();
                waiting.paste(&text);
            }
            view.show(ui, &clients.screen.cells, *focused);
        });
        if let Err(error) = shown.show(session) {
            self.end(error);
        }
        self.feed();
    }

    /// Gives what waits to those who read, as much as there is room for.
    fn feed(&mut self) {
        let Self {
            clients, waiting, ..
        } = self;
        let mut bytes = [0; queue::MOST];
        let room = clients.room().min(bytes.len());
        let count = waiting.take(&mut bytes[..room]);
        clients.typed(&bytes[..count]);
        clients.deliver();
        bytes.fill(0);
        black_box(&mut bytes);
    }

    fn take_events(&mut self) -> Result<(), CallError> {
        for event in self.session.events()? {
            match self.shown.event(&mut self.session, event)? {
                Outcome::Input(input) => self.input(input),
                Outcome::Close => self.leave(),
                Outcome::Done => {}
            }
        }
        Ok(())
    }

    /// The window is of no use any more.
    fn end(&mut self, error: CallError) {
        log!("the terminal lost its window: {error}");
        self.leave();
    }

    /// Ends this program and its shell. What the shell started has lost its console, and ends when it notices.
    fn leave(&mut self) {
        if let Some(shell) = self.shell.take() {
            let _ = shell.kill();
        }
        syscall::exit(0);
    }
}

/// A key: the terminal's own, or for whoever reads.
fn copy(ui: &mut Ui<'_>, view: &View, cells: &Cells) {
    if let Some(text) = view.selected(cells) {
        ui.copy(text);
    }
}

/// The menu by the right button.
fn menu(ui: &mut Ui<'_>, view: &View, cells: &Cells) {
    let (id, window) = (ui.id("text"), ui.size());
    let commands: &[TextCommand] = match view.selected(cells) {
        Some(_) => &[TextCommand::Copy, TextCommand::Paste],
        None => &[TextCommand::Paste],
    };
    if ui.text_menu(id, window, commands) == Some(TextCommand::Copy) {
        copy(ui, view, cells);
    }
}

fn typed(ui: &mut Ui<'_>, key: Key, view: &mut View, cells: &Cells, waiting: &mut Waiting) {
    let selects = key.shift() && key.control();
    match key.usage {
        usage::PAGE_UP if key.shift() => view.page(cells, -1),
        usage::PAGE_DOWN if key.shift() => view.page(cells, 1),
        usage::UP if selects => view.extend(cells, -1, 0),
        usage::DOWN if selects => view.extend(cells, 1, 0),
        usage::LEFT if selects => view.extend(cells, 0, -1),
        usage::RIGHT if selects => view.extend(cells, 0, 1),
        usage::SPACE if selects => view.begin(),
        _ if key.shift() && key.shortcut() == Some('c') => copy(ui, view, cells),
        _ => {
            let modifiers = Modifiers {
                shift: key.shift(),
                control: key.control(),
                alt: key.modifiers & modifiers::ALT != 0,
            };
            let sent = keys::sent(key.usage, key.character, modifiers);
            if !sent.as_slice().is_empty() {
                view.typed();
                waiting.push(sent.as_slice());
            }
        }
    }
}

impl Server for Terminal {
    fn request(&mut self, caller: Caller, request: &Message) -> Result<Option<Message>, Refusal> {
        let outcome = interface::dispatch(&mut self.clients, caller, request);
        // Whoever read made room.
        self.feed();
        if core::mem::take(&mut self.clients.screen.due) {
            self.input(Input::None);
        }
        outcome
    }

    fn signal(&mut self, bits: u64) {
        if bits & GONE != 0 {
            self.end(CallError::Unreachable(Error::PeerGone));
        }
        if bits & EVENTS != 0
            && let Err(error) = self.take_events()
        {
            self.end(error);
        }
        if bits & ENDED != 0 {
            self.leave();
        }
    }
}
