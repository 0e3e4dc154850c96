//! The queue for requests (2.7): a split virtqueue with room for two requests at a time.
//!
//! Each request has a place of its own in the shared page, and so has its answer; the device is told where they are by two descriptors. An index
//! of the device's is believed only when it names a request that was not answered yet.

use crate::{Error, Hardware};

/// Requests at a time.
pub const REQUESTS: usize = 2;
/// Descriptors.
pub const SIZE: u16 = 2 * REQUESTS as u16;

/// Where in the shared page what is, words: the descriptors (2.7.5), the available ring (2.7.6), the used ring (2.7.8).
pub const DESCRIPTORS: usize = 0;
/// See [`DESCRIPTORS`].
pub const AVAILABLE: usize = 32;
/// See [`DESCRIPTORS`].
pub const USED: usize = 64;
/// First request, and words of each.
const REQUEST: usize = 128;
/// Words of a request.
pub const REQUEST_WORDS: usize = 32;
/// First answer.
const ANSWER: usize = 256;
/// Words of an answer.
pub const ANSWER_WORDS: usize = 128;

/// Words of what each request and each answer begins with (5.7.6.7).
pub const HEADER_WORDS: usize = 6;

/// Flags of descriptors (2.7.5) and of the available ring (2.7.6).
const NEXT: u32 = 1;
const WRITTEN_BY_DEVICE: u32 = 2;
const NO_INTERRUPT: u32 = 1;

/// Longest that the device may take for an answer.
const ANSWER_NS: u64 = 2_000_000_000;
/// From look to look while it is waited for.
const STEP_NS: u64 = 200_000;

/// The queue.
#[derive(Debug)]
pub struct Queue {
    /// Where the device finds the shared page.
    page: u64,
    /// The register that tells the device of requests.
    notify: u64,
    /// Requests made, and answers taken, since the start.
    made: u16,
    taken: u16,
    /// What the available ring says.
    ring: [u16; SIZE as usize],
    /// Which requests are not answered.
    waiting: [bool; REQUESTS],
}

impl Queue {
    /// An empty queue in the shared page.
    pub(crate) fn new(hardware: &mut impl Hardware, page: u64, notify: u64) -> Self {
        for word in 0..REQUEST {
            hardware.store(word, 0);
        }
        hardware.store(AVAILABLE, NO_INTERRUPT);
        Self {
            page,
            notify,
            made: 0,
            taken: 0,
            ring: [0; SIZE as usize],
            waiting: [false; REQUESTS],
        }
    }

    /// Sends requests, in this order, and returns without waiting for the answers. None is under way.
    pub fn send(&mut self, hardware: &mut impl Hardware, requests: &[&[u32]]) {
        for (number, request) in requests.iter().enumerate().take(REQUESTS) {
            let (from, to) = (request_at(number), answer_at(number));
            let length = request.len().min(REQUEST_WORDS);
            for (word, value) in request.iter().take(length).enumerate() {
                hardware.store(from + word, *value);
            }
            hardware.store(to, 0);
            let head = 2 * number as u32;
            self.describe(hardware, head, from, length, NEXT | (head + 1) << 16);
            self.describe(hardware, head + 1, to, ANSWER_WORDS, WRITTEN_BY_DEVICE);
            self.ring[usize::from(self.made % SIZE)] = head as u16;
            self.made = self.made.wrapping_add(1);
            self.waiting[number] = true;
        }
        for (word, pair) in self.ring.chunks_exact(2).enumerate() {
            hardware.store(
                AVAILABLE + 1 + word,
                u32::from(pair[0]) | u32::from(pair[1]) << 16,
            );
        }
        hardware.store(AVAILABLE, NO_INTERRUPT | u32::from(self.made) << 16);
        hardware.write_16(self.notify, 0);
    }

    fn describe(
        &self,
        hardware: &mut impl Hardware,
        descriptor: u32,
        at: usize,
        words: usize,
        flags: u32,
    ) {
        let address = self.page + at as u64 * 4;
        let words = [
            address as u32,
            (address >> 32) as u32,
            words as u32 * 4,
            flags,
        ];
        for (word, value) in words.into_iter().enumerate() {
            hardware.store(DESCRIPTORS + descriptor as usize * 4 + word, value);
        }
    }

    /// Waits until all requests are answered.
    ///
    /// # Errors
    /// When the device answers in a way that cannot be, or not in time.
    pub fn finish(&mut self, hardware: &mut impl Hardware) -> Result<(), Error> {
        let mut deadline_ns = None;
        loop {
            self.take(hardware)?;
            if !self.waiting.contains(&true) {
                return Ok(());
            }
            let now_ns = hardware.now_ns();
            if now_ns >= *deadline_ns.get_or_insert(now_ns.saturating_add(ANSWER_NS)) {
                return Err(Error::Silent);
            }
            hardware.sleep(STEP_NS);
        }
    }

    /// Takes what is answered now.
    fn take(&mut self, hardware: &mut impl Hardware) -> Result<(), Error> {
        let answered = (hardware.load(USED) >> 16) as u16;
        while self.taken != answered {
            let entry = USED + 1 + usize::from(self.taken % SIZE) * 2;
            let head = hardware.load(entry) as usize;
            let bytes = hardware.load(entry + 1) as usize;
            let waiting = self.waiting.get_mut(head / 2);
            let waiting = waiting.filter(|waiting| **waiting && head.is_multiple_of(2));
            let whole = (HEADER_WORDS * 4..=ANSWER_WORDS * 4).contains(&bytes);
            *waiting.filter(|_| whole).ok_or(Error::Ring)? = false;
            self.taken = self.taken.wrapping_add(1);
        }
        Ok(())
    }

    /// Word of the answer to a request, by its place among those that were sent. The device may still change it.
    pub fn answer(&self, hardware: &mut impl Hardware, number: usize, word: usize) -> u32 {
        hardware.load(answer_at(number) + word)
    }
}

fn request_at(number: usize) -> usize {
    REQUEST + number * REQUEST_WORDS
}

fn answer_at(number: usize) -> usize {
    ANSWER + number * ANSWER_WORDS
}
