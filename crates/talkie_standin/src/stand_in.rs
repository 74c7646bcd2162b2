//! What is written, and where.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde_json::Value;
use talkie_onnx::{Graph, GraphError};

use crate::{
    data,
    head::{Head, Jaw},
    network, settings,
};

/// The official families.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// One pose for every window of sound: Audio2Face-3D v2.3.
    Regression,
    /// Thirty poses for every half second: Audio2Face-3D v3.0.
    Diffusion,
    /// Emotions instead of poses: Audio2Emotion.
    Emotion,
}

/// How large a bundle is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// A few hundred vertices and weights, for tests: less than 2 MB, written at once.
    Tiny,
    /// As large as the official one in every dimension, and about as slow.
    Official,
}

/// Why a bundle cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A size that no bundle can have.
    #[error("{name} is {found}; expected {expected}")]
    Size {
        /// Which of the fields of [`StandIn`].
        name: &'static str,
        /// What it is.
        found: usize,
        /// What would do.
        expected: &'static str,
    },
    /// A file that cannot be written.
    #[error("cannot write {path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The network is inconsistent, which is a mistake of this crate.
    #[error("the network is inconsistent: {0}")]
    Graph(#[from] GraphError),
}

impl Error {
    pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { path: path.into(), source }
    }
}

/// A bundle to be written. Start with [`new`](Self::new) and change what should differ; fields that a family has no use for are
/// ignored.
#[derive(Debug, Clone, PartialEq)]
pub struct StandIn {
    /// The family.
    pub family: Family,
    /// The head whose shapes it holds.
    pub head: Head,
    /// Names of the identities; the first one alone for regression.
    pub identities: Vec<String>,
    /// Vertices of the skin.
    pub skin_vertices: usize,
    /// Vertices of the tongue.
    pub tongue_vertices: usize,
    /// Vertices of the skin that the solver looks at; fewer if fewer of them move.
    pub frontal_vertices: usize,
    /// Regression: components of the skin.
    pub skin_shapes: usize,
    /// Regression: components of the tongue.
    pub tongue_shapes: usize,
    /// Regression: length of the implicit emotion.
    pub implicit_emotion_len: usize,
    /// Samples of a window; not for Audio2Emotion, which takes any length.
    pub window: usize,
    /// Regression: samples of a window before the moment that it stands for.
    pub offset: usize,
    /// Diffusion: frames of a window before those that are kept, kept, and after those.
    pub frames: [usize; 3],
    /// Diffusion: denoising steps.
    pub steps: usize,
    /// Diffusion: layers of the state.
    pub gru_layers: usize,
    /// Diffusion: width of each of them.
    pub gru_width: usize,
    /// Rows of the table of small eye movements.
    pub saccades: usize,
    /// Transformer layers of a front like wav2vec2's, which makes the network as slow as the official one and changes what
    /// it does by less than can be seen; `None` for no such front.
    pub front_layers: Option<usize>,
    /// Where everything that is left to chance begins.
    pub seed: u64,
}

impl StandIn {
    /// A bundle of a family in one of the usual sizes, with the [procedural](Head::procedural) head.
    pub fn new(family: Family, size: Size) -> Self {
        let names: &[&str] = if family == Family::Diffusion { &["Claire", "James", "Mark"] } else { &["mark"] };
        let official = size == Size::Official;
        let of = |small: usize, large: usize| if official { large } else { small };
        Self {
            family,
            head: Head::procedural(),
            identities: names.iter().map(|name| (*name).into()).collect(),
            skin_vertices: of(300, if family == Family::Diffusion { 24_002 } else { 61_520 }),
            tongue_vertices: of(60, 5602),
            frontal_vertices: of(200, 10_085),
            skin_shapes: of(60, 272),
            tongue_shapes: 10,
            implicit_emotion_len: 16,
            window: if family == Family::Diffusion { 16_000 } else { 8320 },
            offset: 4160,
            frames: [15, 30, 15],
            steps: 2,
            gru_layers: 2,
            gru_width: of(16, 256),
            saccades: 5000,
            front_layers: official.then_some(if family == Family::Regression { 1 } else { 12 }),
            seed: 1,
        }
    }

    /// The same bundle with another head.
    #[must_use]
    pub fn with_head(self, head: Head) -> Self {
        Self { head, ..self }
    }

    /// Writes the bundle into a folder, which is made if it is not there. The same options give the same bytes.
    ///
    /// # Errors
    /// A size that no bundle can have, or a file that cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        self.check()?;
        fs::create_dir_all(folder).map_err(Error::at(folder))?;
        let json = |name: &str, value: &Value| write(&folder.join(name), format!("{value:#}\n").as_bytes());
        json("model.json", &settings::model(self))?;
        json("network_info.json", &settings::network_info(self))?;
        let named = |stem: &str, identity: &str, ending: &str| settings::file(self.family, stem, identity, ending);

        let (graph, width) = if self.family == Family::Emotion {
            json("model_config.json", &settings::emotion_processing())?;
            (network::emotion(self)?, 0)
        } else {
            let head = self.head.resized(self.skin_vertices, self.tongue_vertices);
            let jaw = Jaw::new(&head.skin);
            let regression = self.family == Family::Regression;
            let identities = if regression { &self.identities[..1] } else { &self.identities[..] };
            for (index, identity) in identities.iter().enumerate() {
                // Poses are shared, as the network is; what tells identities apart at rest is their size.
                let head = head.scaled(1.0 + 0.02 * index as f32);
                let path = |stem: &str| folder.join(named(stem, identity, "npz"));
                json(&named("model_config", identity, "json"), &settings::animator(self.family, identity))?;
                data::model_data(&path("model_data"), self, &head, &jaw, regression)?;
                json(&named("bs_skin_config", identity, "json"), &settings::skin_solver(self, &head.skin))?;
                data::skin_shapes(&path("bs_skin"), self, &head.skin)?;
                json(&named("bs_tongue_config", identity, "json"), &settings::tongue_solver(self))?;
                data::tongue_shapes(&path("bs_tongue"), &head.tongue)?;
            }
            let width = 3 * (self.skin_vertices + self.tongue_vertices) + settings::JAW + settings::EYES;
            if regression {
                data::emotion_database(&folder.join("implicit_emo_db.npz"), self)?;
                (network::regression(self, &jaw)?, width)
            } else {
                (network::diffusion(self, &head, &jaw)?, width)
            }
        };
        json("trt_info.json", &settings::engine(self, width))?;
        write(&folder.join("network.onnx"), &graph.finish("stand-in", &[]))
    }

    /// How many weights the network has.
    ///
    /// # Errors
    /// A size that no bundle can have.
    pub fn parameters(&self) -> Result<usize, Error> {
        self.check()?;
        let head = self.head.resized(self.skin_vertices, self.tongue_vertices);
        let jaw = Jaw::new(&head.skin);
        let graph = match self.family {
            Family::Regression => network::regression(self, &jaw),
            Family::Diffusion => network::diffusion(self, &head, &jaw),
            Family::Emotion => network::emotion(self),
        };
        Ok(graph.as_ref().map(Graph::parameters).map_err(Clone::clone)?)
    }

    fn check(&self) -> Result<(), Error> {
        let frames = self.frames[1];
        let least = [
            ("the number of identities", self.identities.len(), 1, "at least 1"),
            ("skin_vertices", self.skin_vertices, 4, "at least 4"),
            ("tongue_vertices", self.tongue_vertices, 4, "at least 4"),
            ("frontal_vertices", self.frontal_vertices, 1, "at least 1"),
            ("skin_shapes", self.skin_shapes, 1, "at least 1"),
            ("tongue_shapes", self.tongue_shapes, 1, "at least 1"),
            ("implicit_emotion_len", self.implicit_emotion_len, 1, "at least 1"),
            ("window", self.window, 1600, "at least 1600, a tenth of a second"),
            ("frames[1]", frames, 1, "at least 1"),
            ("steps", self.steps, 1, "at least 1"),
            ("gru_layers", self.gru_layers, 1, "at least 1"),
            ("gru_width", self.gru_width, 1, "at least 1"),
            ("saccades", self.saccades, 1, "at least 1"),
        ];
        for (name, found, least, expected) in least {
            if found < least {
                return Err(Error::Size { name, found, expected });
            }
        }
        if self.family == Family::Regression && !(800..=self.window - 800).contains(&self.offset) {
            let expected = "at least 800 samples from both ends of the window";
            return Err(Error::Size { name: "offset", found: self.offset, expected });
        }
        Ok(())
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    fs::write(path, bytes).map_err(Error::at(path))
}
