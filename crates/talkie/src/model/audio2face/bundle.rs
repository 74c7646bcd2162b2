//! All files of an official bundle together.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use super::{
    BundleFiles, DiffusionInfo, EmotionConfig, EmotionDatabase, EmotionInfo, Family, GeometryData, IdentityConfig,
    IdentityFiles, RegressionInfo, SolverFiles, shapes,
};
use crate::{animation::blendshapes::BlendshapeSolver, model::BundleError};

/// Gives the bytes of a file, or says why there are none.
type Read<'a> = dyn FnMut(&str) -> Result<Vec<u8>, String> + 'a;

/// Where the files of a bundle are read from: a folder, or whatever else has bytes for names.
pub struct BundleSource<'a> {
    folder: PathBuf,
    read: Box<Read<'a>>,
}

impl fmt::Debug for BundleSource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BundleSource").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl<'a> BundleSource<'a> {
    /// A folder.
    pub fn folder(folder: &Path) -> Self {
        let root = folder.to_owned();
        Self::new(folder, move |name| fs::read(BundleFiles::resolve(&root, name)).map_err(|error| error.to_string()))
    }

    /// Files that `read` gives by the names that `model.json` has for them, or says why it cannot. `folder` is only for
    /// messages.
    pub fn new(folder: &Path, read: impl FnMut(&str) -> Result<Vec<u8>, String> + 'a) -> Self {
        Self { folder: folder.to_owned(), read: Box::new(read) }
    }

    /// What messages call a file.
    pub fn path(&self, name: &str) -> PathBuf {
        BundleFiles::resolve(&self.folder, name)
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// [`BundleError::File`].
    pub fn read(&mut self, name: &str) -> Result<Vec<u8>, BundleError> {
        (self.read)(name).map_err(|reason| BundleError::File { path: self.path(name), reason })
    }

    /// The first of these files that is there, with its path.
    ///
    /// # Errors
    /// [`BundleError::File`] for the first if none is.
    pub fn read_any(&mut self, names: &[String]) -> Result<(PathBuf, Vec<u8>), BundleError> {
        let mut first = None;
        for name in names {
            match self.read(name) {
                Ok(bytes) => return Ok((self.path(name), bytes)),
                Err(error) => first = first.or(Some(error)),
            }
        }
        Err(first.unwrap_or_else(|| self.no_network()))
    }

    /// The path of the first of these files that is there; only of use for a folder.
    ///
    /// # Errors
    /// [`BundleError::File`] for the first if none is.
    pub fn first_file(&self, names: &[String]) -> Result<PathBuf, BundleError> {
        let mut first = None;
        for name in names {
            let path = self.path(name);
            match fs::metadata(&path) {
                Ok(found) if found.is_file() => return Ok(path),
                Ok(_) => first = first.or(Some(BundleError::File { path, reason: "not a file".into() })),
                Err(error) => first = first.or(Some(BundleError::File { path, reason: error.to_string() })),
            }
        }
        Err(first.unwrap_or_else(|| self.no_network()))
    }

    fn no_network(&self) -> BundleError {
        BundleError::File { path: self.folder.clone(), reason: "the bundle names no network".into() }
    }
}

/// What a face network hears and gives.
#[derive(Debug, Clone, PartialEq)]
pub enum FaceInfo {
    /// One pose for every window.
    Regression {
        /// Sizes and names.
        info: RegressionInfo,
        /// The emotion of the recording that the configuration names, which stands before the explicit ones.
        implicit_emotion: Vec<f32>,
    },
    /// Many poses for every window.
    Diffusion(DiffusionInfo),
}

impl FaceInfo {
    /// What kind of network it is, in words.
    pub fn described(&self) -> String {
        match self {
            Self::Regression { info, .. } => format!("Audio2Face-3D regression, {}", info.identity),
            Self::Diffusion(info) => format!("Audio2Face-3D diffusion, {}", info.identities.join(", ")),
        }
    }

    /// Names of the emotions the network takes, in its order.
    pub fn emotions(&self) -> &[String] {
        match self {
            Self::Regression { info, .. } => &info.emotions,
            Self::Diffusion(info) => &info.emotions,
        }
    }

    /// The neutral delivery that the bundle suggests, one value for each emotion.
    pub fn default_emotion(&self) -> &[f32] {
        match self {
            Self::Regression { info, .. } => &info.default_emotion,
            Self::Diffusion(info) => &info.default_emotion,
        }
    }

    /// Names of the identities.
    pub fn identities(&self) -> &[String] {
        match self {
            Self::Regression { info, .. } => core::slice::from_ref(&info.identity),
            Self::Diffusion(info) => &info.identities,
        }
    }
}

/// One identity of a face bundle.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Its name.
    pub name: String,
    /// How it is animated.
    pub config: IdentityConfig,
    /// Its shapes.
    pub data: GeometryData,
    /// Solvers for skin and tongue, prepared; a bundle may come without.
    pub solvers: Option<[BlendshapeSolver; 2]>,
}

/// A bundle of Audio2Face-3D, all but the network itself.
#[derive(Debug, Clone)]
pub struct FaceBundle {
    /// Which files it has.
    pub files: BundleFiles,
    /// What the network hears and gives.
    pub info: FaceInfo,
    /// The identities, in the order of the network's input.
    pub identities: Vec<Identity>,
}

impl FaceBundle {
    /// Reads and checks everything but the network.
    ///
    /// # Errors
    /// [`BundleError`], naming the file and the key or array.
    pub fn load(source: &mut BundleSource<'_>) -> Result<Self, BundleError> {
        let files = BundleFiles::parse(&source.read("model.json")?, &source.path("model.json"))?;
        let (json, path) = (source.read(&files.network_info)?, source.path(&files.network_info));
        match files.family {
            Family::Regression => Self::regression(files, &RegressionInfo::parse(&json, &path)?, source),
            Family::Diffusion => Self::diffusion(files, DiffusionInfo::parse(&json, &path)?, source),
            Family::Emotion => Err(BundleError::Value {
                path: source.path("model.json"),
                key: "modelDataPath",
                found: "missing: this is a bundle of Audio2Emotion".into(),
                expected: "a bundle of a face".into(),
            }),
        }
    }

    fn regression(
        files: BundleFiles,
        info: &RegressionInfo,
        source: &mut BundleSource<'_>,
    ) -> Result<Self, BundleError> {
        let mut identities = Vec::new();
        for of in &files.identities {
            let read = |bytes, path: &Path| GeometryData::regression(bytes, path, info);
            identities.push(Identity::load(of, &info.identity, source, read)?);
        }
        let config = &files.identities[0].config;
        let wrong = |key, found: String, expected: String| BundleError::Value {
            path: source.path(config),
            key,
            found,
            expected,
        };
        let missing = |key, expected: &str| wrong(key, "missing".into(), expected.into());
        let IdentityConfig { source_shot, source_frame, .. } = &identities[0].config;
        let shot = source_shot.as_deref().ok_or_else(|| missing("config.source_shot", "the name of a shot"))?;
        let frame = source_frame.ok_or_else(|| missing("config.source_frame", "the number of a frame"))?;
        let database = files.emotion_database.clone().unwrap_or_default();
        let found = format!("shot {shot:?}, frame {frame}");
        let path = source.path(config);
        let emotions =
            EmotionDatabase::parse(source.read(&database)?, &source.path(&database), info.implicit_emotion_len)?;
        let implicit_emotion = emotions.emotion(shot, frame).map_err(|expected| BundleError::Value {
            path,
            key: "config.source_shot",
            found,
            expected,
        })?;
        let implicit_emotion = implicit_emotion.to_vec();
        Ok(Self { files, info: FaceInfo::Regression { info: info.clone(), implicit_emotion }, identities })
    }

    fn diffusion(files: BundleFiles, info: DiffusionInfo, source: &mut BundleSource<'_>) -> Result<Self, BundleError> {
        if files.identities.len() != info.identities.len() {
            return Err(BundleError::Value {
                path: source.path("model.json"),
                key: "modelConfigPaths",
                found: format!("{} entries", files.identities.len()),
                expected: format!("{}, one for each identity of {}", info.identities.len(), files.network_info),
            });
        }
        let mut identities = Vec::new();
        for (of, name) in files.identities.iter().zip(&info.identities) {
            let read = |bytes, path: &Path| GeometryData::diffusion(bytes, path, &info);
            identities.push(Identity::load(of, name, source, read)?);
        }
        Ok(Self { files, info: FaceInfo::Diffusion(info), identities })
    }
}

impl Identity {
    fn load(
        files: &IdentityFiles,
        name: &str,
        source: &mut BundleSource<'_>,
        read: impl FnOnce(Vec<u8>, &Path) -> Result<GeometryData, BundleError>,
    ) -> Result<Self, BundleError> {
        let config = IdentityConfig::parse(&source.read(&files.config)?, &source.path(&files.config))?;
        let file = files.data.as_deref().unwrap_or_default();
        let data = read(source.read(file)?, &source.path(file))?;
        let mut solver = |files: &SolverFiles, vertices: usize| {
            let config = source.read(&files.config)?;
            let shapes = source.read(&files.data)?;
            let (config_path, shapes_path) = (source.path(&files.config), source.path(&files.data));
            shapes::solver((&config, &config_path), (shapes, &shapes_path), vertices)
        };
        let solvers = match &files.blendshapes {
            None => None,
            Some(shapes) => Some([
                solver(&shapes.skin, data.skin.neutral().len() / 3)?,
                solver(&shapes.tongue, data.tongue_neutral.len() / 3)?,
            ]),
        };
        Ok(Self { name: name.to_owned(), config, data, solvers })
    }
}

/// A bundle of Audio2Emotion, all but the network itself.
#[derive(Debug, Clone, PartialEq)]
pub struct EmotionBundle {
    /// Which files it has.
    pub files: BundleFiles,
    /// What the network gives.
    pub info: EmotionInfo,
    /// What becomes of it.
    pub config: EmotionConfig,
}

impl EmotionBundle {
    /// Reads and checks everything but the network.
    ///
    /// # Errors
    /// [`BundleError`], naming the file and the key.
    pub fn load(source: &mut BundleSource<'_>) -> Result<Self, BundleError> {
        let files = BundleFiles::parse(&source.read("model.json")?, &source.path("model.json"))?;
        if files.family != Family::Emotion {
            return Err(BundleError::Value {
                path: source.path("model.json"),
                key: "modelDataPath",
                found: "there: this is a bundle of a face".into(),
                expected: "a bundle of Audio2Emotion".into(),
            });
        }
        let info = EmotionInfo::parse(&source.read(&files.network_info)?, &source.path(&files.network_info))?;
        let config = &files.identities[0].config;
        let config = EmotionConfig::parse(&source.read(config)?, &source.path(config), &info.emotions)?;
        Ok(Self { files, info, config })
    }
}
