//! Loading: how a verified module becomes a process.
//!
//! Text and constants are shared frames, mapped R or RX. Writable segments are private copies, mapped RW, their RELRO
//! pages R. Relocations are applied through the machine's window, and only to frames that belong to the process itself.
//! The program lies at a random base, the stack at another, with nothing mapped below or above.

use nonos_abi::{Error, PAGE_BYTES, Rights};
use nonos_image::elf::{self, Executable, Segment};

use crate::arena::Empty;
use crate::arena::{ModuleId, ProcessId};
use crate::budget::Budget;
use crate::frame::{FrameList, Frames, Owner};
use crate::handle::Capability;
use crate::kernel::Kernel;
use crate::machine::{Access, AddressSpace, Caching, FrameNumber, Machine, UserPage};
use crate::module::{Admitted, Module};
use crate::object::Object;
use crate::process::{Exit, Process};
use crate::region::{
    Backing, IMAGE_AREA, Region, STACK_AREA, map_pages, random_address, random_memory_base,
};
use crate::thread::Thread;

const PAGE: u64 = PAGE_BYTES as u64;

/// Pages of the stack of a program.
pub(crate) const STACK_PAGES: u32 = 32;

impl Kernel {
    /// Makes a process of an admitted module, with at most what its manifest allows. Its table holds a handle to itself.
    pub(crate) fn create_process(
        &mut self,
        creator: Option<ProcessId>,
        module: ModuleId,
        [priority, quota_pages]: [u64; 2],
        budget: Budget,
        coarse_clock: bool,
        machine: &mut impl Machine,
    ) -> Result<ProcessId, Error> {
        let manifest = self.modules[module].admitted()?.manifest;
        self.random.stir(machine);
        let mut budget = budget;
        if let Some(creator) = creator {
            self.check_object_quota(creator)?;
            self.processes[creator].budget.lend(&mut budget)?;
        }
        let process = Process {
            number: self.next_process_number,
            name: manifest.name,
            priority: u8::try_from(priority)
                .unwrap_or(u8::MAX)
                .min(manifest.priority),
            quota_pages: quota_pages.min(manifest.quota_pages),
            budget,
            coarse_clock: coarse_clock
                || creator.is_some_and(|creator| self.processes[creator].coarse_clock),
            memory_base: random_memory_base(&mut self.random),
            ..Process::unused()
        };
        let Some(id) = self.processes.insert(process, creator) else {
            if let Some(creator) = creator {
                self.processes[creator].budget.take_back(&budget);
            }
            return Err(Error::OutOfObjects);
        };
        self.next_process_number += 1;
        if let Some(creator) = creator {
            self.charge_object(creator);
        }
        let made = self.fill_process(id, module, machine);
        if let Err(error) = made {
            self.end_process(id, Exit::Killed, machine);
            self.clean_up(machine);
            return Err(error);
        }
        Ok(id)
    }

    fn fill_process(
        &mut self,
        id: ProcessId,
        module: ModuleId,
        machine: &mut impl Machine,
    ) -> Result<(), Error> {
        self.table(id).reset();
        let this = Capability::new(Object::Process(id), Rights::READ.or(Rights::EXECUTE));
        self.insert_root(id, this)?;
        self.retain(&this);
        self.modules.retain(module);
        self.processes[id].module = Some(module);

        let before = machine.table_frames().0;
        let space = machine
            .space_create(self.processes[id].coarse_clock)
            .ok_or(Error::OutOfMemory)?;
        self.processes[id].space = Some(space);
        let mut thread = Thread {
            process: Some(id),
            account: Some(id),
            space,
            first_slot: self.first_slot(id),
            priority: self.processes[id].priority,
            ..Thread::unused()
        };
        thread.note_held();
        let thread = self
            .threads
            .insert(thread, None)
            .ok_or(Error::OutOfObjects)?;
        self.add_thread(id, thread);

        let loaded = self.load_image(id, module, space, machine);
        let loaded = loaded.and_then(|entry| Ok((entry, self.make_stack(id, space, machine)?)));
        self.charge_tables(id, before, machine);
        let (entry, stack_top) = loaded?;
        self.check_quota(id, 0)?;
        self.make_shadow_stack(id, thread, machine)?;
        let context = &mut self.threads[thread].context;
        context.rip = entry;
        context.rsp = stack_top;
        context.rdx = self.random.double_word();
        Ok(())
    }

    /// Maps the program; returns its entry point.
    fn load_image(
        &mut self,
        id: ProcessId,
        module: ModuleId,
        space: AddressSpace,
        machine: &mut impl Machine,
    ) -> Result<u64, Error> {
        let base = random_address(IMAGE_AREA, &mut self.random);
        let data = Owner::Process(id);
        share_module(&mut self.modules[module], module, &mut self.frames, machine)?;
        let executable = &self.modules[module].admitted()?.executable;
        let pages = u32::try_from(executable.memory_bytes() / PAGE);
        let pages = pages.map_err(|_| Error::ModuleFormat)?;
        let private = writable(executable).map(Segment::pages).sum::<u64>();
        let entry = base + executable.entry();
        self.check_quota(id, private + u64::from(STACK_PAGES))?;

        let module = &self.modules[module];
        let executable = &module.admitted()?.executable;
        let mut shared = self.frames.iter(&module.shared);
        for segment in executable.segments() {
            let access = match segment.access {
                elf::Access::Read => Access::Read,
                elf::Access::ReadExecute => Access::ReadExecute,
                elf::Access::ReadWrite => continue,
            };
            let frames = shared.by_ref().take(segment.pages() as usize);
            let address = base + segment.virtual_offset;
            map_pages(space, address, frames, access, Caching::WriteBack, machine)?;
        }
        drop(shared);

        let process = &mut self.processes[id];
        for segment in writable(executable) {
            let list = &mut process.frames;
            for (at, contents) in pages_of(executable, segment) {
                let frame = self.frames.allocate(data, list, machine)?;
                process.pages += 1;
                fill_frame(frame, contents, machine);
                let sealed = executable.relro().is_some_and(|relro| relro.contains(&at));
                let access = if sealed {
                    Access::Read
                } else {
                    Access::ReadWrite
                };
                let one = core::iter::once(frame);
                map_pages(space, base + at, one, access, Caching::WriteBack, machine)?;
            }
        }
        relocate(executable, base, space, data, &self.frames, machine)?;
        self.insert_region(id, Region::fixed(base, pages, Backing::Image));
        Ok(entry)
    }

    /// Maps a stack; returns its top.
    fn make_stack(
        &mut self,
        id: ProcessId,
        space: AddressSpace,
        machine: &mut impl Machine,
    ) -> Result<u64, Error> {
        let address = random_address(STACK_AREA, &mut self.random);
        let region = Region::fixed(address, STACK_PAGES, Backing::Stack);
        let process = &mut self.processes[id];
        for page in (address..region.end()).step_by(PAGE_BYTES) {
            let frame = self
                .frames
                .allocate(Owner::Process(id), &mut process.frames, machine)?;
            process.pages += 1;
            let one = core::iter::once(frame);
            map_pages(
                space,
                page,
                one,
                Access::ReadWrite,
                Caching::WriteBack,
                machine,
            )?;
        }
        self.insert_region(id, region);
        Ok(region.end())
    }
}

/// The segments that each process has a copy of.
fn writable<'a>(executable: &'a Executable<'_>) -> impl Iterator<Item = &'a Segment> {
    executable
        .segments()
        .iter()
        .filter(|segment| segment.access == elf::Access::ReadWrite)
}

/// The pages of a segment: offset from the base, and what the file has for it (then zeros).
fn pages_of<'a>(
    executable: &Executable<'a>,
    segment: &Segment,
) -> impl Iterator<Item = (u64, &'a [u8])> + use<'a> {
    let contents = executable.contents(segment).chunks(PAGE_BYTES);
    let contents = contents.chain(core::iter::repeat(&[][..]));
    let offsets = (segment.virtual_offset..segment.page_end()).step_by(PAGE_BYTES);
    offsets.zip(contents)
}

/// Writes the start of a frame, which is all zeros.
fn fill_frame(frame: FrameNumber, contents: &[u8], machine: &mut impl Machine) {
    if !contents.is_empty() {
        machine.with_frame(frame, |bytes| {
            bytes[..contents.len()].copy_from_slice(contents)
        });
    }
}

/// Copies text and constants to frames, if no process of the module did before.
fn share_module(
    module: &mut Module,
    id: ModuleId,
    frames: &mut Frames,
    machine: &mut impl Machine,
) -> Result<(), Error> {
    if module.shared.count() > 0 {
        return Ok(());
    }
    let Admitted { executable, .. } = module.admitted()?;
    let fixed = |segment: &&Segment| segment.access != elf::Access::ReadWrite;
    let segments = || executable.segments().iter().filter(fixed);
    let pages = segments().map(Segment::pages).sum();
    let shared: FrameList = frames.allocate_all(pages, Owner::Module(id), machine)?;
    let contents = segments().flat_map(|segment| pages_of(executable, segment));
    for (frame, (_, contents)) in frames.iter(&shared).zip(contents) {
        fill_frame(frame, contents, machine);
    }
    module.shared = shared;
    Ok(())
}

/// Applies all relocations, page by page, to frames of `owner` only.
fn relocate(
    executable: &Executable<'_>,
    base: u64,
    space: AddressSpace,
    owner: Owner,
    frames: &Frames,
    machine: &mut impl Machine,
) -> Result<(), Error> {
    let mut relocations = executable.relocations().peekable();
    while let Some(&(first, _)) = relocations.peek() {
        let page = UserPage::containing(base + first).ok_or(Error::ModuleFormat)?;
        let (frame, _) = machine.translate(space, page).ok_or(Error::ModuleFormat)?;
        if frames.owner(frame) != Some(owner) {
            return Err(Error::ModuleFormat);
        }
        machine.with_frame(frame, |bytes| {
            let (words, _) = bytes.as_chunks_mut::<8>();
            let same_page = |&(offset, _): &(u64, u64)| offset / PAGE == first / PAGE;
            while let Some((offset, addend)) = relocations.next_if(same_page) {
                words[(offset % PAGE / 8) as usize] = (base + addend).to_le_bytes();
            }
        });
    }
    Ok(())
}
