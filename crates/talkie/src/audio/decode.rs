//! Reading WAV, FLAC, Ogg Vorbis and MP3 with symphonia.

use std::io::Cursor;

use symphonia::core::{
    codecs::audio::{AudioDecoder, AudioDecoderOptions},
    errors::Error as SymphoniaError,
    formats::{FormatOptions, FormatReader, TrackType, probe::Hint},
    io::{MediaSource, MediaSourceStream},
    meta::MetadataOptions,
};

use super::{FormatError, SpeechResampler, resample::check_format, sane};

/// Why a file could not be read as sound.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// There was not a single byte.
    #[error("the audio file is empty (0 bytes)")]
    Empty,
    /// No reader recognises the bytes.
    #[error("not an audio file of a known kind (WAV, FLAC, Ogg Vorbis, MP3): {0}")]
    NotAudio(String),
    /// The container is known, what is inside is not.
    #[error("no decoder for the audio track: {0}")]
    UnsupportedCodec(String),
    /// The header states something no speech can have.
    #[error("unusable audio format: {0}")]
    Format(#[from] FormatError),
    /// Header without sound, or cut off before the first complete packet.
    #[error("the audio file has a header but no decodable sound ({0})")]
    NoSamples(String),
}

/// Decodes a file piece by piece, so that an hour of sound never has to be in memory at once.
#[allow(missing_debug_implementations, reason = "symphonia's readers have none")]
pub struct AudioReader {
    format: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    track: u32,
    sample_rate: u32,
    channels: usize,
    frames: Option<u64>,
    /// Sound that came with the header: the first packet is decoded on opening to learn the true format.
    first: Vec<f32>,
    truncated: bool,
    ended: bool,
}

impl AudioReader {
    /// Opens a source and decodes its first packet.
    ///
    /// # Errors
    /// See [`DecodeError`]; nothing is read beyond the first packet.
    pub fn open(source: impl MediaSource + 'static) -> Result<Self, DecodeError> {
        if source.byte_len() == Some(0) {
            return Err(DecodeError::Empty);
        }
        let stream = MediaSourceStream::new(Box::new(source), Default::default());
        let format = symphonia::default::get_probe()
            .probe(&Hint::new(), stream, FormatOptions::default(), MetadataOptions::default())
            .map_err(|error| DecodeError::NotAudio(error.to_string()))?;
        let track = format
            .default_track(TrackType::Audio)
            .ok_or_else(|| DecodeError::NotAudio("the file has no audio track".into()))?;
        let parameters = track
            .codec_params
            .as_ref()
            .and_then(|parameters| parameters.audio())
            .ok_or_else(|| DecodeError::UnsupportedCodec("the track does not say how it is coded".into()))?;
        if let Some(channels) = &parameters.channels
            && channels.count() == 0
        {
            return Err(FormatError::NoChannels.into());
        }
        let decoder = symphonia::default::get_codecs()
            .make_audio_decoder(parameters, &AudioDecoderOptions::default())
            .map_err(|error| DecodeError::UnsupportedCodec(error.to_string()))?;
        let (track, frames) = (track.id, track.num_frames);
        let mut reader = Self {
            format,
            decoder,
            track,
            sample_rate: 0,
            channels: 0,
            frames,
            first: Vec::new(),
            truncated: false,
            ended: false,
        };
        let mut first = Vec::new();
        reader.decode_packet(&mut first)?;
        if first.is_empty() {
            let why = if reader.truncated { "it is cut off" } else { "it ends there" };
            return Err(DecodeError::NoSamples(why.into()));
        }
        reader.first = first;
        Ok(reader)
    }

    /// Samples per second and channel, as the file states.
    pub fn sample_rate(&self) -> u32 {
        self.sample_rate
    }

    /// Number of interleaved channels.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Length in samples per channel, where the header tells.
    pub fn len_frames(&self) -> Option<u64> {
        self.frames
    }

    /// Whether the file ended earlier or was more damaged than its header promised. Known once all is read.
    pub fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// Replaces `samples` with the next piece, interleaved, every sample finite. Returns `false` at the end.
    ///
    /// A damaged packet is left out, a file that is cut off simply ends: see [`is_truncated`](Self::is_truncated).
    ///
    /// # Errors
    /// [`DecodeError::Format`] if the stream changes its rate or channel count on the way.
    pub fn read(&mut self, samples: &mut Vec<f32>) -> Result<bool, DecodeError> {
        samples.clear();
        if !self.first.is_empty() {
            samples.append(&mut self.first);
            return Ok(true);
        }
        self.decode_packet(samples)?;
        Ok(!samples.is_empty())
    }

    /// Decodes packets until one gives samples; leaves `samples` empty at the end.
    fn decode_packet(&mut self, samples: &mut Vec<f32>) -> Result<(), DecodeError> {
        while !self.ended {
            let packet = match self.format.next_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) => {
                    self.ended = true;
                    break;
                }
                Err(_) => {
                    (self.ended, self.truncated) = (true, true);
                    break;
                }
            };
            if packet.track_id != self.track {
                continue;
            }
            match self.decoder.decode(&packet) {
                Ok(buffer) if !buffer.is_empty() => {
                    let (rate, channels) = (buffer.spec().rate(), buffer.num_planes());
                    if self.channels == 0 {
                        check_format(rate, channels)?;
                        (self.sample_rate, self.channels) = (rate, channels);
                    } else if (rate, channels) != (self.sample_rate, self.channels) {
                        return Err(FormatError::Changed {
                            from_rate: self.sample_rate,
                            from_channels: self.channels,
                            to_rate: rate,
                            to_channels: channels,
                        }
                        .into());
                    }
                    buffer.copy_to_vec_interleaved(samples);
                    samples.iter_mut().for_each(|sample| *sample = sane(*sample));
                    return Ok(());
                }
                Ok(_) => {}
                Err(SymphoniaError::DecodeError(_)) => self.truncated = true,
                Err(_) => (self.ended, self.truncated) = (true, true),
            }
        }
        Ok(())
    }
}

/// A decoded sound: what a voice line is before a network hears it.
#[derive(Debug, Clone, PartialEq)]
pub struct AudioClip {
    sample_rate: u32,
    channels: usize,
    samples: Vec<f32>,
    truncated: bool,
}

impl AudioClip {
    /// Decodes a whole file: WAV, FLAC, Ogg Vorbis or MP3, recognised by content, never by name.
    ///
    /// Samples that are not numbers become silence. A file that is cut off gives what is there
    /// ([`is_truncated`](Self::is_truncated)).
    ///
    /// # Errors
    /// See [`DecodeError`].
    pub fn decode(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Result<Self, DecodeError> {
        let mut reader = AudioReader::open(Cursor::new(bytes))?;
        let mut samples = Vec::new();
        let mut piece = Vec::new();
        while reader.read(&mut piece)? {
            samples.extend_from_slice(&piece);
        }
        Ok(Self { sample_rate: reader.sample_rate, channels: reader.channels, samples, truncated: reader.truncated })
    }

    /// Wraps samples that are already there: interleaved, ±1 full scale. A rest that does not fill all channels is
    /// dropped; samples that are not numbers become silence.
    ///
    /// # Errors
    /// [`FormatError`] if the rate or the channel count cannot be used.
    pub fn from_samples(sample_rate: u32, channels: usize, mut samples: Vec<f32>) -> Result<Self, FormatError> {
        check_format(sample_rate, channels)?;
        samples.truncate(samples.len() / channels * channels);
        samples.iter_mut().for_each(|sample| *sample = sane(*sample));
        Ok(Self { sample_rate, channels, samples, truncated: false })
    }

    /// Samples per second and channel.
    pub fn sample_rate(&self) -> u32 {
        self.sample_rate
    }

    /// Number of interleaved channels, at least 1.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// All samples, interleaved, finite.
    pub fn samples(&self) -> &[f32] {
        &self.samples
    }

    /// Length in seconds.
    pub fn seconds(&self) -> f64 {
        (self.samples.len() / self.channels) as f64 / f64::from(self.sample_rate)
    }

    /// Whether the file was cut off or had damaged parts that were left out.
    pub fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// The sound as networks hear it: mono at [`SAMPLE_RATE`](super::SAMPLE_RATE).
    ///
    /// # Errors
    /// [`FormatError`] if no resampler can be made for the rate.
    pub fn to_speech(&self) -> Result<Vec<f32>, FormatError> {
        let mut resampler = SpeechResampler::new(self.sample_rate, self.channels)?;
        let mut speech = Vec::new();
        resampler.push(&self.samples, &mut speech);
        resampler.finish(&mut speech);
        Ok(speech)
    }
}
