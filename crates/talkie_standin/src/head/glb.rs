//! The head of a character: a binary glTF file whose shapes have the names of ARKit and Audio2Face-3D.

use gltf::{Gltf, Primitive};

use super::{Head, Part, Vector};
use crate::names::{SKIN_POSES, TONGUE_POSES};

/// Why a file is no head.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HeadError {
    /// No glTF.
    #[error("not a binary glTF file: {0}")]
    Glb(#[from] gltf::Error),
    /// Its vertices are outside the file.
    #[error("it has no binary part")]
    NoBinary,
    /// No mesh has the shapes of a part.
    #[error("no mesh has morph targets called {0}, ...")]
    NoShapes(&'static str),
    /// A mesh without readable vertices.
    #[error("mesh {mesh:?}: the positions of {what} cannot be read")]
    Positions {
        /// Which mesh.
        mesh: String,
        /// Of what.
        what: String,
    },
}

impl Head {
    /// Reads a head from a binary glTF file (GLB) in metres. The skin is the primitive with the most vertices among those
    /// with `jawOpen` and `mouthClose`, the tongue that among those with `tongueTipUp`.
    ///
    /// # Errors
    /// A file that is no GLB, one without such shapes, positions that cannot be read.
    pub fn from_glb(bytes: &[u8]) -> Result<Self, HeadError> {
        let Gltf { document, blob } = Gltf::from_slice(bytes)?;
        let blob = blob.ok_or(HeadError::NoBinary)?;
        let part = |poses: &[&'static str], needed: &[&'static str]| {
            let named = document.meshes().filter_map(|mesh| Some((target_names(&mesh)?, mesh)));
            let (names, mesh, primitive) = named
                .filter(|(names, _)| needed.iter().all(|needed| names.iter().any(|name| name == needed)))
                .flat_map(|(names, mesh)| {
                    let of = mesh.clone();
                    mesh.primitives().map(move |primitive| (names.clone(), of.clone(), primitive)).collect::<Vec<_>>()
                })
                .max_by_key(|(_, _, primitive)| vertices(primitive))
                .ok_or(HeadError::NoShapes(needed[0]))?;
            let unreadable =
                |what: &str| HeadError::Positions { mesh: mesh.name().unwrap_or_default().into(), what: what.into() };
            let centimetres = |vector: Vector| vector.map(|value| 100.0 * value);
            let reader = primitive.reader(|_| Some(&blob));
            let neutral: Vec<Vector> =
                reader.read_positions().ok_or_else(|| unreadable("the neutral"))?.map(centimetres).collect();
            let targets: Vec<_> = reader.read_morph_targets().map(|(positions, _, _)| positions).collect();
            let mut targets: Vec<_> = targets.into_iter().map(Some).collect();
            let mut moves = Vec::new();
            for pose in poses {
                let target =
                    names.iter().position(|name| name == pose).and_then(|target| targets.get_mut(target)?.take());
                let moved: Vec<Vector> = target.flatten().into_iter().flatten().map(centimetres).collect();
                if !moved.is_empty() && moved.len() != neutral.len() {
                    return Err(unreadable(pose));
                }
                moves.push(moved);
            }
            if neutral.is_empty() {
                return Err(unreadable("the neutral"));
            }
            Ok(Part::new(neutral, moves))
        };
        Ok(Self {
            skin: part(&SKIN_POSES, &["jawOpen", "mouthClose"])?,
            tongue: part(&TONGUE_POSES, &["tongueTipUp"])?,
        })
    }
}

fn vertices(primitive: &Primitive<'_>) -> usize {
    primitive.get(&gltf::Semantic::Positions).map_or(0, |positions| positions.count())
}

/// Names of a mesh's morph targets in order: `targetNames` in its extras.
fn target_names(mesh: &gltf::Mesh<'_>) -> Option<Vec<String>> {
    let extras: serde_json::Value = serde_json::from_str(mesh.extras().as_ref()?.get()).ok()?;
    let names = extras.get("targetNames")?.as_array()?;
    Some(names.iter().map(|name| name.as_str().unwrap_or_default().to_owned()).collect())
}
