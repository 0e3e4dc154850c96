//! Registers of a device in memory.
#![allow(unsafe_code)]

use core::ptr;
use core::sync::atomic::{AtomicU8, AtomicU16, AtomicU32};

use nonos_abi::Error;

use crate::mapping::Mapping;
use crate::object::Memory;

/// Registers, mapped. Each access happens once, in the order of the program, with the width that is asked for. What is read beyond
/// them, or not aligned, is all ones, and what is written there is lost, as on a bus where nothing answers.
#[derive(Debug)]
pub struct Registers(Mapping);

impl Registers {
    /// Maps all of a device's memory.
    pub fn map(memory: &Memory) -> Result<Self, Error> {
        memory.map().map(Self)
    }

    fn word(&self, offset: usize) -> Option<&AtomicU32> {
        let aligned = offset.is_multiple_of(size_of::<AtomicU32>());
        let index = offset / size_of::<AtomicU32>();
        self.0.words().get(index).filter(|_| aligned)
    }

    fn half(&self, offset: usize) -> Option<&AtomicU16> {
        let aligned = offset.is_multiple_of(size_of::<AtomicU16>());
        let word = self.0.words().get(offset / size_of::<AtomicU32>())?;
        let halves = ptr::from_ref(word).cast::<[AtomicU16; 2]>();
        // SAFETY: the halves of a word, which may be shared with anyone as the word may; nothing here uses the word itself.
        let halves = unsafe { &*halves };
        halves
            .get(offset % size_of::<AtomicU32>() / size_of::<AtomicU16>())
            .filter(|_| aligned)
    }

    fn byte(&self, offset: usize) -> Option<&AtomicU8> {
        let word = self.0.words().get(offset / size_of::<AtomicU32>())?;
        let bytes = ptr::from_ref(word).cast::<[AtomicU8; size_of::<AtomicU32>()]>();
        // SAFETY: the bytes of a word, which may be shared with anyone as the word may; nothing here uses the word itself.
        let bytes = unsafe { &*bytes };
        bytes.get(offset % size_of::<AtomicU32>())
    }

    /// Reads a register of 32 bits.
    pub fn read_32(&self, offset: usize) -> u32 {
        self.word(offset).map_or(u32::MAX, |word| {
            // SAFETY: a word of the mapping, which stays while `self` does.
            unsafe { ptr::read_volatile(word.as_ptr()) }
        })
    }

    /// Writes a register of 32 bits.
    pub fn write_32(&self, offset: usize, value: u32) {
        if let Some(word) = self.word(offset) {
            // SAFETY: a word of the mapping, which stays while `self` does and is shared with the device alone.
            unsafe { ptr::write_volatile(word.as_ptr(), value) }
        }
    }

    /// Reads a register of 16 bits.
    pub fn read_16(&self, offset: usize) -> u16 {
        self.half(offset).map_or(u16::MAX, |half| {
            // SAFETY: a half of a word of the mapping, which stays while `self` does.
            unsafe { ptr::read_volatile(half.as_ptr()) }
        })
    }

    /// Writes a register of 16 bits.
    pub fn write_16(&self, offset: usize, value: u16) {
        if let Some(half) = self.half(offset) {
            // SAFETY: a half of a word of the mapping, which stays while `self` does and is shared with the device alone.
            unsafe { ptr::write_volatile(half.as_ptr(), value) }
        }
    }

    /// Reads a register of 8 bits.
    pub fn read_8(&self, offset: usize) -> u8 {
        self.byte(offset).map_or(u8::MAX, |byte| {
            // SAFETY: a byte of the mapping, which stays while `self` does.
            unsafe { ptr::read_volatile(byte.as_ptr()) }
        })
    }

    /// Writes a register of 8 bits.
    pub fn write_8(&self, offset: usize, value: u8) {
        if let Some(byte) = self.byte(offset) {
            // SAFETY: a byte of the mapping, which stays while `self` does and is shared with the device alone.
            unsafe { ptr::write_volatile(byte.as_ptr(), value) }
        }
    }
}
