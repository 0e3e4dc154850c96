//! A GPU that does what it is asked, or what it should not do.

use std::cell::RefCell;
use std::rc::Rc;

use crate::Hardware;
use crate::transport::Place;

/// Where the device finds the shared page.
pub const PAGE: u64 = 0x20_0000;
/// Where its registers are.
pub const PLACE: Place = Place {
    common: 0x100,
    notify: 0x3000,
    notify_multiplier: 4,
};
/// Words of the shared page.
const WORDS: usize = 1024;
/// Number of the queue's notification.
const NOTIFICATION: u16 = 3;

/// What the device does wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wrong {
    Nothing,
    /// Nothing is there: all registers are ones.
    Absent,
    /// It does not know the IOMMU.
    Unconfined,
    /// It does not take its features.
    Refuses,
    /// Its queue has so many places.
    QueueSize(u16),
    /// It does not answer from this request on.
    SilentFrom(usize),
    /// It answers this request with this type.
    Answers(usize, u32),
    /// It says that it used this descriptor, or so many bytes.
    Uses(u32),
    Bytes(u32),
    /// It says of so many requests more that it answered them.
    Ahead(u16),
    /// After each request these words of the shared page have these values.
    Scribbles([(usize, u32); 4]),
}

/// The device.
#[derive(Debug)]
pub struct State {
    pub wrong: Wrong,
    /// Width, height, enabled.
    pub display: [u32; 3],
    registers: [u8; 0x40],
    page: Vec<u32>,
    seen: u16,
    used: u16,
    now_ns: u64,
    /// Requests that it got, without their headers.
    pub requests: Vec<(u32, Vec<u32>)>,
}

/// The device, and what looks at it meanwhile.
#[derive(Clone, Debug)]
pub struct Fake(pub Rc<RefCell<State>>);

impl Fake {
    pub fn new(wrong: Wrong) -> Self {
        Self(Rc::new(RefCell::new(State {
            wrong,
            display: [1024, 768, 1],
            registers: [0; 0x40],
            page: vec![0; WORDS],
            seen: 0,
            used: 0,
            now_ns: 0,
            requests: Vec::new(),
        })))
    }
}

impl State {
    fn number(&self, at: usize, bytes: usize) -> u64 {
        let bytes = &self.registers[at..at + bytes];
        bytes
            .iter()
            .rev()
            .fold(0, |n, byte| n << 8 | u64::from(*byte))
    }

    fn read(&self, offset: u64, bytes: usize) -> u64 {
        let at = (offset - PLACE.common) as usize;
        if self.wrong == Wrong::Absent {
            return u64::MAX;
        }
        match (at, self.number(0, 4)) {
            (0x04, 1) if self.wrong == Wrong::Unconfined => 1,
            (0x04, 1) => 0x103,
            (0x04, _) => 0x3000_0002,
            (0x14, _) if self.wrong == Wrong::Refuses => self.number(at, 1) & !8,
            (0x18, _) => match self.wrong {
                Wrong::QueueSize(size) => size.into(),
                _ => 64,
            },
            (0x1E, _) => NOTIFICATION.into(),
            _ => self.number(at, bytes),
        }
    }

    fn write(&mut self, offset: u64, bytes: usize, value: u64) {
        if offset == PLACE.notify + u64::from(NOTIFICATION) * PLACE.notify_multiplier {
            assert_eq!((bytes, value), (2, 0), "queue 0 has requests");
            self.work();
            return;
        }
        let at = (offset - PLACE.common) as usize;
        assert!(at.is_multiple_of(bytes), "{at:#x} {bytes}");
        self.registers[at..at + bytes].copy_from_slice(&value.to_le_bytes()[..bytes]);
        if at == 0x14 && value == 0 {
            self.registers = [0; 0x40];
            (self.seen, self.used) = (0, 0);
        }
    }

    /// Where in the page an address is, words.
    fn place(address: u64) -> usize {
        let at = address.checked_sub(PAGE).expect("in the page");
        assert!(at.is_multiple_of(4) && at < 4096);
        (at / 4) as usize
    }

    fn table(&self, register: usize) -> usize {
        Self::place(self.number(register, 8))
    }

    fn descriptor(&self, number: usize) -> (usize, usize, u32) {
        let at = self.table(0x20) + number * 4;
        let [low, high, bytes, flags] = self.page[at..at + 4] else {
            unreachable!()
        };
        let address = u64::from(low) | u64::from(high) << 32;
        assert_eq!(bytes % 4, 0);
        (Self::place(address), bytes as usize / 4, flags)
    }

    fn work(&mut self) {
        assert_eq!(self.number(0x14, 1), 15, "it is up");
        assert_eq!(self.number(0x0C, 4), 3, "with version 1 and the IOMMU");
        let (size, enabled) = (self.number(0x18, 2) as usize, self.number(0x1C, 2));
        assert_eq!((size, enabled), (4, 1));
        let (available, used) = (self.table(0x28), self.table(0x30));
        let made = (self.page[available] >> 16) as u16;
        assert!(made.wrapping_sub(self.seen) <= 2);
        while self.seen != made {
            let place = usize::from(self.seen) % size;
            let pair = self.page[available + 1 + place / 2];
            let head = pair >> (16 * (place % 2)) & 0xFFFF;
            self.seen = self.seen.wrapping_add(1);
            let (from, words, flags) = self.descriptor(head as usize);
            assert_eq!(flags & 0xFFFF, 1, "read, and another follows");
            let (to, room, flags) = self.descriptor((flags >> 16) as usize);
            assert_eq!(flags, 2, "written, and the last");
            let request = self.page[from..from + words].to_vec();
            let number = self.requests.len();
            self.requests.push((request[0], request[6..].to_vec()));
            if matches!(self.wrong, Wrong::SilentFrom(first) if number >= first) {
                continue;
            }
            let mut answer = vec![0; 6];
            answer[0] = match self.wrong {
                Wrong::Answers(which, kind) if which == number => kind,
                _ if request[0] == 0x100 => 0x1101,
                _ => 0x1100,
            };
            if request[0] == 0x100 {
                answer.resize(6 + 16 * 6, 0);
                answer[8..11].copy_from_slice(&self.display);
            }
            assert!(answer.len() <= room);
            self.page[to..to + answer.len()].copy_from_slice(&answer);
            let entry = used + 1 + usize::from(self.used) % size * 2;
            let bytes = answer.len() as u32 * 4;
            (self.page[entry], self.page[entry + 1]) = match self.wrong {
                Wrong::Uses(other) => (other, bytes),
                Wrong::Bytes(bytes) => (head, bytes),
                _ => (head, bytes),
            };
            self.used = self.used.wrapping_add(1);
            let ahead = match self.wrong {
                Wrong::Ahead(ahead) => ahead,
                _ => 0,
            };
            self.page[used] = u32::from(self.used.wrapping_add(ahead)) << 16;
        }
        if let Wrong::Scribbles(words) = self.wrong {
            for (word, value) in words {
                self.page[word % WORDS] = value;
            }
        }
    }
}

impl Hardware for Fake {
    fn read_8(&mut self, offset: u64) -> u8 {
        self.0.borrow().read(offset, 1) as u8
    }

    fn read_16(&mut self, offset: u64) -> u16 {
        self.0.borrow().read(offset, 2) as u16
    }

    fn read_32(&mut self, offset: u64) -> u32 {
        self.0.borrow().read(offset, 4) as u32
    }

    fn write_8(&mut self, offset: u64, value: u8) {
        self.0.borrow_mut().write(offset, 1, value.into());
    }

    fn write_16(&mut self, offset: u64, value: u16) {
        self.0.borrow_mut().write(offset, 2, value.into());
    }

    fn write_32(&mut self, offset: u64, value: u32) {
        self.0.borrow_mut().write(offset, 4, value.into());
    }

    fn load(&mut self, word: usize) -> u32 {
        self.0.borrow().page[word]
    }

    fn store(&mut self, word: usize, value: u32) {
        self.0.borrow_mut().page[word] = value;
    }

    fn now_ns(&mut self) -> u64 {
        self.0.borrow().now_ns
    }

    fn sleep(&mut self, ns: u64) {
        self.0.borrow_mut().now_ns += ns;
    }
}
