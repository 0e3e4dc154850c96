//! Cross builds of boot loader, kernel and modules, with the standard library from source.
//!
//! This file owns the compiler's and linker's flags. The same flags reach `core` and `alloc`, so no object is left
//! out of a protection. Paths are remapped, so that what comes out does not depend on where it was built. Cargo's
//! own freshness check makes a second build with nothing changed a matter of seconds; everything lands in one
//! target directory apart from that of the host programs.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, ensure};

use crate::modules::SystemKind;
use crate::process::{progress, run};
use crate::toolchain::Toolchain;
use crate::{boot_program, paths};

/// What is built for which machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// UEFI application.
    BootLoader,
    /// Static-PIE ELF without floating point.
    Kernel,
    /// Static-PIE ELF of a process.
    User,
}

/// Code generation, all targets. Indirect branches land on `endbr64` and never go through jump tables, which would
/// need `notrack` (CET, SDM vol. 1, chapter 17); no unwind tables, a panic aborts.
const HARDENING: [&str; 3] = [
    "-Zcf-protection=full",
    "-Cjump-tables=no",
    "-Cforce-unwind-tables=no",
];

/// ELF targets. Relocations are packed: a bit for most. `-Zplt=yes` calls `memcpy` and its kin directly instead of through memory, and
/// the stack protector's value is read directly, too (`-Zdirect-access-external-data`). Speculation past `ret` and
/// indirect `jmp` is stopped by features in the target files. Segments never share a page, neither in
/// memory nor in the file, so the loader maps each with its own access.
const ELF: [&str; 10] = [
    "-Zsanitizer=kcfi",
    "-Zstack-protector=strong",
    "-Zplt=yes",
    "-Zdirect-access-external-data=yes",
    "-Clink-arg=--icf=all",
    "-Clink-arg=-zpack-relative-relocs",
    "-Clink-arg=-zseparate-loadable-segments",
    "-Clink-arg=-zmax-page-size=4096",
    "-Clink-arg=-znow",
    "-Clink-arg=--build-id=none",
];

/// The kernel's reports name the place and what the stack says of callers; that says where without a source location for each check
/// of a bound or a sum, which would take a seventh of the kernel, and without frame pointers, which would take a fiftieth.
/// Blocks of a function lie so that the fewest jumps are needed (`-apply-ext-tsp-for-size`), also where the compiler goes for size.
const KERNEL_ONLY: [&str; 4] = [
    "-Zretpoline-external-thunk",
    "-Zfunction-return=thunk-extern",
    "-Zlocation-detail=none",
    "-Cllvm-args=-apply-ext-tsp-for-size",
];

/// PE target: no debug directory. It would hold the number of a debug file, which depends on where that was built.
const PE: [&str; 3] = [
    "-Clinker=lld-link-19",
    "-Cstrip=symbols",
    "-Clink-arg=/DEBUG:NONE",
];

/// Formally verified field arithmetic.
pub const VERIFIED_ARITHMETIC: &str = r#"curve25519_dalek_backend="fiat""#;

/// The small and portable implementations of the cryptography: for boot loader and kernel, which have no SSE and little room. Programs
/// look at run time for the CPU's instructions.
const SMALL_CRYPTOGRAPHY: [&str; 5] = [
    r#"chacha20_backend="soft""#,
    r#"sha2_backend="soft""#,
    r#"sha2_backend_soft="compact""#,
    r#"keccak_backend="soft""#,
    r#"keccak_backend_soft="compact""#,
];

/// In programs, what runs where the CPU has no instructions for it is small rather than fast.
const SMALL_FALLBACKS: [&str; 2] = [
    r#"aes_backend_soft="compact""#,
    r#"sha2_backend_soft="compact""#,
];

impl Target {
    /// All targets.
    pub const ALL: [Self; 3] = [Self::BootLoader, Self::Kernel, Self::User];

    /// For a person.
    pub fn title(self) -> &'static str {
        match self {
            Self::BootLoader => "boot loader",
            Self::Kernel => "kernel",
            Self::User => "modules",
        }
    }

    /// Name of the folder with what was built.
    fn triple(self) -> &'static str {
        match self {
            Self::BootLoader => "x86_64-unknown-uefi",
            Self::Kernel => "x86_64-nonos-kernel",
            Self::User => "x86_64-nonos-user",
        }
    }

    /// Which implementations of the cryptography are compiled in.
    fn cryptography(self) -> impl Iterator<Item = &'static str> {
        let small: &[_] = match self {
            Self::BootLoader | Self::Kernel => &SMALL_CRYPTOGRAPHY,
            Self::User => &SMALL_FALLBACKS,
        };
        [VERIFIED_ARITHMETIC]
            .into_iter()
            .chain(small.iter().copied())
    }

    fn flags(self) -> impl Iterator<Item = &'static &'static str> {
        let (format, own): (&[&str], &[&str]) = match self {
            Self::BootLoader => (&PE, &[]),
            Self::Kernel => (&ELF, &KERNEL_ONLY),
            Self::User => (&ELF, &[]),
        };
        HARDENING.iter().chain(format).chain(own)
    }
}

/// A protection that the compiler puts into the kernel, and that can be left out of one that is only measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protection {
    /// Calls through a pointer check the type of the function.
    Kcfi,
    /// Functions with buffers look for a value below their return address.
    StackProtector,
    /// Calls through a pointer leave through a thunk.
    Retpolines,
    /// Functions return by one `ret`, at a place where no other branch decides where it is predicted to go.
    ReturnThunk,
    /// `endbr64` where calls through a pointer lead.
    LandingPads,
}

impl Protection {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Kcfi,
        Self::StackProtector,
        Self::Retpolines,
        Self::ReturnThunk,
        Self::LandingPads,
    ];

    /// For a person.
    pub fn title(self) -> &'static str {
        match self {
            Self::Kcfi => "kCFI",
            Self::StackProtector => "stack protector",
            Self::Retpolines => "retpolines",
            Self::ReturnThunk => "aligned returns (ITS)",
            Self::LandingPads => "landing pads (CET)",
        }
    }

    /// The flag that asks for it.
    fn flag(self) -> &'static str {
        match self {
            Self::Kcfi => "-Zsanitizer=kcfi",
            Self::StackProtector => "-Zstack-protector=strong",
            Self::Retpolines => "-Zretpoline-external-thunk",
            Self::ReturnThunk => "-Zfunction-return=thunk-extern",
            Self::LandingPads => "-Zcf-protection=full",
        }
    }
}

/// A program of the workspace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Program {
    /// Package.
    pub package: String,
    /// Binary in the package.
    pub binary: String,
}

impl Program {
    /// The binary that has its package's name.
    pub fn of_package(name: &str) -> Self {
        Self {
            package: name.to_owned(),
            binary: name.to_owned(),
        }
    }
}

/// The module that knows the system's policy.
const INIT: &str = "init";

/// `init` of every system is built to the same place.
static INIT_OF_ONE_SYSTEM: Mutex<()> = Mutex::new(());

/// Package of the boot loader.
pub const BOOT_LOADER: &str = "nonos-boot";
/// Package of the stub that unpacks it.
pub const BOOT_STUB: &str = "nonos-boot-stub";
/// Package of the kernel.
pub const KERNEL: &str = "nonos-kernel";

/// Where the sources are and where the results go.
#[derive(Clone, Debug)]
pub struct Tree {
    /// A checkout.
    pub root: PathBuf,
    /// Cargo's target directory.
    pub target: PathBuf,
}

impl Tree {
    /// This checkout.
    pub fn here() -> Self {
        Self {
            root: paths::root(),
            target: paths::system_target(),
        }
    }
}

/// The boot loader, not signed.
#[derive(Clone, Debug)]
pub struct BootLoader {
    /// What the firmware starts: it holds the program, packed.
    pub stub: PathBuf,
    /// The program as it was linked.
    pub program: PathBuf,
}

/// Builds programs of one checkout.
#[derive(Clone, Debug)]
pub struct Builder {
    toolchain: Toolchain,
    tree: Tree,
    without: Vec<Protection>,
}

impl Builder {
    /// A builder. Fetches the dependencies when this machine has none yet: flags depend on where they lie.
    ///
    /// # Errors
    /// When they cannot be fetched.
    pub fn new(toolchain: Toolchain, tree: Tree) -> Result<Self> {
        let builder = Self {
            toolchain,
            tree,
            without: Vec::new(),
        };
        if registries().is_empty() {
            progress("fetching dependencies");
            run(builder
                .toolchain
                .cargo("fetch")
                .current_dir(&builder.tree.root))?;
        }
        Ok(builder)
    }

    /// The same, but its kernels lack some protections.
    pub fn without(self, protections: &[Protection]) -> Self {
        Self {
            without: protections.to_vec(),
            ..self
        }
    }

    /// The checkout.
    pub fn root(&self) -> &Path {
        &self.tree.root
    }

    /// A cargo command for a target, with all flags; the caller adds packages.
    pub fn cargo(&self, subcommand: &str, target: Target) -> Command {
        let mut cargo = self.toolchain.cargo(subcommand);
        cargo
            .current_dir(&self.tree.root)
            .env("CARGO_TARGET_DIR", &self.tree.target);
        cargo.env("CARGO_ENCODED_RUSTFLAGS", self.flags(target).join("\x1f"));
        cargo.args(["--release", "-Zbuild-std=core,alloc,compiler_builtins"]);
        cargo.args([
            "-Zbuild-std-features=compiler-builtins-mem,optimize_for_size",
            "--target",
        ]);
        match target {
            // A PE names its debug file by path and time.
            Target::BootLoader => cargo
                .arg(target.triple())
                .env("CARGO_PROFILE_RELEASE_DEBUG", "false"),
            Target::Kernel | Target::User => cargo
                .arg(format!("targets/{}.json", target.triple()))
                .arg("-Zjson-target-spec"),
        };
        cargo
    }

    /// Builds the boot loader with these image keys compiled in, and the stub with it.
    ///
    /// # Errors
    /// When a build fails.
    pub fn boot_loader(&self, image_keys: &Path) -> Result<BootLoader> {
        progress("building the boot loader");
        let mut cargo = self.cargo("build", Target::BootLoader);
        run(cargo
            .args(["--package", BOOT_LOADER])
            .env("NONOS_IMAGE_KEYS", image_keys))
        .context("build the boot loader")?;
        let program = self.result(Target::BootLoader, "nonos-boot.efi")?;
        let packed = program.with_extension("packed");
        let contents =
            boot_program::pack(&paths::read(&program)?).context("pack the boot loader")?;
        paths::write_if_changed(&packed, &contents)?;
        let mut cargo = self.cargo("build", Target::BootLoader);
        run(cargo
            .args(["--package", BOOT_STUB])
            .env("NONOS_PACKED_BOOT_LOADER", packed))
        .context("build the boot loader's stub")?;
        let stub = self.result(Target::BootLoader, "nonos-boot-stub.efi")?;
        Ok(BootLoader { stub, program })
    }

    /// Builds another program for the firmware.
    ///
    /// # Errors
    /// When the build fails.
    pub fn firmware_program(&self, package: &str) -> Result<PathBuf> {
        progress(format!("building {package}"));
        run(self
            .cargo("build", Target::BootLoader)
            .args(["--package", package]))
        .context("build a program for the firmware")?;
        self.result(Target::BootLoader, &format!("{package}.efi"))
    }

    /// Builds the kernel, with its symbols.
    ///
    /// # Errors
    /// When the build fails.
    pub fn kernel(&self) -> Result<PathBuf> {
        progress("building the kernel");
        run(self
            .cargo("build", Target::Kernel)
            .args(["--package", KERNEL]))
        .context("build the kernel")?;
        self.result(Target::Kernel, KERNEL)
    }

    /// Builds modules, with their symbols, for a system whose policy `init` is built with, and whose updates this key approves; one file for each
    /// program.
    ///
    /// # Errors
    /// When the build fails.
    pub fn modules(
        &self,
        system: SystemKind,
        programs: &[Program],
        update_key: &Path,
    ) -> Result<Vec<PathBuf>> {
        let names: Vec<_> = programs
            .iter()
            .map(|program| program.binary.as_str())
            .collect();
        progress(format!("building modules: {}", names.join(", ")));
        let mut cargo = self.cargo("build", Target::User);
        cargo.env("NONOS_SYSTEM", system.name());
        cargo.env("NONOS_UPDATE_KEY", update_key);
        for program in programs {
            cargo.args(["--package", &program.package, "--bin", &program.binary]);
        }
        let _alone = INIT_OF_ONE_SYSTEM
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        run(&mut cargo).context("build the modules")?;
        let built = names.iter().map(|&name| match name {
            INIT => self.keep_init(system),
            name => self.result(Target::User, name),
        });
        built.collect()
    }

    /// Puts `init` aside before the one of another system takes its place.
    fn keep_init(&self, system: SystemKind) -> Result<PathBuf> {
        let built = self.result(Target::User, INIT)?;
        let kept = built.with_extension(system.name());
        fs::copy(&built, &kept).with_context(|| format!("write {}", kept.display()))?;
        Ok(kept)
    }

    fn result(&self, target: Target, file: &str) -> Result<PathBuf> {
        let path = self
            .tree
            .target
            .join(target.triple())
            .join("release")
            .join(file);
        ensure!(path.exists(), "the build left no {}", path.display());
        Ok(path)
    }

    fn flags(&self, target: Target) -> Vec<String> {
        let left_out = |flag: &str| {
            let mut without = self.without.iter();
            target == Target::Kernel && without.any(|protection| protection.flag() == flag)
        };
        let wanted = target.flags().filter(|flag| !left_out(flag));
        let mut flags: Vec<String> = wanted.map(ToString::to_string).collect();
        for setting in target.cryptography() {
            flags.extend(["--cfg".to_owned(), setting.to_owned()]);
        }
        flags.extend(
            self.remapped_paths()
                .map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display())),
        );
        flags
    }

    /// Paths that would tell where this was built. The last prefix that matches counts.
    fn remapped_paths(&self) -> impl Iterator<Item = (PathBuf, &'static str)> {
        let source = &self.toolchain.source;
        let real_source = source.canonicalize().unwrap_or_else(|_| source.clone());
        let standard = [source.clone(), real_source].map(|path| (path, "/rust"));
        let registries = registries().into_iter().map(|path| (path, "/registry"));
        let own = [
            (self.tree.root.clone(), "/nonos"),
            (self.tree.target.clone(), "/nonos/target"),
        ];
        standard.into_iter().chain(registries).chain(own)
    }
}

/// Folders in which cargo unpacks the crates of each registry.
fn registries() -> Vec<PathBuf> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")));
    let Some(sources) = home.map(|home| home.join("registry/src")) else {
        return Vec::new();
    };
    let mut folders: Vec<_> = fs::read_dir(sources)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    folders.sort();
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_protection_that_can_be_left_out_is_asked_for() {
        for protection in Protection::ALL {
            let mut flags = Target::Kernel.flags();
            assert!(
                flags.any(|flag| *flag == protection.flag()),
                "{protection:?}"
            );
        }
    }
}
