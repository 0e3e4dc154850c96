//! A small family of processes, for tests of what one derives from another's handle.

use nonos_abi::info::{HandleRecord, Topic};
use nonos_abi::words::Words;
use nonos_abi::{Error, MessageInfo, Rights, Syscall, start};

use crate::arena::ProcessId;
use crate::machine::{Machine, UserPage};
use crate::testing::World;

pub const ALL: u64 = Rights::ALL.bits();
pub const READ: u64 = Rights::READ.bits();
pub const READ_WRITE: u64 = Rights::READ.or(Rights::WRITE).bits();

/// `init` and two more processes.
pub struct Family {
    pub world: World,
    pub init: ProcessId,
    pub first: ProcessId,
    pub second: ProcessId,
}

impl Default for Family {
    fn default() -> Self {
        let mut world = World::default();
        let init = world.init();
        let (first, _) = world.start_worker();
        let (second, _) = world.start_worker();
        Self {
            world,
            init,
            first,
            second,
        }
    }
}

impl Family {
    /// `init` and the two others.
    pub fn processes(&self) -> [ProcessId; 3] {
        [self.init, self.first, self.second]
    }

    /// A new notification of a process.
    pub fn notification(&mut self, process: ProcessId) -> u64 {
        self.value(process, Syscall::NotificationCreate, &[])
    }

    /// A new endpoint of `init`, and the handle through which `first` calls it.
    pub fn endpoint(&mut self) -> (u64, u64) {
        let (init, first) = (self.init, self.first);
        let endpoint = self.value(init, Syscall::EndpointCreate, &[]);
        (endpoint, self.world.share(init, endpoint, first))
    }

    /// Has `first` call with one handle, which arrives at the waiting `init` with this number.
    pub fn send_handle(&mut self, door: u64, info: MessageInfo, handle: u64) -> u64 {
        let (init, first) = (self.init, self.first);
        self.world.switch_to(first);
        self.world.context(first).rbx = handle;
        self.world.begin(first, Syscall::Call, &[door, info.0]);
        self.world.context(init).rbx
    }
    pub fn value(&mut self, process: ProcessId, call: Syscall, arguments: &[u64]) -> u64 {
        self.world.value(process, call, arguments)
    }

    pub fn error(&mut self, process: ProcessId, call: Syscall, arguments: &[u64]) -> Option<Error> {
        self.world.call(process, call, arguments).err()
    }

    pub fn revoke(&mut self, process: ProcessId, handle: u64) {
        assert_eq!(self.error(process, Syscall::HandleRevoke, &[handle]), None);
    }

    pub fn record(&mut self, process: ProcessId, handle: u64) -> HandleRecord {
        let init = self.init;
        let number = self.world.kernel.processes[process].number;
        let (pointer, index) = (self.world.buffer(init), number << 32 | handle & 0xFFF);
        let info = start::SYSTEM_INFO.raw().into();
        let arguments = [info, Topic::Handle as u64, index, pointer, 32];
        self.value(init, Syscall::SystemRead, &arguments);
        let words = self.world.peek_words(init, pointer, HandleRecord::COUNT);
        HandleRecord::read_words(&words).unwrap()
    }

    pub fn is_mapped(&self, process: ProcessId, address: u64) -> bool {
        let page = UserPage::new(address).unwrap();
        let space = self.world.space(process);
        self.world.machine.translate(space, page).is_some()
    }
}
