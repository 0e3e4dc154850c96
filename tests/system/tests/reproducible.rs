//! The same sources give the same payload, wherever they lie.

use system_tests::images;
use xtask::harden::reproducible;
use xtask::keys::Keys;

#[test]
fn two_folders_with_the_same_sources_give_the_same_payload() {
    let keys = Keys::developer().expect("keys can be made");
    let copy = images::folder().join("the-same-sources-somewhere-else");
    let (claim, holds, found) = reproducible::check(&keys, &copy).expect("both can be built");
    assert!(holds, "{claim}: {found}");
}
