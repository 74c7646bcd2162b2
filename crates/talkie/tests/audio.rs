//! What decoding does with good and bad files.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use talkie::audio::{AudioClip, DecodeError, FormatError};

fn wav(rate: u32, channels: u16, samples: &[f32]) -> Vec<u8> {
    let spec =
        hound::WavSpec { channels, sample_rate: rate, bits_per_sample: 32, sample_format: hound::SampleFormat::Float };
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
    samples.iter().for_each(|sample| writer.write_sample(*sample).unwrap());
    writer.finalize().unwrap();
    bytes.into_inner()
}

fn tone(count: usize) -> Vec<f32> {
    (0..count).map(|i| (i as f32 * 0.05).sin() * 0.5).collect()
}

#[test]
fn a_wav_is_decoded_as_it_was_written() {
    let clip = AudioClip::decode(wav(24_000, 2, &tone(4_800))).unwrap();
    assert_eq!((clip.sample_rate(), clip.channels()), (24_000, 2));
    assert_eq!(clip.samples(), tone(4_800));
    assert!((clip.seconds() - 0.1).abs() < 1e-9);
    assert_eq!(clip.to_speech().unwrap().len(), 1_600);
    assert!(!clip.is_truncated());
}

#[test]
fn no_bytes_and_no_sound_are_told_apart() {
    assert!(matches!(AudioClip::decode(Vec::new()), Err(DecodeError::Empty)));
    for bytes in [b"hello, this is a text file, not a sound".to_vec(), vec![0; 4096], vec![0xff; 100_000]] {
        let error = AudioClip::decode(bytes).unwrap_err();
        assert!(matches!(error, DecodeError::NotAudio(_) | DecodeError::NoSamples(_)), "{error}");
    }
    let error = AudioClip::decode(wav(16_000, 1, &[])).unwrap_err();
    assert!(matches!(error, DecodeError::NoSamples(_)), "{error}");
}

#[test]
fn a_header_without_sense_is_refused_with_its_value() {
    let error = AudioClip::decode(wav(1, 1, &tone(100))).unwrap_err();
    assert!(matches!(error, DecodeError::Format(FormatError::SampleRate { rate: 1 })), "{error}");
    assert!(error.to_string().contains("1 Hz"), "{error}");

    let mut zero_channels = wav(16_000, 1, &tone(100));
    zero_channels[22..24].copy_from_slice(&0_u16.to_le_bytes());
    let error = AudioClip::decode(zero_channels).unwrap_err();
    assert!(
        matches!(
            error,
            DecodeError::Format(FormatError::NoChannels) | DecodeError::NotAudio(_) | DecodeError::UnsupportedCodec(_)
        ),
        "{error}"
    );

    assert!(AudioClip::decode(wav(768_000, 1, &tone(76_800))).unwrap().to_speech().unwrap().len() == 1_600);
}

#[test]
fn a_file_that_is_cut_off_gives_what_is_there() {
    let whole = wav(16_000, 1, &tone(16_000));
    for length in (0..whole.len()).step_by(997) {
        match AudioClip::decode(whole[..length].to_vec()) {
            Ok(clip) => assert_eq!(clip.samples(), &tone(16_000)[..clip.samples().len()]),
            Err(error) => assert!(length < 4_200, "{length} bytes of {}: {error}", whole.len()),
        }
    }
}

#[test]
fn samples_that_are_not_numbers_become_silence() {
    let mut samples = tone(1_000);
    (samples[10], samples[20], samples[30]) = (f32::NAN, f32::INFINITY, f32::NEG_INFINITY);
    let clip = AudioClip::decode(wav(16_000, 1, &samples)).unwrap();
    assert_eq!((clip.samples()[10], clip.samples()[20], clip.samples()[30]), (0.0, 0.0, 0.0));
    assert!(clip.samples().iter().all(|sample| sample.is_finite()));
    let clip = AudioClip::from_samples(16_000, 1, samples).unwrap();
    assert!(clip.samples().iter().all(|sample| sample.is_finite()));
}

#[test]
fn random_bytes_never_panic() {
    let mut state = 1_u64;
    let headers: [&[u8]; 5] = [
        b"RIFF\x24\x00\x00\x00WAVEfmt ",
        b"OggS\x00\x02",
        b"fLaC\x00\x00\x00\x22",
        b"ID3\x04\x00",
        &[0xff, 0xfb, 0x90],
    ];
    for round in 0..200 {
        let mut bytes = headers[round % headers.len()].to_vec();
        for _ in 0..(round * 7) {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            bytes.push((state >> 33) as u8);
        }
        let _ = AudioClip::decode(bytes);
    }
}
