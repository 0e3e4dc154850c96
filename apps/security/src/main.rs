//! The security screen, see the library.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::vec::Vec;

use nonos_mitigations::with_cpuid;
use nonos_rt::abi::info::{AuditRecord, ModuleInfo, Pcr, Topic};
use nonos_rt::abi::words::Words;
use nonos_rt::object::{Audit, SystemInfo};
use nonos_rt::parent;
use security::Security;
use security::facts::{Facts, MEASURED, Source};

nonos_rt::entry!(main);

/// The running system.
struct Running {
    system: SystemInfo,
    audit: Option<Audit>,
    /// Where the record of denials goes on.
    position: u64,
}

impl Running {
    fn record<T: Words>(&self, topic: Topic, index: u64) -> Option<T> {
        self.system.read(topic, index).ok()
    }
}

impl Source for Running {
    fn facts(&self) -> Facts {
        let pcr = |&number: &u64| {
            self.record::<Pcr>(Topic::Pcr, number)
                .map(|pcr| (number, pcr))
        };
        Facts {
            boot: self.record(Topic::Boot, 0),
            cpu: self.record(Topic::Cpu, 0),
            flaws: self
                .record(Topic::CpuSecurity, 0)
                .map(|kernel| with_cpuid(&kernel)),
            dma: self.record(Topic::Dma, 0),
            random: self.record(Topic::Random, 0),
            modules: (0..)
                .map_while(|index| self.record::<ModuleInfo>(Topic::Module, index))
                .map(|module| module.state)
                .collect(),
            pcrs: MEASURED.iter().filter_map(pcr).collect(),
        }
    }

    fn denials(&mut self) -> Option<Vec<AuditRecord>> {
        let audit = self.audit.as_ref()?;
        let mut records = [AuditRecord::default(); 8];
        let mut found = Vec::new();
        loop {
            let (count, next) = audit.read(self.position, &mut records).ok()?;
            self.position = next;
            found.extend_from_slice(&records[..count]);
            if count < records.len() {
                return Some(found);
            }
        }
    }
}

fn main() -> u64 {
    let Ok(system) = parent::system_info() else {
        return 1;
    };
    nonos_ui::app::run(Security::new(Running {
        system,
        audit: parent::audit().ok(),
        position: 0,
    }))
}
