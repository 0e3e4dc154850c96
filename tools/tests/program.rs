//! The program as its users meet it: a key, a list of modules, an image, and what is refused.

#[path = "../../lib/image/tests/common/sample.rs"]
mod sample;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nonos_image::envelope::{ML_DSA_AT, PADDING_AT};

const MANIFEST: &str = r#"
name = "console"
publisher = "nonos"
version = "0.1.0"
security-version = 1
priority = 20
quota-pages = 256
needs = ["serial"]
"#;

/// A folder to work in.
struct Desk(tempfile::TempDir);

impl Desk {
    /// Holds keys, a kernel, an ELF and a manifest.
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().expect("a folder"));
        desk.ok(&["keygen", "--out", "secret", "--public", "public"]);
        fs::write(desk.path("elf"), sample::executable()).expect("written");
        fs::write(desk.path("manifest.toml"), MANIFEST).expect("written");
        desk
    }

    fn with_list() -> Self {
        let desk = Self::new();
        desk.ok(&SIGN_LIST);
        desk
    }

    fn with_image() -> Self {
        let desk = Self::with_list();
        desk.ok(&SIGN_IMAGE);
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nonos-image"));
        command
            .current_dir(self.0.path())
            .args(arguments)
            .output()
            .expect("the program runs")
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && errors.is_empty(),
            "{arguments:?}: {errors}"
        );
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// The one line on standard error of a command that fails.
    fn error(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let errors = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {errors}");
        assert_eq!(errors.lines().count(), 1, "one line: {errors}");
        assert!(output.stdout.is_empty());
        errors
            .trim_end()
            .strip_prefix("nonos-image: ")
            .expect("who says it")
            .to_owned()
    }

    fn damage(&self, name: &str, at: usize) {
        let mut file = fs::read(self.path(name)).expect("read");
        file[at] ^= 1;
        fs::write(self.path(name), file).expect("written");
    }
}

const SIGN_LIST: [&str; 7] = [
    "sign-list",
    "--module",
    "manifest.toml=elf",
    "--keys",
    "secret",
    "--out",
    "list",
];
const SIGN_IMAGE: [&str; 17] = [
    "sign-image",
    "--kernel",
    "elf",
    "--anchor",
    "nonos=public",
    "--list",
    "list",
    "--module",
    "console=elf",
    "--keys",
    "secret",
    "--image-version",
    "1.0",
    "--security-version",
    "4",
    "--out",
    "image",
];
const VERIFY_IMAGE: [&str; 4] = ["verify-image", "image", "--keys", "public"];
const VERIFY_LIST: [&str; 4] = ["verify-list", "list", "--keys", "public"];

#[test]
fn secret_keys_are_for_their_owner_and_never_overwritten() {
    let desk = Desk::new();
    let before = fs::read(desk.path("secret")).expect("read");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(desk.path("secret"))
            .expect("metadata")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    assert_eq!(
        desk.error(&["keygen", "--out", "secret"]),
        "secret: exists already; keys are never overwritten"
    );
    assert_eq!(fs::read(desk.path("secret")).expect("read"), before);
    let error = desk.error(&["keygen", "--out", "other", "--public", "public"]);
    assert_eq!(error, "public: exists already; keys are never overwritten");
    assert!(!desk.path("other").exists(), "no secret file is left alone");
    assert_eq!(fs::read(desk.path("public")).expect("read").len(), 1984);
}

#[test]
fn public_keys_follow_from_secret_keys() {
    let desk = Desk::new();
    let text = desk.ok(&["public", "secret", "--out", "public.2"]);
    assert_eq!(
        fs::read(desk.path("public")).expect("read"),
        fs::read(desk.path("public.2")).expect("read")
    );
    let secret = fs::read_to_string(desk.path("secret")).expect("read");
    let fingerprint = text
        .lines()
        .find(|line| line.starts_with("fingerprint: "))
        .expect("a fingerprint");
    assert_eq!(fingerprint.split(' ').nth(1).expect("digits").len(), 64);
    for seed in secret
        .lines()
        .skip(1)
        .filter_map(|line| line.split(' ').nth(1))
    {
        assert!(!text.contains(seed), "secrets are not printed");
    }
    fs::write(desk.path("secret"), secret.replace("ed25519", "rsa")).expect("written");
    assert!(
        desk.error(&["public", "secret"])
            .starts_with("secret: line 2 is not \"ed25519 \"")
    );
}

#[test]
fn a_signed_list_verifies_and_a_damaged_one_does_not() {
    let desk = Desk::with_list();
    assert!(
        desk.ok(&VERIFY_LIST)
            .contains("module console 0.1.0 by nonos: valid")
    );
    for (at, says) in [
        (20, "Ed25519 signature is not valid"),
        (ML_DSA_AT, "ML-DSA-65 signature is not valid"),
        (PADDING_AT, "padding"),
        (4200, "BLAKE3 hash is wrong"),
    ] {
        desk.damage("list", at);
        let error = desk.error(&VERIFY_LIST);
        assert!(
            error.starts_with("list: refused: ") && error.contains(says),
            "{error}"
        );
        desk.damage("list", at);
    }
    desk.ok(&["keygen", "--out", "other", "--public", "other.public"]);
    let error = desk.error(&["verify-list", "list", "--keys", "other.public"]);
    assert!(error.contains("Ed25519"), "{error}");
}

#[test]
fn executables_that_the_system_would_refuse_are_not_signed() {
    let desk = Desk::new();
    let mut writable_code = sample::executable();
    sample::set(&mut writable_code, sample::RX, sample::FLAGS, 7);
    fs::write(desk.path("elf"), writable_code).expect("written");
    let error = desk.error(&SIGN_LIST);
    assert_eq!(
        error,
        "elf: no executable for this system: segment 1 is writable and executable: found 0x7"
    );
    fs::write(
        desk.path("manifest.toml"),
        MANIFEST.replace("serial", "root"),
    )
    .expect("written");
    assert!(
        desk.error(&SIGN_LIST)
            .starts_with("manifest.toml: bad manifest: need \"root\" does not exist")
    );
    assert!(!desk.path("list").exists());
}

#[test]
fn a_signed_image_verifies_down_to_its_modules() {
    let desk = Desk::with_image();
    let text = desk.ok(&VERIFY_IMAGE);
    assert!(text.contains("image 1.0, security version 4"), "{text}");
    assert!(
        text.contains("module console 0.1.0 by nonos: valid"),
        "{text}"
    );

    let first = fs::read(desk.path("image")).expect("read");
    desk.ok(&SIGN_IMAGE);
    assert_eq!(
        fs::read(desk.path("image")).expect("read"),
        first,
        "signing is reproducible"
    );

    desk.damage("image", first.len() - 1);
    assert!(
        desk.error(&VERIFY_IMAGE)
            .starts_with("image: refused: BLAKE3 hash")
    );
    desk.ok(&["keygen", "--out", "other", "--public", "other.public"]);
    fs::write(desk.path("image"), first).expect("written");
    assert!(
        desk.error(&["verify-image", "image", "--keys", "other.public"])
            .contains("Ed25519")
    );
}

#[test]
fn an_image_takes_only_modules_that_it_will_trust() {
    let desk = Desk::with_list();
    let mut stranger = SIGN_IMAGE;
    stranger[4] = "someone=public";
    assert_eq!(
        desk.error(&stranger),
        "archive: entry \"modules.nonos\": refused: publisher \"nonos\" is not trusted"
    );
    desk.damage("list", 4200);
    assert!(
        desk.error(&SIGN_IMAGE)
            .starts_with("archive: entry \"modules.nonos\": refused: BLAKE3")
    );
    desk.damage("list", 4200);
    let other = sample::executable().into_iter().chain([0]);
    fs::write(desk.path("other"), other.collect::<Vec<_>>()).expect("written");
    let mut swapped = SIGN_IMAGE;
    swapped[8] = "console=other";
    assert!(
        desk.error(&swapped)
            .starts_with("archive: entry \"console\": refused: BLAKE3")
    );
    let mut unlisted = SIGN_IMAGE;
    unlisted[8] = "shell=elf";
    let not_one = "not named by exactly one list of modules";
    assert_eq!(
        desk.error(&unlisted),
        format!("archive: entry \"shell\": {not_one}")
    );
    let manifest = MANIFEST.replace("nonos", "other");
    fs::write(desk.path("manifest.toml"), manifest).expect("written");
    let mut sign_other = SIGN_LIST;
    sign_other[6] = "list.other";
    desk.ok(&sign_other);
    let both = [
        &SIGN_IMAGE[..],
        &["--anchor", "other=public", "--list", "list.other"],
    ]
    .concat();
    assert_eq!(
        desk.error(&both),
        format!("archive: entry \"console\": {not_one}")
    );
    assert!(!desk.path("image").exists());
    let twice = [&SIGN_IMAGE[..], &["--anchor", "nonos=public"]].concat();
    assert!(desk.error(&twice).contains("twice"));
}

#[test]
fn inspect_shows_everything_and_says_that_it_verified_nothing() {
    let desk = Desk::with_image();
    let text = desk.ok(&["inspect", "image"]);
    assert!(text.starts_with("NOT VERIFIED"), "{text}");
    for says in [
        "security version  4",
        "payload hash",
        "kernel (",
        "anchors (",
        "console (",
        "modules.nonos (",
        "trusts            nonos",
    ] {
        assert!(text.contains(says), "{says}: {text}");
    }
    let text = desk.ok(&["inspect", "image", "--keys", "public"]);
    assert!(
        text.starts_with("Ed25519 signature: valid") && !text.contains("NOT VERIFIED"),
        "{text}"
    );
    let text = desk.ok(&["inspect", "list"]);
    assert!(
        text.starts_with("NOT VERIFIED") && text.contains("needs             serial"),
        "{text}"
    );
    assert!(
        desk.ok(&["inspect", "list", "--keys", "public"])
            .starts_with("Ed25519 signature: valid")
    );

    desk.damage("list", 4200);
    assert!(
        desk.ok(&["inspect", "list"]).contains("but found"),
        "a wrong hash shows"
    );
    assert!(
        desk.error(&["inspect", "list", "--keys", "public"])
            .contains("BLAKE3")
    );
    assert_eq!(
        desk.error(&["inspect", "elf"]),
        "elf: neither a system image nor a list of modules"
    );
}

#[test]
fn inspect_survives_damaged_files() {
    let desk = Desk::with_image();
    let image = fs::read(desk.path("image")).expect("read");
    for at in (0..512).step_by(13).chain((4096..image.len()).step_by(61)) {
        desk.damage("image", at);
        let code = desk.run(&["inspect", "image"]).status.code();
        assert!(matches!(code, Some(0 | 1)), "byte {at}: {code:?}");
        desk.damage("image", at);
    }
    for length in [0, 7, 511, 4095, 4096, image.len() - 1] {
        fs::write(desk.path("image"), &image[..length]).expect("written");
        desk.error(&["inspect", "image"]);
    }
}

#[test]
fn missing_files_and_wrong_arguments_get_a_clear_line() {
    let desk = Desk::new();
    let error = desk.error(&["verify-image", "nowhere", "--keys", "public"]);
    assert!(error.starts_with("nowhere: No such file"), "{error}");
    let error = desk.error(&["verify-image", "elf", "--keys", "elf"]);
    assert_eq!(
        error,
        "elf: not a public key file: 14336 bytes, 1984 expected"
    );
    let both = [
        "verify-list",
        "elf",
        "--keys",
        "public",
        "--anchors",
        "public",
    ];
    for wrong in [
        &["frobnicate"][..],
        &[],
        &["verify-list", "elf"],
        &both,
        &["sign-image", "--keys", "secret"],
    ] {
        let output = desk.run(wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        assert!(!output.stderr.is_empty() && output.stdout.is_empty());
    }
    for command in [
        "keygen",
        "public",
        "sign-image",
        "sign-list",
        "verify-image",
        "verify-list",
        "inspect",
    ] {
        assert!(
            desk.ok(&[command, "--help"]).contains("Usage: nonos-image"),
            "{command}"
        );
    }
}

#[cfg(unix)]
#[test]
fn keys_that_others_can_read_cause_a_warning() {
    use std::os::unix::fs::PermissionsExt;
    let desk = Desk::with_list();
    let path: &Path = &desk.path("secret");
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("permissions");
    let output = desk.run(&SIGN_IMAGE);
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("warning: secret: others can read"));
}
