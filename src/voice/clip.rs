//! What a character says, as an asset.

use std::sync::Arc;

use bevy_asset::{Asset, AssetLoader, LoadContext, io::Reader};
use bevy_reflect::TypePath;
use talkie::audio::{AudioClip, DecodeError};

use super::VoiceStream;

/// A voice line: decoded sound, ready to be heard and to be animated; or a voice whose sound is still to come.
///
/// Loads from WAV, FLAC, Ogg Vorbis and MP3 by content, whatever audio features Bevy was built with:
/// `asset_server.load::<VoiceClip>("line.ogg")`. Memory is 4 bytes per sample and channel.
#[derive(Asset, TypePath, Debug, Clone)]
pub struct VoiceClip {
    sound: Sound,
}

/// Where the sound of a line comes from.
#[derive(Debug, Clone)]
pub(crate) enum Sound {
    /// All of it is there.
    Recorded(Arc<AudioClip>),
    /// It comes while it is spoken.
    Stream(VoiceStream),
}

impl Sound {
    /// Samples per second.
    pub(crate) fn sample_rate(&self) -> u32 {
        match self {
            Self::Recorded(sound) => sound.sample_rate(),
            Self::Stream(voice) => voice.sample_rate(),
        }
    }

    /// Channels of its interleaved samples.
    pub(crate) fn channels(&self) -> usize {
        match self {
            Self::Recorded(sound) => sound.channels(),
            Self::Stream(voice) => voice.channels(),
        }
    }

    /// Whether there is something for the networks to hear.
    pub(crate) fn has_news(&self) -> bool {
        match self {
            Self::Recorded(_) => true,
            Self::Stream(voice) => voice.has_news(),
        }
    }
}

impl VoiceClip {
    /// Wraps sound that is already decoded.
    pub fn new(sound: AudioClip) -> Self {
        Self { sound: Sound::Recorded(Arc::new(sound)) }
    }

    /// The decoded sound; `None` if it is still to come.
    pub fn sound(&self) -> Option<&AudioClip> {
        match &self.sound {
            Sound::Recorded(sound) => Some(sound),
            Sound::Stream(_) => None,
        }
    }

    /// Length in seconds; `None` if it is still to come.
    pub fn seconds(&self) -> Option<f64> {
        self.sound().map(AudioClip::seconds)
    }

    pub(crate) fn shared(&self) -> Sound {
        self.sound.clone()
    }
}

impl From<VoiceStream> for VoiceClip {
    fn from(voice: VoiceStream) -> Self {
        Self { sound: Sound::Stream(voice) }
    }
}

/// Why a voice line could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VoiceClipError {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// The file is no sound.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// Loads [`VoiceClip`]s.
#[derive(Debug, Clone, Copy, Default, TypePath)]
pub struct VoiceClipLoader;

impl AssetLoader for VoiceClipLoader {
    type Asset = VoiceClip;
    type Settings = ();
    type Error = VoiceClipError;

    async fn load(
        &self,
        reader: &mut dyn Reader,
        _settings: &(),
        load_context: &mut LoadContext<'_>,
    ) -> Result<VoiceClip, VoiceClipError> {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).await?;
        let sound = AudioClip::decode(bytes)?;
        if sound.is_truncated() {
            bevy_log::warn!(
                "voice line {} is cut off or damaged: {:.2} s of it can be used",
                load_context.path(),
                sound.seconds()
            );
        }
        Ok(VoiceClip::new(sound))
    }

    fn extensions(&self) -> &[&str] {
        &["wav", "flac", "ogg", "oga", "mp3"]
    }
}
