//! Handles with an owner.

use nonos_abi::{Error, Handle, ObjectKind, Rights};

use crate::syscall;

/// A handle that is closed when it is dropped.
#[derive(Debug)]
pub struct OwnedHandle(Handle);

impl OwnedHandle {
    /// Takes charge of a handle. One that is not open is harmless: closing it is refused.
    pub fn new(handle: Handle) -> Self {
        Self(handle)
    }

    /// The handle, for a system call.
    pub fn get(&self) -> Handle {
        self.0
    }

    /// Gives up charge of the handle.
    pub fn into_raw(self) -> Handle {
        let handle = self.0;
        core::mem::forget(self);
        handle
    }

    /// A copy with at most these rights, until this time at the latest (0: as long as this one). Needs GRANT.
    pub fn copy(&self, rights: Rights, deadline_ns: u64) -> Result<Self, Error> {
        syscall::handle_copy(self.0, rights, deadline_ns).map(Self)
    }

    /// Takes back all that was derived from the handle, everywhere; the handle itself stays. Needs REVOKE.
    pub fn revoke(&self) -> Result<(), Error> {
        syscall::handle_revoke(self.0)
    }

    /// Kind and rights.
    pub fn info(&self) -> Result<(ObjectKind, Rights), Error> {
        syscall::handle_info(self.0)
    }
}

impl Drop for OwnedHandle {
    fn drop(&mut self) {
        let _ = syscall::handle_close(self.0);
    }
}
