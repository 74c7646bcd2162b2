//! What a character says, as an asset.

use std::sync::Arc;

use bevy_asset::{Asset, AssetLoader, LoadContext, io::Reader};
use bevy_reflect::TypePath;
use serde::{Deserialize, Serialize};
use talkie::{
    animation::{self, ContentHash, TRACK_EXTENSION, TrackFileError, TrackSource},
    audio::{AudioClip, DecodeError},
};

use super::VoiceStream;

/// A voice line: decoded sound, ready to be heard and to be animated; or a voice whose sound is still to come.
///
/// Loads from WAV, FLAC, Ogg Vorbis and MP3 by content, whatever audio features Bevy was built with:
/// `asset_server.load::<VoiceClip>("line.ogg")`. Memory is 4 bytes per sample and channel.
///
/// A line may bring its motion along, baked before: a [track](Self::track) then takes the place of the network, and a face costs no more
/// than its layers. `talkie animate line.ogg -o line.facetrack` bakes one; it is found beside its sound.
#[derive(Asset, TypePath, Debug, Clone)]
pub struct VoiceClip {
    sound: Sound,
    track: Option<Arc<animation::FaceTrack>>,
}

/// Motion that was baked, as an asset by itself: loads from `.facetrack` files.
///
/// [`VoiceClip::with_track`] gives it to a line; lines that are loaded find theirs by themselves.
#[derive(Asset, TypePath, Debug, Clone, PartialEq)]
pub struct FaceTrack(pub Arc<animation::FaceTrack>);

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
        Self { sound: Sound::Recorded(Arc::new(sound)), track: None }
    }

    /// With motion that was baked: the network is not asked. Of a stream it is ignored.
    #[must_use]
    pub fn with_track(self, track: impl Into<Arc<animation::FaceTrack>>) -> Self {
        Self { track: Some(track.into()), ..self }
    }

    /// The motion that was baked, if it was.
    pub fn track(&self) -> Option<&Arc<animation::FaceTrack>> {
        self.track.as_ref().filter(|track| self.sound().is_some() && !track.is_empty())
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
        Self { sound: Sound::Stream(voice), track: None }
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
    /// The file says that it has motion too, and has not.
    #[error(transparent)]
    Track(#[from] TrackFileError),
}

/// Loads [`VoiceClip`]s.
#[derive(Debug, Clone, Copy, Default, TypePath)]
pub struct VoiceClipLoader;

/// How a [`VoiceClip`] is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct VoiceClipSettings {
    /// Whether baked motion is looked for beside the sound: `line.facetrack` for `line.ogg`. Default `true`.
    pub track: bool,
}

impl Default for VoiceClipSettings {
    fn default() -> Self {
        Self { track: true }
    }
}

/// What the names of voice lines end in.
pub(super) const EXTENSIONS: [&str; 5] = ["wav", "flac", "ogg", "oga", "mp3"];

/// How a file with motion and sound begins: this, the length of the track in 4 bytes, lowest first, the track, and the sound as it was.
const BAKED: &[u8] = b"TALKLINE";

/// Puts motion and sound into one file, as [`VoiceClipLoader`] reads it.
#[cfg(feature = "asset_processor")]
pub(super) fn join(track: &[u8], sound: &[u8]) -> Vec<u8> {
    let length = u32::try_from(track.len()).unwrap_or(u32::MAX).to_le_bytes();
    [BAKED, &length, track, sound].concat()
}

/// Motion and sound of such a file; all of it is sound if it is none.
fn split(bytes: &[u8]) -> Result<(Option<&[u8]>, &[u8]), TrackFileError> {
    let Some(rest) = bytes.strip_prefix(BAKED) else { return Ok((None, bytes)) };
    let cut_off = |expected| TrackFileError::CutOff { found: rest.len(), expected };
    let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(|| cut_off(4))?;
    let length = u32::from_le_bytes(*length) as usize;
    let (track, sound) = rest.split_at_checked(length).ok_or_else(|| cut_off(length))?;
    Ok((Some(track), sound))
}

/// Reads a track that is said to belong to a sound.
fn track_of(bytes: &[u8], sound: &[u8]) -> Result<animation::FaceTrack, TrackFileError> {
    if let Some(source) = TrackSource::of_file(bytes)?
        && source.sound != ContentHash::of([sound])
    {
        return Err(TrackFileError::Damaged("it was made from another sound: bake it again"));
    }
    animation::FaceTrack::from_bytes(bytes)
}

impl AssetLoader for VoiceClipLoader {
    type Asset = VoiceClip;
    type Settings = VoiceClipSettings;
    type Error = VoiceClipError;

    async fn load(
        &self,
        reader: &mut dyn Reader,
        settings: &VoiceClipSettings,
        load_context: &mut LoadContext<'_>,
    ) -> Result<VoiceClip, VoiceClipError> {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).await?;
        let path = load_context.path().clone();
        let (joined, sound) = split(&bytes)?;
        let found = match joined {
            Some(track) => Some(track.to_vec()),
            None if settings.track => {
                let beside = path.path().with_extension(TRACK_EXTENSION);
                let beside = bevy_asset::AssetPath::from_path_buf(beside).with_source(path.source().clone_owned());
                // Most lines have none.
                load_context.read_asset_bytes(beside).await.ok()
            }
            None => None,
        };
        // A line without its motion is animated by the network, which is better than not at all.
        let track = found.and_then(|found| {
            track_of(&found, sound)
                .map_err(|error| bevy_log::warn!("the baked motion of voice line {path} is not used: {error}"))
                .ok()
        });
        let sound = AudioClip::decode(sound.to_vec())?;
        if sound.is_truncated() {
            bevy_log::warn!("voice line {path} is cut off or damaged: {:.2} s of it can be used", sound.seconds());
        }
        let clip = VoiceClip::new(sound);
        Ok(match track {
            Some(track) => clip.with_track(track),
            None => clip,
        })
    }

    fn extensions(&self) -> &[&str] {
        &EXTENSIONS
    }
}

/// Why a baked track could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FaceTrackError {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// The file is no track.
    #[error(transparent)]
    Track(#[from] TrackFileError),
}

/// Loads [`FaceTrack`]s.
#[derive(Debug, Clone, Copy, Default, TypePath)]
pub struct FaceTrackLoader;

impl AssetLoader for FaceTrackLoader {
    type Asset = FaceTrack;
    type Settings = ();
    type Error = FaceTrackError;

    async fn load(
        &self,
        reader: &mut dyn Reader,
        _settings: &(),
        _load_context: &mut LoadContext<'_>,
    ) -> Result<FaceTrack, FaceTrackError> {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).await?;
        Ok(FaceTrack(Arc::new(animation::FaceTrack::from_bytes(&bytes)?)))
    }

    fn extensions(&self) -> &[&str] {
        &[TRACK_EXTENSION]
    }
}
