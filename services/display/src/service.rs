//! Requests of programs and drivers, and when the screen is drawn.

use alloc::vec;
use alloc::vec::Vec;

use crate::front::Front;
use crate::surfaces::Surfaces;
use display::client::{EVENTS, Identity};
use display::compositor::{Action, Compositor};
use display::ending;
use display::state::Machine;
use display::window;
use nonos_picture::qoi::Encoder;
use nonos_proto::desktop::{self, WindowState};
use nonos_proto::display::{
    self as interface, BADGE_DESKTOP, BADGE_INPUT, BADGE_SETTINGS, CLIPBOARD_BYTES, Look,
    NOTE_BYTES, Surface, TITLE_BYTES, event,
};
use nonos_proto::lock::{self, BADGE_LOCK};
use nonos_proto::prompt::{self, BADGE_PROMPT};
use nonos_proto::settings::Layouts;
use nonos_proto::{CallError, Caller, Lease, Refusal, input, screen, settings};
use nonos_rt::abi::info::{BootStatus, ModuleInfo, Topic, boot_flags};
use nonos_rt::abi::{Handle, Message, Name};
use nonos_rt::object::{Endpoint, Notification, SystemInfo, Timer};
use nonos_rt::service::{Server, read_lent, write_lent};
use nonos_rt::{log, parent, syscall};
use nonos_ui::Rect;
use nonos_ui::app::SystemAtlas;

/// Most programs at the same time. The end of each is a bit of the notification.
const PROGRAMS: usize = 48;

/// Bit of the notification: it is time to draw.
const DRAW: u64 = 1 << 63;

/// Bit of the notification: the clipboard is to be emptied.
const FORGET: u64 = 1 << 61;

/// Bit of the notification: the driver of the screen ended.
const SCREEN_ENDED: u64 = 1 << 60;

/// Bit of the notification: the compositor waits for this.
const WAKE: u64 = 1 << 62;

/// The screen is drawn at most so often, nanoseconds.
const FRAME_NS: u64 = 16_000_000;

/// What a caller's badge says of the interface that it means.
const FACETS: u64 = BADGE_DESKTOP | BADGE_INPUT | BADGE_SETTINGS | BADGE_PROMPT | BADGE_LOCK;

/// Who is told of what.
struct Watch {
    notification: Notification,
    bits: u64,
}

impl Watch {
    fn new(notification: Handle, bits: u64) -> Self {
        Self {
            notification: Notification::from_handle(notification),
            bits,
        }
    }
}

/// A program that called.
struct Program {
    key: u64,
    watch: Option<Watch>,
}

/// The service.
pub struct Service {
    compositor: Compositor,
    surfaces: Surfaces,
    front: Front,
    driver: screen::Client<Endpoint>,
    line: Vec<u32>,
    signals: Notification,
    timer: Timer,
    /// For the clipboard.
    forget: Timer,
    drawn_ns: u64,
    armed: bool,
    /// Wakes the compositor, and when.
    alarm: Timer,
    alarm_ns: Option<u64>,
    system: SystemInfo,
    programs: [Option<Program>; PROGRAMS],
    /// Whom the desktop has told of windows, and when the user asks for the launcher.
    desktop: Option<(Watch, u64)>,
    /// Who is told that the screen was locked.
    locker: Option<(u64, Option<Watch>)>,
    /// The picture of the screen that the user took, and who is told of it.
    picture: Option<Vec<u8>>,
    photographer: Option<Watch>,
    fonts: SystemAtlas,
}

impl Service {
    /// No programs yet.
    pub fn new(
        front: Front,
        driver: screen::Client<Endpoint>,
        signals: Notification,
        timer: Timer,
    ) -> Result<Self, CallError> {
        parent::service_end("screen", &signals, SCREEN_ENDED)?;
        let system = parent::system_info()?;
        let mut compositor = Compositor::new(front.width, front.height, machine(&system));
        compositor.tick(syscall::clock_ns());
        Ok(Self {
            compositor,
            surfaces: Surfaces::default(),
            line: vec![0; front.width as usize],
            front,
            driver,
            signals,
            timer,
            forget: Timer::create().map_err(CallError::Unreachable)?,
            drawn_ns: 0,
            armed: false,
            alarm: Timer::create().map_err(CallError::Unreachable)?,
            alarm_ns: None,
            system,
            programs: [const { None }; PROGRAMS],
            desktop: None,
            locker: None,
            picture: None,
            photographer: None,
            fonts: SystemAtlas::connect()?,
        })
    }

    /// Brings what changed to the screen, unless it was drawn just before: then a moment later.
    pub fn show(&mut self) {
        if self.armed || !self.compositor.is_damaged() {
            return;
        }
        let now_ns = syscall::clock_ns();
        let next_ns = self.drawn_ns.saturating_add(FRAME_NS);
        if now_ns < next_ns && self.timer.set(&self.signals, DRAW, next_ns).is_ok() {
            self.armed = true;
            return;
        }
        self.drawn_ns = now_ns;
        self.draw();
    }

    /// Draws what changed.
    fn draw(&mut self) {
        let Self {
            compositor,
            surfaces,
            front,
            line,
            fonts,
            ..
        } = self;
        let mut changed = Rect::default();
        compositor.draw(fonts, surfaces, line, |x, y, pixels| {
            changed = changed.union(Rect::new(x, y, pixels.len() as i32, 1));
            front.show(x, y, pixels);
        });
        if self.front.flushed && !changed.is_empty() {
            // They lie within the screen.
            let changed = interface::Rect {
                left: changed.x as u16,
                top: changed.y as u16,
                width: changed.width as u16,
                height: changed.height as u16,
            };
            // A driver that fails ends, which is signalled.
            let _ = self.driver.flush(changed.word());
        }
    }

    /// After the end of the screen's driver: draws all in the memory that the next one offers.
    fn reconnect(&mut self) -> Result<(), CallError> {
        let front = Front::map(&self.driver.frame()?)?;
        if (front.width, front.height) != (self.front.width, self.front.height) {
            return Err(CallError::Refused(Refusal::DeviceFailed));
        }
        self.front = front;
        self.compositor.draw_again();
        parent::service_end("screen", &self.signals, SCREEN_ENDED)
    }

    /// Does what a request or signal led to.
    fn settle(&mut self) {
        for action in self.compositor.take_actions() {
            match action {
                Action::Release(surface) => self.surfaces.release(surface),
                Action::End(process) => said("end a program", parent::kill(process)),
                Action::Picture => self.take_picture(),
                Action::PowerOff => self.end("turn the machine off", false),
                Action::Restart => self.end("restart the machine", true),
            }
        }
        for key in self.compositor.take_signals() {
            let programs = self.programs.iter_mut().flatten();
            if let Some(program) = programs.into_iter().find(|program| program.key == key) {
                signal(&mut program.watch);
            }
        }
        let notice = self.compositor.take_notice();
        if let Some((watch, launcher)) = &self.desktop {
            let bits = if notice.changed { watch.bits } else { 0 }
                | if notice.launcher { *launcher } else { 0 };
            if bits != 0 && watch.notification.signal(bits).is_err() {
                self.desktop = None;
            }
        }
        if notice.locked
            && let Some((_, watch)) = &mut self.locker
        {
            signal(watch);
        }
        let wake_ns = self.compositor.wake_ns();
        if core::mem::replace(&mut self.alarm_ns, wake_ns) != wake_ns
            && let Some(at_ns) = wake_ns
        {
            let set = self.alarm.set(&self.signals, WAKE, at_ns);
            said("wake up in time", set.map_err(CallError::Unreachable));
        }
        self.show();
    }

    /// Takes a picture of the screen, and tells who keeps it.
    fn take_picture(&mut self) {
        let mut encoder = Encoder::new(self.front.width as u32, self.front.height as u32);
        let Self {
            compositor,
            surfaces,
            line,
            fonts,
            ..
        } = self;
        compositor.draw_all(fonts, surfaces, line, |_, _, pixels| encoder.push(pixels));
        self.picture = Some(encoder.finish());
        signal(&mut self.photographer);
    }

    /// Ends the machine, when the screen says so; returns only when that fails. Whatever step fails, the kernel wipes all memory.
    fn end(&mut self, what: &str, restart: bool) {
        self.draw();
        for (part, text) in ending::STEPS {
            let done = parent::wind_down(part);
            self.compositor.step_done(done.is_ok());
            said(text, done);
            self.draw();
        }
        said(what, Err(parent::power_off(restart)));
        self.compositor.go_on();
    }

    /// The key of the program that calls, which is taken in when it calls for the first time.
    fn program(&mut self, caller: Caller) -> Result<u64, Refusal> {
        let key = caller.badge & !(FACETS | nonos_proto::console::BADGE_INPUT);
        if self.compositor.knows(key) {
            return Ok(key);
        }
        let slot = self
            .programs
            .iter()
            .position(Option::is_none)
            .ok_or(Refusal::Full)?;
        let identity = self.identity(key)?;
        parent::client_end(key, &self.signals, 1 << slot).map_err(refusal)?;
        self.compositor.connect(key, identity);
        self.programs[slot] = Some(Program { key, watch: None });
        Ok(key)
    }

    /// Who the program with this badge is.
    fn identity(&self, key: u64) -> Result<Identity, Refusal> {
        let client = parent::client(key).map_err(refusal)?;
        Ok(Identity {
            module: client.module,
            publisher: publisher(&self.system, client.module),
            process: client.process,
        })
    }

    fn desktop(&mut self, caller: Caller) -> Result<u64, Refusal> {
        if caller.badge & BADGE_DESKTOP == 0 {
            return Err(Refusal::NotGranted);
        }
        self.program(caller)
    }

    /// Makes a surface for a program.
    fn surface(
        &mut self,
        key: u64,
        width: u64,
        height: u64,
    ) -> Result<(window::Surface, Handle), Refusal> {
        let (width, height) = self.compositor.check_surface(key, width, height)?;
        let (id, handle) = self.surfaces.make(width as u64 * height as u64)?;
        Ok((window::Surface { id, width, height }, handle))
    }

    fn reply(&self, window: u64, surface: window::Surface, memory: Handle) -> Surface {
        Surface {
            window,
            memory,
            width: surface.width as u64,
            height: surface.height as u64,
            stride: surface.width as u64,
            scale: self.compositor.look().scale,
        }
    }
}

/// Signals a watch; one that cannot be signalled is forgotten.
fn signal(watch: &mut Option<Watch>) {
    watch.take_if(|watch| watch.notification.signal(watch.bits).is_err());
}

/// Says in the log what failed.
fn said(what: &str, result: Result<(), CallError>) {
    if let Err(error) = result {
        log!("cannot {what}: {error}");
    }
}

fn refusal(error: CallError) -> Refusal {
    match error {
        CallError::Refused(refusal) => refusal,
        CallError::Unreachable(error) => Refusal::Kernel(error),
        CallError::BadReply => Refusal::DeviceFailed,
    }
}

/// The state of the machine, from the kernel.
fn machine(system: &SystemInfo) -> Machine {
    let boot: Result<BootStatus, _> = system.read(Topic::Boot, 0);
    let (flags, seconds) = boot.map_or((0, 0), |boot| (boot.flags, boot.wall_seconds));
    let has = |bits: u64| flags & bits == bits;
    Machine {
        verified: has(boot_flags::SECURE_BOOT
            | boot_flags::ED25519_VALID
            | boot_flags::ML_DSA_VALID
            | boot_flags::PAYLOAD_HASH_VALID),
        measured: has(boot_flags::MEASURED),
        tpm: has(boot_flags::TPM_PRESENT),
        vault_locked: None,
        started_seconds: Some(seconds).filter(|&seconds| seconds != 0),
    }
}

/// Whose key a module is signed with.
fn publisher(system: &SystemInfo, module: Name) -> Name {
    let records = (0..).map_while(|index| system.read::<ModuleInfo>(Topic::Module, index).ok());
    let found = records.into_iter().find(|info| info.name == module);
    found.map_or(Name::NONE, |info| info.publisher)
}

/// Text that a caller lends.
fn lent_text(lease: Lease, buffer: &mut [u8]) -> Result<&str, Refusal> {
    let length = usize::try_from(lease.length).map_err(|_| Refusal::TooLong)?;
    let bytes = buffer.get_mut(..length).ok_or(Refusal::TooLong)?;
    read_lent(lease, 0, bytes)?;
    core::str::from_utf8(bytes).map_err(|_| Refusal::Malformed)
}

impl interface::Display for Service {
    fn look(&mut self, caller: Caller) -> Result<Look, Refusal> {
        self.program(caller)?;
        Ok(self.compositor.look())
    }

    fn watch(&mut self, caller: Caller, notification: Handle, bits: u64) -> Result<(), Refusal> {
        let watch = Watch::new(notification, bits);
        let key = self.program(caller)?;
        let mut programs = self.programs.iter_mut().flatten();
        if let Some(program) = programs.find(|program| program.key == key) {
            program.watch = Some(watch);
        }
        Ok(())
    }

    fn open(
        &mut self,
        caller: Caller,
        width: u64,
        height: u64,
        title: Lease,
    ) -> Result<Surface, Refusal> {
        let key = self.program(caller)?;
        let mut buffer = [0; TITLE_BYTES];
        let title = lent_text(title, &mut buffer)?;
        self.compositor.check_windows(key)?;
        let (surface, handle) = self.surface(key, width, height)?;
        let window = self.compositor.open(key, surface, title);
        Ok(self.reply(window.into(), surface, handle))
    }

    fn resize(
        &mut self,
        caller: Caller,
        window: u64,
        width: u64,
        height: u64,
    ) -> Result<Surface, Refusal> {
        let key = self.program(caller)?;
        self.compositor.check_window(key, window)?;
        let (surface, handle) = self.surface(key, width, height)?;
        self.compositor.resize(key, window, surface)?;
        Ok(self.reply(window, surface, handle))
    }

    fn limits(
        &mut self,
        caller: Caller,
        window: u64,
        least_width: u64,
        least_height: u64,
        most_width: u64,
        most_height: u64,
    ) -> Result<(), Refusal> {
        let key = self.program(caller)?;
        self.compositor.limit(
            key,
            window,
            [least_width, least_height, most_width, most_height],
        )
    }

    fn title(&mut self, caller: Caller, window: u64, title: Lease) -> Result<(), Refusal> {
        let key = self.program(caller)?;
        let mut buffer = [0; TITLE_BYTES];
        let title = lent_text(title, &mut buffer)?;
        self.compositor.retitle(key, window, title)
    }

    fn present(
        &mut self,
        caller: Caller,
        window: u64,
        first: u64,
        second: u64,
    ) -> Result<(), Refusal> {
        let key = self.program(caller)?;
        let parts = [first, second].map(|word| {
            let interface::Rect {
                left,
                top,
                width,
                height,
            } = interface::Rect::from_word(word);
            Rect::new(left.into(), top.into(), width.into(), height.into())
        });
        self.compositor
            .present(key, window, parts, syscall::clock_ns())
    }

    fn cursor(&mut self, caller: Caller, window: u64, shape: u64) -> Result<(), Refusal> {
        let key = self.program(caller)?;
        self.compositor.shape(key, window, shape)
    }

    fn close(&mut self, caller: Caller, window: u64) -> Result<(), Refusal> {
        let key = self.program(caller)?;
        self.compositor.close(key, window)
    }

    fn events(&mut self, caller: Caller, out: Lease) -> Result<u64, Refusal> {
        const BYTES: usize = event::WORDS * 8;
        let key = self.program(caller)?;
        let most = usize::try_from(out.length).unwrap_or(usize::MAX) / BYTES;
        let mut bytes = Vec::new();
        for _ in 0..most.min(EVENTS) {
            let Some(event) = self.compositor.next_event(key) else {
                break;
            };
            bytes.extend(event.into_iter().flat_map(u64::to_le_bytes));
        }
        write_lent(out, 0, &bytes)?;
        Ok(bytes.len() as u64)
    }

    fn copy(&mut self, caller: Caller, text: Lease) -> Result<(), Refusal> {
        let key = self.program(caller)?;
        let now_ns = syscall::clock_ns();
        self.compositor.check_copy(key, now_ns)?;
        if text.length > CLIPBOARD_BYTES as u64 {
            return Err(Refusal::TooLong);
        }
        let mut bytes = vec![0; text.length as usize];
        read_lent(text, 0, &mut bytes)?;
        self.compositor.copy(key, bytes, now_ns)
    }

    fn copy_for(&mut self, caller: Caller, seconds: u64, text: Lease) -> Result<(), Refusal> {
        let until_ns = seconds.saturating_mul(1_000_000_000);
        let until_ns = syscall::clock_ns().saturating_add(until_ns);
        self.copy(caller, text)?;
        self.compositor.keep_clipboard_until(until_ns);
        Ok(self.forget.set(&self.signals, FORGET, until_ns)?)
    }

    fn notify(&mut self, caller: Caller, text: Lease) -> Result<(), Refusal> {
        let key = self.program(caller)?;
        let mut buffer = [0; NOTE_BYTES];
        let text = lent_text(text, &mut buffer)?;
        self.compositor.notify(key, text, syscall::clock_ns())
    }

    fn paste(&mut self, caller: Caller, out: Lease) -> Result<u64, Refusal> {
        let key = self.program(caller)?;
        self.compositor.expire_clipboard(syscall::clock_ns());
        let text = self.compositor.paste(key, out.length)?;
        write_lent(out, 0, text)?;
        Ok(text.len() as u64)
    }
}

impl desktop::Desktop for Service {
    fn place(&mut self, caller: Caller, window: u64, layer: u64) -> Result<(), Refusal> {
        let key = self.desktop(caller)?;
        self.compositor.place(key, window, layer)
    }

    fn window(&mut self, caller: Caller, index: u64) -> Result<WindowState, Refusal> {
        self.desktop(caller)?;
        self.compositor.state(index)
    }

    fn act(&mut self, caller: Caller, window: u64, action: u64) -> Result<(), Refusal> {
        self.desktop(caller)?;
        self.compositor.act(window, action)
    }

    fn watch(
        &mut self,
        caller: Caller,
        notification: Handle,
        changed: u64,
        launcher: u64,
    ) -> Result<(), Refusal> {
        let watch = Watch::new(notification, changed);
        self.desktop(caller)?;
        self.desktop = Some((watch, launcher));
        Ok(())
    }
}

impl settings::Settings for Service {
    fn set_look(&mut self, _: Caller, theme: u64, scale: u64) -> Result<(), Refusal> {
        self.compositor.set_look(theme, scale)
    }

    fn layouts(&mut self, _: Caller) -> Result<Layouts, Refusal> {
        Ok(self.compositor.layouts())
    }

    fn layout_name(&mut self, _: Caller, layout: u64, out: Lease) -> Result<u64, Refusal> {
        let name = Compositor::layout_name(layout)?;
        if name.len() as u64 > out.length {
            return Err(Refusal::TooShort);
        }
        write_lent(out, 0, name.as_bytes())?;
        Ok(name.len() as u64)
    }

    fn pointer(&mut self, _: Caller) -> Result<u64, Refusal> {
        Ok(self.compositor.pointer_speed())
    }

    fn set_pointer(&mut self, _: Caller, speed: u64) -> Result<(), Refusal> {
        self.compositor.set_pointer_speed(speed)
    }

    fn set_layout(&mut self, _: Caller, layout: u64) -> Result<(), Refusal> {
        self.compositor.set_layout(layout)
    }

    fn zone(&mut self, _: Caller) -> Result<u64, Refusal> {
        Ok(self.compositor.zone())
    }

    fn set_zone(&mut self, _: Caller, zone: u64) -> Result<(), Refusal> {
        self.compositor.set_zone(zone)
    }
}

impl prompt::Prompt for Service {
    fn place(&mut self, caller: Caller, window: u64, program: u64) -> Result<(), Refusal> {
        let key = self.program(caller)?;
        let subject = self.identity(program)?;
        self.compositor.place_prompt(key, window, subject)
    }

    fn watch(&mut self, _: Caller, notification: Handle, bits: u64) -> Result<(), Refusal> {
        self.photographer = Some(Watch::new(notification, bits));
        Ok(())
    }

    fn paste(&mut self, _: Caller, program: u64, acted: u64) -> Result<(), Refusal> {
        let acted = (acted != 0).then(syscall::clock_ns);
        self.compositor.let_paste(program, acted)
    }

    fn picture(&mut self, _: Caller, from: u64, out: Lease) -> Result<u64, Refusal> {
        let picture = self.picture.as_ref().ok_or(Refusal::NotStored)?;
        let rest = usize::try_from(from)
            .ok()
            .and_then(|from| picture.get(from..));
        let rest = rest.filter(|rest| !rest.is_empty());
        let Some(rest) = rest else {
            self.picture = None;
            return Ok(0);
        };
        let room = usize::try_from(out.length).unwrap_or(usize::MAX);
        let part = &rest[..rest.len().min(room).min(PICTURE_PART)];
        write_lent(out, 0, part)?;
        Ok(part.len() as u64)
    }
}

/// What of a picture is copied at once.
const PICTURE_PART: usize = 32 * 1024;

impl lock::Lock for Service {
    fn state(&mut self, _: Caller) -> Result<u64, Refusal> {
        Ok(self.compositor.lock_state())
    }

    fn watch(&mut self, caller: Caller, notification: Handle, bits: u64) -> Result<(), Refusal> {
        let watch = Watch::new(notification, bits);
        self.locker = Some((self.program(caller)?, Some(watch)));
        Ok(())
    }

    fn lock(&mut self, _: Caller) -> Result<(), Refusal> {
        self.compositor.lock();
        Ok(())
    }

    fn unlock(&mut self, _: Caller) -> Result<(), Refusal> {
        self.compositor.unlock(syscall::clock_ns());
        Ok(())
    }

    fn place(&mut self, caller: Caller, window: u64) -> Result<(), Refusal> {
        let key = self.program(caller)?;
        self.compositor.place_lock(key, window)
    }

    fn tell(&mut self, _: Caller, vault: u64) -> Result<(), Refusal> {
        self.compositor.tell_vault(match vault {
            lock::vault::UNKNOWN => None,
            lock::vault::OPEN => Some(false),
            lock::vault::LOCKED => Some(true),
            _ => return Err(Refusal::Malformed),
        });
        Ok(())
    }
}

impl input::Input for Service {
    fn key(&mut self, _: Caller, usage: u64, state: u64) -> Result<(), Refusal> {
        self.compositor.key(usage, state, syscall::clock_ns());
        Ok(())
    }

    fn pointer(
        &mut self,
        _: Caller,
        right: u64,
        down: u64,
        wheel: u64,
        buttons: u64,
    ) -> Result<(), Refusal> {
        let moved = [right as i64, down as i64, wheel as i64];
        self.compositor.point(moved, buttons, syscall::clock_ns());
        Ok(())
    }

    fn keyboard_reset(&mut self, _: Caller) -> Result<(), Refusal> {
        self.compositor.keyboard_reset();
        Ok(())
    }
}

impl Server for Service {
    /// Which interface a caller means, its badge says.
    fn request(&mut self, caller: Caller, request: &Message) -> Result<Option<Message>, Refusal> {
        let answer = match caller.badge & FACETS {
            BADGE_INPUT => input::dispatch(self, caller, request),
            BADGE_DESKTOP => desktop::dispatch(self, caller, request),
            BADGE_SETTINGS => settings::dispatch(self, caller, request),
            BADGE_PROMPT => prompt::dispatch(self, caller, request),
            BADGE_LOCK => lock::dispatch(self, caller, request),
            _ => interface::dispatch(self, caller, request),
        };
        self.settle();
        answer
    }

    fn signal(&mut self, bits: u64) {
        for slot in (0..PROGRAMS).filter(|slot| bits >> slot & 1 != 0) {
            if let Some(program) = self.programs[slot].take() {
                self.compositor.disconnect(program.key);
                if self
                    .locker
                    .take_if(|(key, _)| *key == program.key)
                    .is_some()
                {
                    self.compositor.tell_vault(None);
                }
            }
        }
        if bits & SCREEN_ENDED != 0
            && let Err(error) = self.reconnect()
        {
            log!("the screen is gone: {error}");
            syscall::exit(1);
        }
        if bits & FORGET != 0 {
            self.compositor.expire_clipboard(syscall::clock_ns());
        }
        if bits & WAKE != 0 {
            self.alarm_ns = None;
            self.compositor.tick(syscall::clock_ns());
        }
        if bits & DRAW != 0 {
            self.armed = false;
            self.drawn_ns = 0;
        }
        self.settle();
    }
}
