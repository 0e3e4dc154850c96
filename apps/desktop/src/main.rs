//! The desktop: wallpaper, dock and launcher, see [`desktop`]. It starts what the user chooses, and arranges windows.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::vec::Vec;

use desktop::dock::{self, Window, Wish};
use desktop::launcher::{self, Launcher};
use desktop::wallpaper;
use nonos_proto::desktop::{Client, WindowState, action, layer, window_state};
use nonos_proto::{CallError, Refusal, display};
use nonos_rt::abi::info::{ModuleInfo, Topic};
use nonos_rt::abi::{Error, Name};
use nonos_rt::object::{Endpoint, Notification};
use nonos_rt::{log, parent};
use nonos_ui::app::{EVENTS, Event, GONE, Outcome, Session, Shown};
use nonos_ui::input::Input;

nonos_rt::entry!(main);

/// Bits of the notification beside [`EVENTS`].
mod signal {
    /// Windows changed.
    pub const WINDOWS: u64 = 1 << 1;
    /// The user asks for the launcher.
    pub const LAUNCHER: u64 = 1 << 2;
}

fn main() -> u64 {
    nonos_rt::service::main(|| Desktop::start()?.run())
}

/// The desktop's windows, and what it knows of the others.
struct Desktop {
    session: Session,
    desktop: Client<Endpoint>,
    signals: Notification,
    wallpaper: Shown,
    dock: Shown,
    dock_width: i32,
    launcher: Option<(Shown, Launcher)>,
    modules: Vec<Name>,
    windows: Vec<WindowState>,
}

impl Desktop {
    fn start() -> Result<Self, CallError> {
        let signals = Notification::create().map_err(CallError::Unreachable)?;
        let session = Session::connect(&signals)?;
        let desktop = Client(parent::connect("desktop")?);
        let copy = signals.to_send().map_err(CallError::Unreachable)?;
        desktop.watch(copy.handle(), signal::WINDOWS, signal::LAUNCHER)?;
        let modules = modules()?;
        let scale = session.scale();
        let screen = [session.look.screen_width, session.look.screen_height];
        let [width, height] = screen.map(|pixels| (pixels / scale) as i32);
        let wallpaper = Shown::open(&session, "Wallpaper", (width, height))?;
        desktop.place(wallpaper.number(), layer::WALLPAPER)?;
        let dock_width = dock::width(&[], |module| has(&modules, module));
        let dock = Shown::open(&session, "Dock", (dock_width, dock::HEIGHT))?;
        desktop.place(dock.number(), layer::DOCK)?;
        Ok(Self {
            session,
            desktop,
            signals,
            wallpaper,
            dock,
            dock_width,
            launcher: None,
            modules,
            windows: Vec::new(),
        })
    }

    fn run(&mut self) -> Result<Error, CallError> {
        self.paint_wallpaper()?;
        self.windows_changed()?;
        loop {
            let bits = self.signals.wait().map_err(CallError::Unreachable)?;
            if bits & GONE != 0 {
                return Ok(Error::PeerGone);
            }
            if bits & signal::WINDOWS != 0 {
                self.windows_changed()?;
            }
            if bits & signal::LAUNCHER != 0 {
                self.toggle_launcher()?;
            }
            if bits & EVENTS != 0 {
                self.take_events()?;
            }
        }
    }

    fn take_events(&mut self) -> Result<(), CallError> {
        for event in self.session.events()? {
            let window = event[0] >> 8;
            if event[0] & 0xFF == display::event::LOOK {
                self.look_changed(event)?;
            } else if window == self.dock.number() {
                if let Outcome::Input(input) = self.dock.event(&mut self.session, event)? {
                    self.show_dock(input)?;
                }
            } else if window == self.wallpaper.number() {
                if let Outcome::Input(Input::None) =
                    self.wallpaper.event(&mut self.session, event)?
                {
                    self.paint_wallpaper()?;
                }
            } else if let Some((shown, _)) = &mut self.launcher {
                match shown.event(&mut self.session, event)? {
                    // It is there for as long as it has the keyboard.
                    Outcome::Input(Input::Focus(false)) | Outcome::Close => {
                        self.close_launcher()?
                    }
                    Outcome::Input(input) => self.show_launcher(input)?,
                    Outcome::Done => {}
                }
            }
        }
        Ok(())
    }

    /// The dock and the launcher have other colours, and all of them another size.
    fn look_changed(&mut self, event: Event) -> Result<(), CallError> {
        self.close_launcher()?;
        self.dock.event(&mut self.session, event)?;
        self.wallpaper.event(&mut self.session, event)?;
        self.paint_wallpaper()?;
        self.show_dock(Input::None)
    }

    fn paint_wallpaper(&mut self) -> Result<(), CallError> {
        self.wallpaper.draw(&self.session, wallpaper::line)
    }

    /// Asks for all windows, and shows the dock for them.
    fn windows_changed(&mut self) -> Result<(), CallError> {
        self.windows.clear();
        for index in 0.. {
            match self.desktop.window(index) {
                Ok(window) => self.windows.push(window),
                Err(CallError::Refused(Refusal::NoSuchWindow)) => break,
                Err(error) => return Err(error),
            }
        }
        let width = dock::width(&known(&self.windows), |module| has(&self.modules, module));
        if width != self.dock_width {
            self.dock_width = width;
            let [width, height] =
                [width, dock::HEIGHT].map(|points| points as u64 * self.session.scale());
            self.dock.resize(&self.session, width, height)?;
        }
        self.show_dock(Input::None)
    }

    fn show_dock(&mut self, input: Input) -> Result<(), CallError> {
        let Self {
            dock,
            session,
            windows,
            modules,
            ..
        } = self;
        let windows = known(windows);
        let mut wish = None;
        dock.input(session, input, &mut |ui| {
            wish = dock::show(ui, &windows, |module| has(modules, module)).or(wish);
        });
        dock.show(session)?;
        match wish {
            Some(Wish::Launcher) => self.toggle_launcher(),
            Some(Wish::Start(module)) => {
                start(module);
                Ok(())
            }
            Some(Wish::Activate(window)) => ignore_gone(self.desktop.act(window, action::ACTIVATE)),
            Some(Wish::Minimize(window)) => ignore_gone(self.desktop.act(window, action::MINIMIZE)),
            None => Ok(()),
        }
    }

    fn toggle_launcher(&mut self) -> Result<(), CallError> {
        if self.launcher.is_some() {
            return self.close_launcher();
        }
        let shown = Shown::open(&self.session, "Launcher", launcher::SIZE)?;
        self.desktop.place(shown.number(), layer::LAUNCHER)?;
        self.launcher = Some((shown, Launcher::default()));
        self.show_launcher(Input::None)
    }

    fn close_launcher(&mut self) -> Result<(), CallError> {
        match self.launcher.take() {
            Some((shown, _)) => shown.close(&self.session),
            None => Ok(()),
        }
    }

    fn show_launcher(&mut self, input: Input) -> Result<(), CallError> {
        let Self {
            launcher,
            session,
            modules,
            ..
        } = self;
        let Some((shown, state)) = launcher else {
            return Ok(());
        };
        let mut wish = None;
        shown.input(session, input, &mut |ui| {
            wish = state.show(ui, |module| has(modules, module)).or(wish);
        });
        shown.show(session)?;
        match wish {
            Some(launcher::Wish::Start(module)) => {
                start(module);
                self.close_launcher()
            }
            Some(launcher::Wish::Close) => self.close_launcher(),
            None => Ok(()),
        }
    }
}

/// Windows as the dock wants them.
fn known(windows: &[WindowState]) -> Vec<Window<'_>> {
    let mut known = Vec::with_capacity(windows.len());
    for window in windows {
        known.push(Window {
            number: window.window,
            module: window.module.as_str(),
            focused: window.state & window_state::FOCUSED != 0,
        });
    }
    known
}

/// A window that closed meanwhile is no failure.
fn ignore_gone(result: Result<(), CallError>) -> Result<(), CallError> {
    match result {
        Err(CallError::Refused(Refusal::NoSuchWindow)) => Ok(()),
        result => result,
    }
}

/// Names of the modules in the image.
fn modules() -> Result<Vec<Name>, CallError> {
    let system = parent::system_info()?;
    let read = |index| system.read::<ModuleInfo>(Topic::Module, index).ok();
    Ok((0..).map_while(read).map(|module| module.name).collect())
}

fn has(modules: &[Name], module: &str) -> bool {
    modules.iter().any(|name| name.as_str() == module)
}

/// Starts a program. A failure is the log's; the desktop goes on.
fn start(module: &str) {
    let started = Name::new(module).map(parent::launch);
    if let Some(Err(error)) = started {
        log!("cannot start {module}: {error}");
    }
}
