//! Rig profiles as assets.

use bevy_asset::{Asset, AssetId, AssetLoader, AssetServer, Assets, Handle, LoadContext, LoadState, io::Reader};
use bevy_ecs::{
    resource::Resource,
    system::{Res, SystemParam},
};
use bevy_reflect::TypePath;
use talkie::retarget::{self, ProfileError};

use crate::face::TalkingFace;

/// What a family of characters calls its shapes and joints: a file that ends in `.rig.ron`. See [`talkie::retarget::RigProfile`].
///
/// Those in the resource [`RigProfiles`] are tried for every face, before the built-in ones; a face may name one of its own
/// ([`TalkingFace::profile`]). Faces are bound anew when a profile of theirs
/// changes, or when they are given another.
#[derive(Asset, TypePath, Debug, Clone, PartialEq)]
pub struct RigProfile(pub retarget::RigProfile);

/// Profiles of the game, tried before those that are built in.
#[derive(Resource, Debug, Clone, Default)]
pub struct RigProfiles(pub Vec<Handle<RigProfile>>);

/// Why a profile was not loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RigProfileError {
    /// The file cannot be read.
    #[error("the profile cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// It is no text.
    #[error("the profile is no UTF-8 text: {0}")]
    Text(#[from] std::string::FromUtf8Error),
    /// It is no profile.
    #[error("the profile is refused: {0}")]
    Profile(#[from] ProfileError),
}

/// Loads [`RigProfile`]s.
#[derive(Debug, Default, TypePath)]
pub(super) struct RigProfileLoader;

impl AssetLoader for RigProfileLoader {
    type Asset = RigProfile;
    type Settings = ();
    type Error = RigProfileError;

    async fn load(
        &self,
        reader: &mut dyn Reader,
        _settings: &(),
        _context: &mut LoadContext<'_>,
    ) -> Result<RigProfile, RigProfileError> {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).await?;
        Ok(RigProfile(retarget::RigProfile::parse(&String::from_utf8(bytes)?)?))
    }

    fn extensions(&self) -> &[&str] {
        &["rig.ron"]
    }
}

/// The profiles there are.
#[derive(SystemParam)]
pub(super) struct Profiles<'w> {
    assets: Option<Res<'w, Assets<RigProfile>>>,
    listed: Option<Res<'w, RigProfiles>>,
    server: Option<Res<'w, AssetServer>>,
}

impl Profiles<'_> {
    /// The profiles that count for a face, and why its own does not if so; `None` while its own is loading.
    pub(super) fn of(&self, face: &TalkingFace) -> Option<(Vec<&retarget::RigProfile>, Option<String>)> {
        let get = |handle: &Handle<RigProfile>| self.assets.as_ref()?.get(handle).map(|profile| &profile.0);
        let mut refused = None;
        if let Some(handle) = &face.profile {
            if let Some(profile) = get(handle) {
                return Some((vec![profile], None));
            }
            let state = self.server.as_ref().map(|server| server.load_state(handle));
            match state {
                Some(LoadState::Failed(error)) => {
                    refused = Some(format!("its profile is not used, the built-in ones are: {error}"));
                }
                Some(LoadState::Loading | LoadState::NotLoaded) => return None,
                _ => refused = Some("its profile is not there; the built-in ones are used".into()),
            }
        }
        let listed = self.listed.iter().flat_map(|listed| &listed.0).filter_map(get);
        Some((listed.chain(retarget::RigProfile::builtin()).collect(), refused))
    }

    /// Whether a face may be bound by a profile.
    pub(super) fn count_for(&self, face: &TalkingFace, profile: AssetId<RigProfile>) -> bool {
        match &face.profile {
            Some(own) => own.id() == profile,
            None => self.listed.iter().any(|listed| listed.0.iter().any(|listed| listed.id() == profile)),
        }
    }
}
