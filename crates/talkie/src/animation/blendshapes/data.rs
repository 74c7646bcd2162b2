//! The shapes of a mesh.

use super::error::{BlendshapeError, all_finite};

/// The blendshapes of one part of a face, as `bs_skin.npz` and `bs_tongue.npz` of an official bundle hold them: a neutral
/// mesh and how far each pose moves every vertex of it.
///
/// Vertices are three numbers each, x y z x y z ..., in the unit of the bundle (about a centimetre), y up. It does not
/// change; all speakers with this face share it.
#[derive(Debug, Clone, PartialEq)]
pub struct BlendshapeData {
    neutral: Vec<f32>,
    deltas: Vec<f32>,
    mask: Option<Vec<u32>>,
    pose_names: Vec<String>,
}

impl BlendshapeData {
    /// Takes the `neutral` mesh, the displacements `deltas` of all vertices by one pose after the other, the vertices that
    /// the solve looks at (`mask`, in any order; one named twice counts twice; all if there is no mask), and the name of
    /// each pose, without the neutral one.
    ///
    /// # Errors
    /// [`BlendshapeError::Length`], [`BlendshapeError::NotFinite`], [`BlendshapeError::MaskVertex`] or
    /// [`BlendshapeError::PoseName`].
    pub fn new(
        neutral: Vec<f32>,
        deltas: Vec<f32>,
        mask: Option<Vec<u32>>,
        pose_names: Vec<String>,
    ) -> Result<Self, BlendshapeError> {
        let wrong = |what, found, expected: String| Err(BlendshapeError::Length { what, found, expected });
        if neutral.is_empty() || !neutral.len().is_multiple_of(3) {
            return wrong("the neutral mesh", neutral.len(), "three for each vertex, and at least one vertex".into());
        }
        if pose_names.is_empty() {
            return wrong("the list of poses", 0, "at least one name".into());
        }
        if neutral.len().checked_mul(pose_names.len()) != Some(deltas.len()) {
            let expected = format!("{} for each of {} poses", neutral.len(), pose_names.len());
            return wrong("the deltas", deltas.len(), expected);
        }
        if mask.as_ref().is_some_and(Vec::is_empty) {
            return wrong("the mask", 0, "at least one vertex, or no mask".into());
        }
        let vertices = neutral.len() / 3;
        let outside = |vertex: &u32| *vertex as usize >= vertices;
        if let Some(place) = mask.iter().flatten().position(outside) {
            let vertex = mask.iter().flatten().nth(place).copied().unwrap_or_default();
            return Err(BlendshapeError::MaskVertex { place, vertex, vertices });
        }
        let is_repeated = |(index, name): &(usize, &String)| pose_names[..*index].contains(name);
        if let Some((_, name)) = pose_names.iter().enumerate().find(is_repeated) {
            return Err(BlendshapeError::PoseName(name.clone()));
        }
        all_finite("the neutral mesh", &neutral)?;
        all_finite("the deltas", &deltas)?;
        Ok(Self { neutral, deltas, mask, pose_names })
    }

    /// The mesh at rest.
    pub fn neutral(&self) -> &[f32] {
        &self.neutral
    }

    /// How far a pose moves the vertices, or nothing if there is no such pose.
    pub fn delta(&self, pose: usize) -> Option<&[f32]> {
        self.deltas.chunks_exact(self.neutral.len()).nth(pose)
    }

    /// The vertices that the solve looks at, unless it looks at all.
    pub fn mask(&self) -> Option<&[u32]> {
        self.mask.as_deref()
    }

    /// Names of the poses, in the order of the weights.
    pub fn pose_names(&self) -> &[String] {
        &self.pose_names
    }

    /// Where in the weights the pose of this name is.
    pub fn pose_index(&self, name: &str) -> Option<usize> {
        self.pose_names.iter().position(|pose| pose == name)
    }

    /// Number of poses.
    pub fn pose_count(&self) -> usize {
        self.pose_names.len()
    }

    /// The mesh that these weights, one for each pose, give: `neutral + deltas · weights`, over all vertices and all poses,
    /// whether masked or active or not.
    ///
    /// # Errors
    /// [`BlendshapeError::Length`].
    pub fn evaluate_pose(&self, weights: &[f32], vertices: &mut [f32]) -> Result<(), BlendshapeError> {
        expect_length("the weights", weights.len(), self.pose_count())?;
        expect_length("the vertices", vertices.len(), self.neutral.len())?;
        // The displacements first: added to the large numbers of the neutral mesh one by one, each would be rounded.
        vertices.fill(0.0);
        for (weight, delta) in weights.iter().zip(self.deltas.chunks_exact(self.neutral.len())) {
            if *weight != 0.0 {
                vertices.iter_mut().zip(delta).for_each(|(vertex, delta)| *vertex += weight * delta);
            }
        }
        vertices.iter_mut().zip(&self.neutral).for_each(|(vertex, neutral)| *vertex += neutral);
        Ok(())
    }

    /// Length of the diagonal of the box around the whole neutral mesh.
    pub(super) fn diagonal(&self) -> f64 {
        let extent = |axis: usize| {
            let along = self.neutral.iter().skip(axis).step_by(3).map(|value| f64::from(*value));
            let (low, high) =
                along.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), at| (low.min(at), high.max(at)));
            high - low
        };
        [0, 1, 2].map(|axis| extent(axis).powi(2)).iter().sum::<f64>().sqrt()
    }

    /// Picks the coordinates that the solve looks at.
    pub(super) fn masked<'a>(&'a self, vertices: &'a [f32]) -> impl Iterator<Item = f32> + 'a {
        let all = if self.mask.is_none() { vertices } else { &[] };
        let chosen = self.mask.iter().flatten().flat_map(|vertex| {
            let first = 3 * *vertex as usize;
            &vertices[first..first + 3]
        });
        all.iter().chain(chosen).copied()
    }

    /// How many coordinates [`masked`](Self::masked) picks.
    pub(super) fn row_count(&self) -> usize {
        self.mask.as_ref().map_or(self.neutral.len(), |mask| 3 * mask.len())
    }
}

pub(super) fn expect_length(what: &'static str, found: usize, expected: usize) -> Result<(), BlendshapeError> {
    if found == expected {
        Ok(())
    } else {
        Err(BlendshapeError::Length { what, found, expected: expected.to_string() })
    }
}
