//! `model.json` of the official bundles: which files there are.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::model::BundleError;

/// The official families.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Family {
    /// One pose for every window of sound: Audio2Face-3D v2.3.
    Regression,
    /// Thirty poses for every half second: Audio2Face-3D v3.0.
    Diffusion,
    /// Emotions instead of poses: Audio2Emotion.
    Emotion,
}

/// The files of a bundle by their names, as `model.json` has them: relative to its folder, or absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleFiles {
    /// The family.
    pub family: Family,
    /// Sizes and names: `network_info.json`.
    pub network_info: String,
    /// What stands in `networkPath`; often an engine that nobody has. See [`network_candidates`](Self::network_candidates).
    pub network: String,
    /// Settings and shapes, for every identity in the order of `network_info.json`. One for a regression bundle, one without
    /// `data` for Audio2Emotion.
    pub identities: Vec<IdentityFiles>,
    /// Implicit emotions, `implicit_emo_db.npz`; only in regression bundles.
    pub emotion_database: Option<String>,
}

/// The files of one identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityFiles {
    /// Settings, `model_config.json`.
    pub config: String,
    /// Shapes, `model_data.npz`.
    pub data: Option<String>,
    /// The blend shapes that vertices are turned into; a bundle may come without them.
    pub blendshapes: Option<BlendshapeFiles>,
}

/// The blend shapes of one identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlendshapeFiles {
    /// Of the skin.
    pub skin: SolverFiles,
    /// Of the tongue.
    pub tongue: SolverFiles,
}

/// The blend shapes of one part.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SolverFiles {
    /// Parameters of the solver, `bs_skin_config.json`.
    pub config: String,
    /// Shapes, `bs_skin.npz`.
    pub data: String,
}

/// `model.json` as it is: of every family, made by the SDK's authors or by the training framework.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ModelJson {
    network_info_path: String,
    network_path: String,
    emotion_database_path: Option<String>,
    model_config_path: Option<String>,
    model_data_path: Option<String>,
    model_config_paths: Option<Vec<String>>,
    model_data_paths: Option<Vec<String>>,
    blendshape_paths: Option<Blendshapes>,
}

/// `blendshapePaths`: one object for the only identity, or an array with one for each.
#[derive(Deserialize)]
#[serde(untagged)]
enum Blendshapes {
    Many(Vec<Part>),
    One(Part),
}

/// An empty object is what the training framework writes for a network without blend shapes.
#[derive(Deserialize)]
struct Part {
    skin: Option<SolverFiles>,
    tongue: Option<SolverFiles>,
}

impl Part {
    fn complete(self, path: &Path) -> Result<Option<BlendshapeFiles>, BundleError> {
        match (self.skin, self.tongue) {
            (Some(skin), Some(tongue)) => Ok(Some(BlendshapeFiles { skin, tongue })),
            (None, None) => Ok(None),
            _ => Err(BundleError::Value {
                path: path.to_owned(),
                key: "blendshapePaths",
                found: "only one of skin and tongue".into(),
                expected: "both, or an empty object".into(),
            }),
        }
    }
}

impl BundleFiles {
    /// Whether the bytes of a `model.json` look like one of an official bundle.
    pub fn recognises(json: &[u8]) -> bool {
        let keys = ["networkInfoPath", "networkPath", "modelConfigPath", "modelConfigPaths"];
        serde_json::from_slice::<serde_json::Value>(json)
            .is_ok_and(|json| keys.iter().any(|key| json.get(key).is_some()))
    }

    /// Reads `model.json`; `path` is only for messages.
    ///
    /// # Errors
    /// [`BundleError::Json`] or [`BundleError::Value`], naming the key.
    pub fn parse(json: &[u8], path: &Path) -> Result<Self, BundleError> {
        let model: ModelJson = parse_json(json, path)?;
        let wrong = |key: &'static str, found: String, expected: &str| BundleError::Value {
            path: path.to_owned(),
            key,
            found,
            expected: expected.into(),
        };
        let missing = |key: &'static str| wrong(key, "missing".into(), "a file name");
        let (given, is_array) = match model.blendshape_paths {
            None => (Vec::new(), false),
            Some(Blendshapes::One(part)) => (vec![part.complete(path)?], false),
            Some(Blendshapes::Many(parts)) => {
                (parts.into_iter().map(|part| part.complete(path)).collect::<Result<_, _>>()?, true)
            }
        };
        // Empty ones are as good as none.
        let given = if given.iter().all(Option::is_none) { Vec::new() } else { given };
        let (family, identities) = match (model.model_config_paths, model.model_config_path) {
            (Some(configs), _) => {
                let data = model.model_data_paths.ok_or_else(|| missing("modelDataPaths"))?;
                if configs.is_empty() {
                    return Err(wrong("modelConfigPaths", "empty".into(), "a file name for every identity"));
                }
                let differs = |key, count: usize| {
                    wrong(key, format!("{count} entries"), &format!("{}, as in modelConfigPaths", configs.len()))
                };
                if data.len() != configs.len() {
                    return Err(differs("modelDataPaths", data.len()));
                }
                if !given.is_empty() && !is_array {
                    return Err(wrong("blendshapePaths", "one object".into(), "an array with one for every identity"));
                }
                if !given.is_empty() && given.len() != configs.len() {
                    return Err(differs("blendshapePaths", given.len()));
                }
                let blendshapes = given.into_iter().chain(core::iter::repeat(None));
                let identities = configs.into_iter().zip(data).zip(blendshapes);
                let identities = identities
                    .map(|((config, data), blendshapes)| IdentityFiles { config, data: Some(data), blendshapes })
                    .collect();
                (Family::Diffusion, identities)
            }
            (None, Some(config)) => {
                let family = match (&model.model_data_path, &model.emotion_database_path) {
                    (None, None) => Family::Emotion,
                    (None, Some(_)) => return Err(missing("modelDataPath")),
                    (Some(_), None) => return Err(missing("emotionDatabasePath")),
                    (Some(_), Some(_)) => Family::Regression,
                };
                if is_array && !given.is_empty() {
                    return Err(wrong("blendshapePaths", "an array".into(), "one object with skin and tongue"));
                }
                let blendshapes = given.into_iter().next().flatten();
                (family, vec![IdentityFiles { config, data: model.model_data_path, blendshapes }])
            }
            (None, None) if model.model_data_paths.is_some() => return Err(missing("modelConfigPaths")),
            (None, None) => return Err(missing("modelConfigPath")),
        };
        Ok(Self {
            family,
            network_info: model.network_info_path,
            network: model.network_path,
            identities,
            emotion_database: model.emotion_database_path,
        })
    }

    /// All files but `model.json` and the network; one may be named more than once.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let identities = self.identities.iter().flat_map(|files| {
            let shapes = files.blendshapes.iter().flat_map(|shapes| [&shapes.skin, &shapes.tongue]);
            let shapes = shapes.flat_map(|files| [&files.config, &files.data]);
            core::iter::once(&files.config).chain(&files.data).chain(shapes)
        });
        core::iter::once(&self.network_info).chain(&self.emotion_database).chain(identities).map(String::as_str)
    }

    /// Where the network may be, in the order to try. `networkPath` usually names a TensorRT engine (`network.trt`) that does
    /// not come with the bundle; the ONNX file that it is built from lies beside it.
    pub fn network_candidates(&self) -> Vec<String> {
        let path = Path::new(&self.network);
        if path.extension().is_some_and(|ending| ending == "onnx") {
            return vec![self.network.clone()];
        }
        let beside = |stem: &str| path.with_file_name(format!("{stem}.onnx")).to_string_lossy().replace('\\', "/");
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let mut names = vec![beside(&stem)];
        for ending in ["_fp16", "_fp32", "_int8"] {
            if let Some(plain) = stem.strip_suffix(ending) {
                names.push(beside(plain));
            }
        }
        if !names.iter().any(|name| *name == beside("network")) {
            names.push(beside("network"));
        }
        names
    }

    /// A file of the bundle: relative names belong to the folder of `model.json`.
    pub fn resolve(folder: &Path, name: &str) -> PathBuf {
        folder.join(name)
    }
}

/// Reads a JSON file; what is wrong is told with file, key, line and column.
pub(super) fn parse_json<'a, T: Deserialize<'a>>(json: &'a [u8], path: &Path) -> Result<T, BundleError> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| BundleError::Json {
        path: path.to_owned(),
        key: error.path().to_string(),
        reason: error.inner().to_string(),
    })
}
