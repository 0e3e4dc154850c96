//! Records that cross the system-call boundary, as sequences of 64-bit words.
//!
//! The kernel never copies a Rust struct to user space byte by byte: padding would leak kernel memory and
//! a reader would have to trust the layout. A record is words, written and read field by field.

/// A value that is a fixed number of 64-bit words.
pub trait Words: Sized {
    /// How many words the value takes.
    const COUNT: usize;

    /// Writes the value to the first [`Self::COUNT`] words of `out`.
    ///
    /// # Panics
    /// When `out` is shorter than that.
    fn write_words(&self, out: &mut [u64]);

    /// Reads a value from the first [`Self::COUNT`] words, or `None` when `words` is shorter or holds no valid value.
    fn read_words(words: &[u64]) -> Option<Self>;
}

impl Words for u64 {
    const COUNT: usize = 1;

    fn write_words(&self, out: &mut [u64]) {
        out[0] = *self;
    }

    fn read_words(words: &[u64]) -> Option<Self> {
        words.first().copied()
    }
}

impl<T: Words + Copy + Default, const N: usize> Words for [T; N] {
    const COUNT: usize = T::COUNT * N;

    fn write_words(&self, out: &mut [u64]) {
        for (item, part) in self.iter().zip(out.chunks_exact_mut(T::COUNT)) {
            item.write_words(part);
        }
    }

    fn read_words(words: &[u64]) -> Option<Self> {
        let mut items = [T::default(); N];
        for (i, item) in items.iter_mut().enumerate() {
            *item = T::read_words(words.get(i * T::COUNT..)?)?;
        }
        Some(items)
    }
}

/// Declares a record whose fields all implement [`Words`], and implements [`Words`] for it.
#[macro_export]
macro_rules! record {
    ($(#[$outer:meta])* pub struct $name:ident { $($(#[$inner:meta])* pub $field:ident: $type:ty,)+ }) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name { $($(#[$inner])* pub $field: $type,)+ }

        impl $crate::words::Words for $name {
            const COUNT: usize = 0 $(+ <$type as $crate::words::Words>::COUNT)+;

            fn write_words(&self, out: &mut [u64]) {
                let mut at = 0;
                $(
                    $crate::words::Words::write_words(&self.$field, &mut out[at..]);
                    at += <$type as $crate::words::Words>::COUNT;
                )+
                let _ = at;
            }

            fn read_words(words: &[u64]) -> Option<Self> {
                let mut at = 0;
                $(
                    let $field = <$type as $crate::words::Words>::read_words(words.get(at..)?)?;
                    at += <$type as $crate::words::Words>::COUNT;
                )+
                let _ = at;
                Some(Self { $($field,)+ })
            }
        }
    };
}
