//! The same sources give the same boot loader, kernel and modules, wherever they lie.

use xtask::harden::reproducible;
use xtask::keys::Keys;

#[test]
fn two_folders_with_the_same_sources_give_the_same_binaries() {
    let keys = Keys::developer().expect("keys can be made");
    let (claim, holds, found) = reproducible::check(&keys).expect("both can be built");
    assert!(holds, "{claim}: {found}");
}
