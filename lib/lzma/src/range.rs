//! The range decoder: bits whose probabilities are learnt on the way (LZMA specification 24.06, "The main loop of decoder").

/// Of a 0, in units of 1/2048.
pub type Probability = u16;

/// Neither bit is likelier.
pub const EVEN: Probability = 1 << (ONE_BITS - 1);

const ONE_BITS: u32 = 11;
const ONE: i64 = 1 << ONE_BITS;
/// How slowly probabilities follow: by a 32nd.
const INERTIA: u32 = 5;
/// What a division by it is rounded up with.
const ROUND: i64 = (1 << INERTIA) - 1;
/// Below it, the range takes another byte.
const SMALL: u64 = 1 << 24;

/// A stream of bits. Numbers have 32 bits; in wider words, they stay in registers of their own.
pub struct Range<'s> {
    range: u64,
    code: u64,
    stored: &'s [u8],
    /// Bytes taken. What lies behind the end counts as zeros, and [`Range::is_at_end`] tells.
    taken: usize,
}

impl<'s> Range<'s> {
    /// A stream from its first byte, which is always zero.
    #[inline(always)]
    pub fn new(stored: &'s [u8]) -> Option<Self> {
        let (&[0, first, second, third, fourth], _) = stored.split_first_chunk()? else {
            return None;
        };
        Some(Self {
            range: u64::from(u32::MAX),
            code: u64::from(u32::from_be_bytes([first, second, third, fourth])),
            stored,
            taken: 5,
        })
    }

    /// Whether all was taken, no more than all, and nothing is left of the last bits: what is damaged ends otherwise.
    #[inline(always)]
    pub fn is_at_end(&mut self) -> bool {
        self.widen();
        self.taken == self.stored.len() && self.code == 0
    }

    /// The next bit, of this probability, which learns from it.
    #[inline(always)]
    pub fn bit(&mut self, probability: &mut Probability) -> usize {
        self.widen();
        // Never 0 and never 2048.
        let of_zero = *probability;
        let bound = (self.range >> ONE_BITS) * u64::from(of_zero);
        let of_zero = i64::from(of_zero);
        if self.code < bound {
            self.range = bound;
            // `+ (ONE - of_zero >> INERTIA)`, in an instruction less.
            *probability = (of_zero - ((of_zero - ONE + ROUND) >> INERTIA)) as Probability;
            0
        } else {
            self.range -= bound;
            self.code -= bound;
            *probability = (of_zero - (of_zero >> INERTIA)) as Probability;
            1
        }
    }

    /// The next bits, none likelier than the other, the highest first.
    #[inline(always)]
    pub fn even_bits(&mut self, count: u32) -> usize {
        let mut bits = 0;
        for _ in 0..count {
            self.widen();
            self.range >>= 1;
            bits <<= 1;
            if self.code >= self.range {
                self.code -= self.range;
                bits |= 1;
            }
        }
        bits
    }

    /// A number below `N`, a power of two, its highest bit first. The probabilities are those of a bit after the bits before.
    #[inline(always)]
    pub fn tree<const N: usize>(&mut self, probabilities: &mut [Probability; N]) -> usize {
        let mut node = 1;
        while node < N {
            node = node << 1 | self.bit(&mut probabilities[node]);
        }
        node - N
    }

    /// The same in more code and fewer instructions, for what comes often.
    #[inline(always)]
    pub fn frequent_tree<const N: usize>(&mut self, probabilities: &mut [Probability; N]) -> usize {
        let mut node = 1;
        for _ in 0..N.ilog2() {
            node = node << 1 | self.bit(&mut probabilities[node]);
        }
        node - N
    }

    /// A number of this many bits, its lowest bit first.
    #[inline(always)]
    pub fn reverse_tree(&mut self, probabilities: &mut [Probability], bits: u32) -> Option<usize> {
        let (mut node, mut number) = (1, 0);
        for place in 0..bits {
            let bit = self.bit(probabilities.get_mut(node)?);
            node = node << 1 | bit;
            number |= bit << place;
        }
        Some(number)
    }

    #[inline(always)]
    fn widen(&mut self) {
        if self.range < SMALL {
            let next = self.stored.get(self.taken).copied().unwrap_or(0);
            self.taken += 1;
            self.range <<= 8;
            self.code = self.code << 8 | u64::from(next);
        }
    }
}
