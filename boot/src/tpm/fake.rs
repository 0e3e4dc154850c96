//! A TPM for tests: understands exactly the commands that the loader sends, byte by byte as a real one
//! answers them (checked against swtpm).

use nonos_tpm::constant::nv as constant;

use super::{ROLLBACK_INDEX, Transport};

/// Changes the response to a command, given by code.
type Tamper = Box<dyn FnMut(u32, &mut Vec<u8>)>;

pub struct FakeTpm {
    /// The counter: attributes and value.
    pub counter: Option<(u32, u64)>,
    /// What the first increment of a new counter yields.
    pub first_value: u64,
    pub pcrs: [[u8; 32]; 24],
    /// Commands seen, by code.
    pub seen: Vec<u32>,
    /// Called on each response before it is delivered.
    pub tamper: Tamper,
}

impl FakeTpm {
    pub fn new() -> Self {
        Self {
            counter: None,
            first_value: 1,
            pcrs: core::array::from_fn(|i| [i as u8; 32]),
            seen: Vec::new(),
            tamper: Box::new(|_, _| ()),
        }
    }

    fn answer(&mut self, code: u32, body: &[u8]) -> Result<(bool, Vec<u8>), u32> {
        const NO_HANDLE: u32 = 0x18B;
        match code {
            0x169 => {
                let (attributes, _) = self.counter.ok_or(NO_HANDLE)?;
                let mut out = vec![0, 14];
                out.extend(ROLLBACK_INDEX.to_be_bytes());
                out.extend([0, 0x0B]);
                out.extend(attributes.to_be_bytes());
                out.extend([0, 0, 0, 8]);
                out.extend([0, 34]);
                out.extend([0x77; 34]);
                Ok((false, out))
            }
            0x12A => {
                let public = &body[4 + 13 + 2 + 2..];
                assert_eq!(public[..4], ROLLBACK_INDEX.to_be_bytes());
                if self.counter.is_some() {
                    return Err(0x14C);
                }
                self.counter = Some((u32::from_be_bytes(public[6..10].try_into().unwrap()), 0));
                Ok((true, vec![]))
            }
            0x134 => {
                let (attributes, value) = self.counter.as_mut().ok_or(NO_HANDLE)?;
                if *attributes & constant::WRITE_LOCKED != 0 {
                    return Err(0x148);
                }
                *value = if *attributes & constant::WRITTEN == 0 {
                    self.first_value
                } else {
                    *value + 1
                };
                *attributes |= constant::WRITTEN;
                Ok((true, vec![]))
            }
            0x138 => {
                self.counter.as_mut().ok_or(NO_HANDLE)?.0 |= constant::WRITE_LOCKED;
                Ok((true, vec![]))
            }
            0x14E => {
                let (attributes, value) = self.counter.ok_or(NO_HANDLE)?;
                if attributes & constant::WRITTEN == 0 {
                    return Err(0x14A);
                }
                Ok((true, [&[0, 8][..], &value.to_be_bytes()].concat()))
            }
            0x17B => Ok((false, [&[0, 32][..], &[0xA5; 32]].concat())),
            0x17E => {
                let mask = u32::from_le_bytes([body[7], body[8], body[9], 0]);
                let chosen: Vec<usize> = (0..24).filter(|i| mask & 1 << i != 0).take(8).collect();
                let read = chosen.iter().fold(0u32, |mask, i| mask | 1 << i);
                let mut out = vec![0, 0, 0, 9, 0, 0, 0, 1, 0, 0x0B, 3];
                out.extend(&read.to_le_bytes()[..3]);
                out.extend((chosen.len() as u32).to_be_bytes());
                for index in chosen {
                    out.extend([0, 32]);
                    out.extend(self.pcrs[index]);
                }
                Ok((false, out))
            }
            _ => panic!("command {code:#x}"),
        }
    }
}

impl Transport for FakeTpm {
    fn submit(&mut self, command: &[u8], response: &mut [u8]) -> Result<(), u64> {
        let size = u32::from_be_bytes(command[2..6].try_into().unwrap());
        assert_eq!(size as usize, command.len());
        let code = u32::from_be_bytes(command[6..10].try_into().unwrap());
        self.seen.push(code);
        let mut out = match self.answer(code, &command[10..]) {
            Ok((session, parameters)) => {
                assert_eq!(
                    command[..2],
                    if session { [0x80, 0x02] } else { [0x80, 0x01] }
                );
                let mut out = command[..2].to_vec();
                out.extend([0; 8]);
                if session {
                    out.extend((parameters.len() as u32).to_be_bytes());
                }
                out.extend(parameters);
                if session {
                    out.extend([0, 0, 1, 0, 0]);
                }
                out
            }
            Err(code) => {
                let mut out = vec![0x80, 0x01, 0, 0, 0, 10];
                out.extend(code.to_be_bytes());
                out
            }
        };
        let size = out.len() as u32;
        out[2..6].copy_from_slice(&size.to_be_bytes());
        (self.tamper)(code, &mut out);
        let Some(start) = response.get_mut(..out.len()) else {
            return Err(5);
        };
        start.copy_from_slice(&out);
        Ok(())
    }
}
