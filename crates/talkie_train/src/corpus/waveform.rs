//! Sound files of the corpus.

use std::fs::File;
use std::path::Path;

use symphonia::core::codecs::audio::AudioDecoderOptions;
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;

/// Why a sound file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WaveformError {
    /// It cannot be opened.
    #[error("cannot open the sound: {0}")]
    Open(#[from] std::io::Error),
    /// It cannot be decoded.
    #[error("cannot decode the sound: {0}")]
    Decode(#[from] SymphoniaError),
    /// There is no audio in it.
    #[error("the file holds no audio track")]
    NoTrack,
    /// It is not 16 kHz mono.
    #[error("{rate} Hz with {channels} channels; items are 16000 Hz mono")]
    Form {
        /// Its sample rate in hertz.
        rate: u32,
        /// Its channels.
        channels: usize,
    },
}

/// Reads a 16 kHz mono WAV or Ogg Vorbis file into samples in -1..=1.
///
/// # Errors
/// An unreadable file or one of another form.
pub fn read_waveform(path: &Path) -> Result<Vec<f32>, WaveformError> {
    let stream = MediaSourceStream::new(Box::new(File::open(path)?), Default::default());
    let mut hint = Hint::new();
    if let Some(ending) = path.extension().and_then(|ending| ending.to_str()) {
        hint.with_extension(ending);
    }
    let mut format =
        symphonia::default::get_probe().probe(&hint, stream, FormatOptions::default(), MetadataOptions::default())?;
    let track = format.default_track(TrackType::Audio).ok_or(WaveformError::NoTrack)?;
    let track_id = track.id;
    let parameters =
        track.codec_params.as_ref().and_then(|parameters| parameters.audio()).ok_or(WaveformError::NoTrack)?;
    let mut decoder =
        symphonia::default::get_codecs().make_audio_decoder(parameters, &AudioDecoderOptions::default())?;
    let (mut samples, mut piece) = (Vec::new(), Vec::new());
    while let Some(packet) = format.next_packet()? {
        if packet.track_id != track_id {
            continue;
        }
        let audio = decoder.decode(&packet)?;
        let (rate, channels) = (audio.spec().rate(), audio.spec().channels().count());
        if rate != 16_000 || channels != 1 {
            return Err(WaveformError::Form { rate, channels });
        }
        audio.copy_to_vec_interleaved::<f32>(&mut piece);
        samples.extend_from_slice(&piece);
    }
    Ok(samples)
}
