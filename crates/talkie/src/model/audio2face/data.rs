//! `model_data.npz` and `implicit_emo_db.npz`: shapes, and the emotions that actors were recorded with.

use std::{path::Path, sync::Arc};

use super::{
    arrays::{Arrays, Floats, Length},
    info::{DiffusionInfo, RegressionInfo},
};
use crate::{
    animation::geometry::{GeometryError, PcaBasis, SkinShape},
    model::BundleError,
};

/// Arrays of one identity, in units of the model (about a centimetre), y up, z forward.
#[derive(Debug, Clone, PartialEq)]
pub struct GeometryData {
    /// The skin at rest, and what opens its lips and closes its lids.
    pub skin: Arc<SkinShape>,
    /// The tongue at rest, three values for each vertex.
    pub tongue_neutral: Arc<[f32]>,
    /// Points of the lower jaw at rest, three values for each.
    pub jaw_neutral: Vec<f32>,
    /// Small movements of the eyes, x and y for each thirtieth of a second, in degrees.
    pub saccades: Arc<[f32]>,
    /// What a regression network's result weighs, for skin and tongue; a diffusion network gives vertices.
    pub bases: Option<[Arc<PcaBasis>; 2]>,
}

impl GeometryData {
    /// Reads `model_data.npz` of a regression bundle; `path` is only for messages.
    ///
    /// # Errors
    /// [`BundleError`], naming the array.
    pub fn regression(bytes: Vec<u8>, path: &Path, info: &RegressionInfo) -> Result<Self, BundleError> {
        let mut arrays = Arrays::open(path, bytes)?;
        let mut basis = |name: &str, shapes: usize, vertices: usize| -> Result<Arc<PcaBasis>, BundleError> {
            let shape = [Length::Is(shapes), Length::Is(vertices), Length::Is(3)];
            let values = arrays.floats(name, &shape)?.values;
            PcaBasis::new(values, shapes).map(Arc::new).map_err(|error| unusable(&arrays, name, &error))
        };
        let skin = basis("shapes_matrix_skin", info.skin_shapes, info.skin_vertices)?;
        let tongue = basis("shapes_matrix_tongue", info.tongue_shapes, info.tongue_vertices)?;
        let names = ["shapes_mean_skin", "shapes_mean_tongue"];
        let poses = Self::poses(&mut arrays, names, info.skin_vertices, info.tongue_vertices, info.jaw_size / 3)?;
        Ok(Self { bases: Some([skin, tongue]), ..poses })
    }

    /// Reads `model_data_NAME.npz` of one identity of a diffusion bundle; `path` is only for messages.
    ///
    /// # Errors
    /// [`BundleError`], naming the array.
    pub fn diffusion(bytes: Vec<u8>, path: &Path, info: &DiffusionInfo) -> Result<Self, BundleError> {
        let mut arrays = Arrays::open(path, bytes)?;
        let names = ["neutral_skin", "neutral_tongue"];
        Self::poses(&mut arrays, names, info.skin_size / 3, info.tongue_size / 3, info.jaw_size / 3)
    }

    fn poses(
        arrays: &mut Arrays,
        [skin, tongue]: [&str; 2],
        skin_vertices: usize,
        tongue_vertices: usize,
        jaw_points: usize,
    ) -> Result<Self, BundleError> {
        let mut pose = |name: &str, vertices: usize| -> Result<Vec<f32>, BundleError> {
            Ok(arrays.floats(name, &[Length::Is(vertices), Length::Is(3)])?.values)
        };
        let neutral = pose(skin, skin_vertices)?;
        let lip_open = pose("lip_open_pose_delta", skin_vertices)?;
        let eye_close = pose("eye_close_pose_delta", skin_vertices)?;
        let tongue_neutral = pose(tongue, tongue_vertices)?.into();
        let jaw_neutral = pose("neutral_jaw", jaw_points)?;
        let saccades = arrays.floats("saccade_rot_matrix", &[Length::Any, Length::Is(2)])?.values.into();
        let shape = SkinShape::new(neutral, lip_open, eye_close).map_err(|error| unusable(arrays, skin, &error))?;
        Ok(Self { skin: Arc::new(shape), tongue_neutral, jaw_neutral, saccades, bases: None })
    }
}

fn unusable(arrays: &Arrays, name: &str, error: &GeometryError) -> BundleError {
    arrays.wrong(name, format!("unusable ({error})"), "a shape that can be animated".into())
}

/// Emotions that actors were recorded with, as vectors only the network understands.
#[derive(Debug, Clone, PartialEq)]
pub struct EmotionDatabase {
    shots: Vec<Shot>,
    rows: Floats,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Shot {
    name: String,
    start: usize,
    frames: usize,
}

impl EmotionDatabase {
    /// Reads `implicit_emo_db.npz` with rows of `length` values; `path` is only for messages.
    ///
    /// # Errors
    /// [`BundleError`], naming the array.
    pub fn parse(bytes: Vec<u8>, path: &Path, length: usize) -> Result<Self, BundleError> {
        let mut arrays = Arrays::open(path, bytes)?;
        let names = arrays.strings("emo_spec_names")?;
        let mut numbers = |name: &str| -> Result<Vec<usize>, BundleError> {
            let numbers = arrays.integers(name)?;
            if numbers.len() != names.len() {
                let expected = format!("{}, one for each of emo_spec_names", names.len());
                return Err(arrays.wrong(name, format!("{} numbers", numbers.len()), expected));
            }
            let negative = numbers.iter().find(|number| **number < 0).copied();
            match negative {
                Some(number) => Err(arrays.wrong(name, number.to_string(), "no negative numbers".into())),
                None => Ok(numbers.into_iter().map(|number| number as usize).collect()),
            }
        };
        let (starts, sizes) = (numbers("emo_spec_start")?, numbers("emo_spec_size")?);
        let rows = arrays.floats("emo_db", &[Length::Any, Length::Is(length)])?;
        let shots: Vec<Shot> = names
            .into_iter()
            .zip(starts.into_iter().zip(sizes))
            .map(|(name, (start, frames))| Shot { name, start, frames })
            .collect();
        match shots.iter().find(|shot| shot.start + shot.frames > rows.shape[0]) {
            Some(Shot { name, start, frames }) => {
                let found = format!("{} rows, but shot {name:?} ends at {}", rows.shape[0], start + frames);
                Err(arrays.wrong("emo_db", found, "all rows of every shot".into()))
            }
            None => Ok(Self { shots, rows }),
        }
    }

    /// The emotion of a frame of a shot, or what there is instead.
    ///
    /// # Errors
    /// What was expected, as text: a shot that exists, a frame that it has.
    pub fn emotion(&self, shot: &str, frame: usize) -> Result<&[f32], String> {
        let Some(found) = self.shots.iter().find(|known| known.name == shot) else {
            let names: Vec<&str> = self.shots.iter().map(|shot| shot.name.as_str()).take(8).collect();
            return Err(format!("one of the {} shots of the emotion database, such as {names:?}", self.shots.len()));
        };
        if frame >= found.frames {
            return Err(format!("a frame below {}, as many as the shot {shot:?} has", found.frames));
        }
        let width = self.rows.shape[1];
        Ok(&self.rows.values[(found.start + frame) * width..][..width])
    }
}
