use crate::Error;
use crate::fake::{Fake, PAGE, PLACE, Wrong};
use crate::gpu::{Gpu, Rect, Size};
use crate::transport;

/// Where the device finds the picture.
const PICTURE: u64 = PAGE + 4096;
/// Most bytes of a picture.
const MOST: u64 = 4095 * 4096;

/// A GPU that shows its picture.
fn up(fake: &Fake) -> Result<Gpu<Fake>, Error> {
    let mut hardware = fake.clone();
    let queue = transport::start(&mut hardware, PLACE, PAGE)?;
    let mut gpu = Gpu::new(hardware, queue, MOST)?;
    gpu.show(PICTURE)?;
    Ok(gpu)
}

fn rect(x: u32, y: u32, width: u32, height: u32) -> Rect {
    Rect {
        x,
        y,
        width,
        height,
    }
}

/// What a device that is wrong in this way comes to: at its start, or while it shows pictures.
fn fails(wrong: Wrong) -> Option<Error> {
    let mut gpu = match up(&Fake::new(wrong)) {
        Ok(gpu) => gpu,
        Err(error) => return Some(error),
    };
    (0..8).find_map(|line| gpu.flush(rect(0, line, 10, 1)).err())
}

#[test]
fn the_picture_is_shown_and_what_changes_is_transferred() {
    let fake = Fake::new(Wrong::Nothing);
    let mut gpu = up(&fake).unwrap();
    let size = Size {
        width: 1024,
        height: 768,
    };
    assert_eq!(gpu.size(), size);
    for _ in 0..20 {
        gpu.flush(rect(16, 8, 100, 50)).unwrap();
    }
    gpu.flush(rect(1000, 700, 100, 100)).unwrap();
    for nothing in [rect(1024, 0, 9, 9), rect(0, 768, 1, 1), rect(5, 5, 0, 1)] {
        gpu.flush(nothing).unwrap();
    }
    let requests = &fake.0.borrow().requests;
    let start = |number: usize, words: usize| {
        let (kind, rest) = &requests[number];
        (*kind, rest[..words].to_vec())
    };
    let low = PICTURE as u32;
    assert_eq!(requests[0].0, 0x100);
    assert_eq!(start(1, 4), (0x101, vec![1, 2, 1024, 768]));
    let attach = vec![1, 1, low, 0, 1024 * 768 * 4, 0];
    assert_eq!(start(2, 6), (0x106, attach));
    assert_eq!(start(3, 6), (0x103, vec![0, 0, 1024, 768, 0, 1]));
    for flush in 0..20 {
        let offset = (8 * 1024 + 16) * 4;
        let transfer = vec![16, 8, 100, 50, offset, 0, 1, 0];
        assert_eq!(start(4 + 2 * flush, 8), (0x105, transfer));
        assert_eq!(start(5 + 2 * flush, 5), (0x104, vec![16, 8, 100, 50, 1]));
    }
    assert_eq!(start(45, 5), (0x104, vec![1000, 700, 24, 68, 1]));
    assert_eq!(requests.len(), 46, "nothing was asked for nothing");
}

#[test]
fn the_picture_is_as_large_as_the_display_where_that_can_be() {
    for (display, width, height) in [
        ([1920, 1080, 1], 1920, 1080),
        ([2560, 1600, 1], 2560, 1600),
        ([3840, 2160, 1], 1920, 1080),
        ([8192, 8192, 1], 1920, 1080),
        ([1024, 768, 0], 1280, 800),
        ([0, 0, 1], 1280, 800),
        ([639, 480, 1], 1280, 800),
        ([640, u32::MAX, 1], 1280, 800),
        ([u32::MAX, u32::MAX, u32::MAX], 1280, 800),
    ] {
        let fake = Fake::new(Wrong::Nothing);
        fake.0.borrow_mut().display = display;
        let size = up(&fake).unwrap().size();
        assert_eq!((size.width, size.height), (width, height), "{display:?}");
        assert!(size.bytes() <= MOST);
    }
}

#[test]
fn each_thing_that_a_device_does_wrong_has_its_error() {
    assert_eq!(fails(Wrong::Nothing), None);
    for (wrong, error) in [
        (Wrong::Absent, Error::NoReset),
        (Wrong::Unconfined, Error::Features(1)),
        (Wrong::Refuses, Error::Refused),
        (Wrong::QueueSize(0), Error::NoQueue(0)),
        (Wrong::QueueSize(3), Error::NoQueue(3)),
        (Wrong::SilentFrom(0), Error::Silent),
        (Wrong::SilentFrom(3), Error::Silent),
        (Wrong::SilentFrom(7), Error::Silent),
        (Wrong::Answers(0, 0x1100), Error::Answer(0x1100)),
        (Wrong::Answers(2, 0x1200), Error::Answer(0x1200)),
        (Wrong::Answers(6, 0x1203), Error::Answer(0x1203)),
        (Wrong::Answers(7, 0), Error::Answer(0)),
        (Wrong::Uses(1), Error::Ring),
        (Wrong::Uses(2), Error::Ring),
        (Wrong::Uses(4), Error::Ring),
        (Wrong::Uses(u32::MAX), Error::Ring),
        (Wrong::Bytes(0), Error::Ring),
        (Wrong::Bytes(23), Error::Ring),
        (Wrong::Bytes(513), Error::Ring),
        (Wrong::Ahead(1), Error::Ring),
        (Wrong::Ahead(u16::MAX - 1), Error::Ring),
    ] {
        assert_eq!(fails(wrong), Some(error), "{wrong:?}");
    }
}

#[test]
fn whatever_the_device_writes_into_the_page_the_driver_ends_or_goes_on() {
    let mut state = 88_172_645_463_325_252_u64;
    let mut draw = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut failures = 0;
    for _ in 0..3000 {
        let words = [(); 4].map(|()| {
            // Mostly where the driver looks.
            let word = match draw() % 4 {
                0 => 64,
                1 => 65 + draw() as usize % 8,
                2 => [256, 384, 264, 265][draw() as usize % 4],
                _ => 512 + draw() as usize % 512,
            };
            let value = match draw() % 3 {
                0 => draw() as u32,
                1 => (draw() % 8) as u32,
                _ => (draw() % 8) as u32 * 0x1_0000,
            };
            (word, value)
        });
        failures += usize::from(fails(Wrong::Scribbles(words)).is_some());
    }
    assert!((1000..3000).contains(&failures), "{failures}");
}
