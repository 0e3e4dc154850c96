use super::fake::FakeTpm;
use super::*;
use proptest::prelude::*;

const WRITTEN_COUNTER: u32 = COUNTER | constant::WRITTEN;

/// Sends every command once; the first error.
fn use_all(tpm: &mut FakeTpm) -> Result<(), Error> {
    read_counter_state(tpm)?;
    define_counter(tpm)?;
    increment_counter(tpm)?;
    read_counter(tpm)?;
    write_lock(tpm)?;
    get_random(tpm, &mut [0; 32])?;
    read_pcrs(tpm).map(|_| ())
}

#[test]
fn commands_are_encoded_as_the_specification_says() {
    struct Recorder(Vec<u8>);
    impl Transport for Recorder {
        fn submit(&mut self, command: &[u8], _: &mut [u8]) -> Result<(), u64> {
            self.0 = command.to_vec();
            Err(1)
        }
    }
    let mut recorder = Recorder(vec![]);
    let _ = increment_counter(&mut recorder);
    assert_eq!(
        recorder.0,
        [
            0x80, 0x02, 0, 0, 0, 31, 0, 0, 0x01, 0x34, // header
            0x01, 0x80, 0x4E, 0x4F, 0x01, 0x80, 0x4E, 0x4F, // handles
            0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0, // password session
        ]
    );
    let _ = read_pcrs(&mut recorder);
    assert_eq!(
        recorder.0,
        [
            0x80, 0x01, 0, 0, 0, 20, 0, 0, 0x01, 0x7E, 0, 0, 0, 1, 0, 0x0B, 3, 0xFF, 0xFF, 0xFF
        ]
    );
    let error = define_counter(&mut recorder).unwrap_err();
    assert_eq!(recorder.0.len(), 45);
    assert_eq!(error.problem, Problem::Transport(1));
}

#[test]
fn a_counter_is_defined_incremented_read_and_locked() {
    let mut tpm = FakeTpm::new();
    assert_eq!(read_counter_state(&mut tpm), Ok(None));
    define_counter(&mut tpm).unwrap();
    let state = read_counter_state(&mut tpm).unwrap().unwrap();
    assert_eq!(
        state,
        CounterState {
            written: false,
            write_locked: false
        }
    );
    assert_eq!(
        read_counter(&mut tpm).unwrap_err().problem,
        Problem::Code(0x14A)
    );
    increment_counter(&mut tpm).unwrap();
    increment_counter(&mut tpm).unwrap();
    assert_eq!(read_counter(&mut tpm), Ok(2));
    write_lock(&mut tpm).unwrap();
    let state = read_counter_state(&mut tpm).unwrap().unwrap();
    assert_eq!(
        state,
        CounterState {
            written: true,
            write_locked: true
        }
    );
    assert_eq!(
        increment_counter(&mut tpm).unwrap_err().problem,
        Problem::Code(0x148)
    );
}

#[test]
fn an_index_that_is_no_such_counter_is_an_error() {
    let ordinary = WRITTEN_COUNTER & !constant::TYPE_COUNTER;
    for attributes in [
        ordinary,
        WRITTEN_COUNTER | 1 << 1,
        WRITTEN_COUNTER & !constant::NO_DA,
    ] {
        let mut tpm = FakeTpm::new();
        tpm.counter = Some((attributes, 7));
        let problem = read_counter_state(&mut tpm).unwrap_err().problem;
        assert!(
            matches!(
                problem,
                Problem::Field {
                    name: "attributes",
                    ..
                }
            ),
            "{problem:?}"
        );
    }
}

#[test]
fn all_pcrs_are_read_eight_at_a_time() {
    let mut tpm = FakeTpm::new();
    let pcrs = read_pcrs(&mut tpm).unwrap();
    assert_eq!(pcrs, tpm.pcrs);
    assert_eq!(tpm.seen, [0x17E; 3]);
}

#[test]
fn a_tpm_without_the_bank_is_an_error() {
    let mut tpm = FakeTpm::new();
    tpm.tamper = Box::new(|_, response| {
        response.truncate(10);
        response.extend([0, 0, 0, 9, 0, 0, 0, 1, 0, 0x0B, 3, 0, 0, 0, 0, 0, 0, 0]);
        response[5] = response.len() as u8;
    });
    let problem = read_pcrs(&mut tpm).unwrap_err().problem;
    assert!(matches!(
        problem,
        Problem::Field {
            name: "number of SHA-256 PCRs",
            ..
        }
    ));
}

#[test]
fn more_random_bytes_than_asked_for_are_an_error() {
    let mut tpm = FakeTpm::new();
    assert_eq!(get_random(&mut tpm, &mut [0; 32]), Ok(32));
    tpm.tamper = Box::new(|_, response| {
        response[5] += 1;
        response[11] += 1;
        response.push(1);
    });
    assert_eq!(
        get_random(&mut tpm, &mut [0; 32]).unwrap_err().problem,
        Problem::Length
    );
}

#[test]
fn every_shorter_and_every_longer_response_is_an_error() {
    for command in [0x169, 0x12A, 0x134, 0x14E, 0x138, 0x17B, 0x17E] {
        for change in [-400isize, -30, -3, -2, -1, 1, 2, 500] {
            let mut tpm = FakeTpm::new();
            tpm.counter = (command != 0x12A).then_some((WRITTEN_COUNTER, 5));
            tpm.tamper = Box::new(move |code, response| {
                if code == command {
                    let length = response.len().saturating_add_signed(change).max(10);
                    response.resize(length, 0);
                    response[2..6].copy_from_slice(&(length as u32).to_be_bytes());
                }
            });
            let result = match command {
                0x169 => read_counter_state(&mut tpm).map(|_| ()),
                0x12A => define_counter(&mut tpm),
                0x134 => increment_counter(&mut tpm),
                0x14E => read_counter(&mut tpm).map(|_| ()),
                0x138 => write_lock(&mut tpm),
                0x17B => get_random(&mut tpm, &mut [0; 32]).map(|_| ()),
                _ => read_pcrs(&mut tpm).map(|_| ()),
            };
            assert!(result.is_err(), "{command:#x} {change}");
        }
    }
}

#[test]
fn a_size_beyond_the_buffer_is_an_error() {
    for size in [0u32, 9, 1025, u32::MAX] {
        let mut tpm = FakeTpm::new();
        tpm.tamper =
            Box::new(move |_, response| response[2..6].copy_from_slice(&size.to_be_bytes()));
        assert_eq!(
            get_random(&mut tpm, &mut [0; 32]).unwrap_err().problem,
            Problem::Length
        );
    }
}

proptest! {
    #[test]
    fn hostile_responses_never_panic(response in proptest::collection::vec(any::<u8>(), 0..1100)) {
        let mut tpm = FakeTpm::new();
        tpm.tamper = Box::new(move |_, out| *out = response.clone());
        let _ = use_all(&mut tpm);
    }

    #[test]
    fn altered_responses_never_panic(at in 0usize..300, value: u8) {
        let mut tpm = FakeTpm::new();
        tpm.tamper = Box::new(move |_, out| if let Some(byte) = out.get_mut(at) { *byte = value });
        let _ = use_all(&mut tpm);
    }
}
