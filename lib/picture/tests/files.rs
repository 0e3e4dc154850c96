//! Files that others wrote (Pillow), and files that are not as they should be.

#![forbid(unsafe_code)]

use nonos_picture::{FILE_BYTES, PIXELS, Picture, Problem, SIDE, decode};

const PNG: &[u8] = include_bytes!("files/colors.png");
const ALPHA: &[u8] = include_bytes!("files/alpha.png");
const GRAY: &[u8] = include_bytes!("files/gray16.png");
const PALETTE: &[u8] = include_bytes!("files/palette.png");
const JPEG: &[u8] = include_bytes!("files/colors.jpeg");
const PROGRESSIVE: &[u8] = include_bytes!("files/progressive.jpeg");
const GRAY_JPEG: &[u8] = include_bytes!("files/gray.jpeg");

/// The picture of most files: 16 × 8 pixels, red at the left and blue at the right.
const RED: u32 = 0xFF_0000;
const BLUE: u32 = 0x00_00FF;

/// A QOI file (QOI 1.0) of two red pixels above two blue ones, of three or four channels.
fn qoi(channels: u8) -> Vec<u8> {
    let mut file = b"qoif\0\0\0\x02\0\0\0\x02".to_vec();
    file.extend([channels, 0]);
    // A colour, and the same once more.
    for color in [[0xFF, 0, 0], [0, 0, 0xFF]] {
        file.push(0xFE);
        file.extend(color);
        file.push(0xC0);
    }
    file.extend([0, 0, 0, 0, 0, 0, 0, 1]);
    file
}

fn near(found: u32, expected: u32) -> bool {
    let pairs = found.to_be_bytes().into_iter().zip(expected.to_be_bytes());
    pairs.into_iter().all(|(a, b)| a.abs_diff(b) < 12)
}

fn ends(picture: &Picture) -> (u32, u32) {
    assert_eq!((picture.width, picture.height), (16, 8));
    assert_eq!(picture.pixels.len(), 128);
    (picture.pixels[0], picture.pixels[127])
}

#[test]
fn files_of_each_kind_are_the_pictures_that_were_saved() {
    assert_eq!(ends(&decode(PNG).unwrap()), (RED, BLUE));
    assert_eq!(ends(&decode(PALETTE).unwrap()), (RED, BLUE));
    // Half transparent, and transparent.
    assert_eq!(ends(&decode(ALPHA).unwrap()), (0xFF_7F7F, 0xFF_FFFF));
    assert_eq!(ends(&decode(GRAY).unwrap()), (0x00_0000, 0xFF_FFFF));
    for file in [JPEG, PROGRESSIVE] {
        let (first, last) = ends(&decode(file).unwrap());
        assert!(near(first, RED) && near(last, BLUE), "{first:x} {last:x}");
    }
    let (first, last) = ends(&decode(GRAY_JPEG).unwrap());
    assert!(near(first, 0) && near(last, 0xFF_FFFF));
    for channels in [3, 4] {
        let picture = decode(&qoi(channels)).unwrap();
        assert_eq!(picture.pixels, [RED, RED, BLUE, BLUE]);
    }
}

#[test]
fn what_ends_too_soon_or_was_changed_is_no_picture() {
    for file in [PNG, ALPHA, GRAY, PALETTE] {
        for end in 0..file.len() - 12 {
            assert!(decode(&file[..end]).is_err(), "{end}");
        }
        // The sum of each chunk is checked.
        for at in 8..file.len() - 12 {
            let mut changed = file.to_vec();
            changed[at] ^= 0x10;
            assert!(decode(&changed).is_err(), "{at}");
        }
    }
    for file in [JPEG, PROGRESSIVE, GRAY_JPEG] {
        for end in 0..file.len() / 2 {
            let _ = decode(&file[..end]);
        }
    }
    assert_eq!(decode(b""), Err(Problem::Unknown));
    assert_eq!(decode(b"GIF89a"), Err(Problem::Unknown));
    assert_eq!(decode(&PNG[..8]), Err(Problem::Damaged));
}

#[test]
fn too_many_pixels_are_refused_before_they_take_memory() {
    let sized = |file: &[u8], at: usize, (width, height): (u32, u32)| {
        let mut file = file.to_vec();
        file[at..at + 4].copy_from_slice(&width.to_be_bytes());
        file[at + 4..at + 8].copy_from_slice(&height.to_be_bytes());
        decode(&file)
    };
    let (side, pixels) = (SIDE as u32, PIXELS as u32);
    for size in [
        (side + 1, 1),
        (1, side + 1),
        (side, pixels / side + 1),
        (u32::MAX, u32::MAX),
    ] {
        let refused = Problem::TooLarge(Some((size.0 as usize, size.1 as usize)));
        assert_eq!(sized(PNG, 16, size), Err(refused));
        assert_eq!(sized(&qoi(4), 4, size), Err(refused));
    }
    assert_eq!(sized(PNG, 16, (0, 8)), Err(Problem::Damaged));
    // In a JPEG file a frame header has them, 16 bits each, the height first.
    let mut file = JPEG.to_vec();
    let at = file
        .windows(2)
        .position(|bytes| bytes == [0xFF, 0xC0])
        .unwrap()
        + 5;
    file[at..at + 4].copy_from_slice(&[0x20, 0, 0x20, 0]);
    let refused = Problem::TooLarge(Some((8192, 8192)));
    assert_eq!(decode(&file), Err(refused));
    let long = [PNG, &vec![0; FILE_BYTES]].concat();
    assert_eq!(decode(&long), Err(Problem::FileTooLong));
}
