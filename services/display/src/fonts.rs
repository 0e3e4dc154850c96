//! The fonts' atlas.

use alloc::vec::Vec;

use nonos_proto::CallError;
use nonos_proto::fonts::{Client, ENSURED, Key};
use nonos_rt::mapping::ReadOnly;
use nonos_rt::object::{Endpoint, Memory};
use nonos_rt::parent;
use nonos_ui::text::Atlas;

/// The atlas, and the service that fills it.
pub struct Fonts {
    service: Client<Endpoint>,
    atlas: ReadOnly,
}

impl Fonts {
    /// Asks for the atlas and maps it.
    pub fn connect() -> Result<Self, CallError> {
        let service = Client(parent::connect("fonts")?);
        let memory = Memory::from_handle(service.atlas()?);
        let atlas = memory.map_to_read().map_err(CallError::Unreachable)?;
        Ok(Self { service, atlas })
    }
}

impl Atlas for Fonts {
    fn read(&self, first: usize, out: &mut [u32]) {
        self.atlas.read(first, out);
    }

    fn ensure(&self, keys: &[Key]) {
        for keys in keys.chunks(ENSURED) {
            let bytes: Vec<u8> = keys.iter().flat_map(|key| key.0.to_le_bytes()).collect();
            let _ = self.service.ensure(&bytes);
        }
    }
}
