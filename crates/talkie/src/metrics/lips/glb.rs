//! The lips of a GLB file.

use super::{LipMesh, LipMeshError, inner_lips};
use crate::animation::FaceChannel;
use crate::retarget::{match_shape, open_gltf, read_vectors, target_names};

impl LipMesh {
    /// Reads the lips of a head from a binary glTF file (GLB) whose shapes have ARKit names, in any notation, in the
    /// `targetNames` of their mesh. The skin is the primitive with the most vertices among those with a pair of inner
    /// lips. Sparse positions are read, quantised or compressed ones are refused.
    ///
    /// # Errors
    /// A file that is no valid GLB, positions that cannot be read, no names, no `jawOpen`, no lips that it opens.
    pub fn from_glb(bytes: &[u8]) -> Result<Self, LipMeshError> {
        let gltf::Gltf { document, blob } = open_gltf(bytes).map_err(LipMeshError::Glb)?;
        let blob = blob.ok_or_else(|| LipMeshError::Glb("there is no binary part in it".into()))?;
        let named: Vec<_> = document.meshes().filter_map(|mesh| Some((target_names(&mesh)?, mesh))).collect();
        if named.is_empty() {
            return Err(LipMeshError::NoTargetNames);
        }
        let mut opens = false;
        let mut skin: Option<(Vec<[f32; 3]>, Skin<'_>)> = None;
        for (names, mesh) in named {
            let channels: Vec<_> = names.iter().map(|name| match_shape(name).channel()).collect();
            let Some(jaw) = channels.iter().position(|channel| *channel == Some(FaceChannel::JawOpen)) else {
                continue;
            };
            opens = true;
            for primitive in mesh.primitives().filter(|primitive| primitive.morph_targets().len() == names.len()) {
                let candidate = Skin { mesh: mesh.clone(), primitive, channels: channels.clone(), blob: &blob };
                let positions = candidate.positions()?;
                let found = inner_lips(&positions, &candidate.shape(jaw, positions.len())?);
                if found.is_some() && skin.as_ref().is_none_or(|(biggest, _)| positions.len() > biggest.len()) {
                    skin = Some((positions, candidate));
                }
            }
        }
        let (positions, skin) = skin.ok_or(if opens { LipMeshError::NoLipPair } else { LipMeshError::NoJawOpen })?;
        let shapes = skin
            .channels
            .iter()
            .enumerate()
            .filter_map(|(target, channel)| Some((target, (*channel)?)))
            .map(|(target, channel)| Ok((channel, skin.shape(target, positions.len())?)))
            .collect::<Result<Vec<_>, LipMeshError>>()?;
        Self::new(&positions, &shapes)
    }
}

/// A primitive that may be the skin.
struct Skin<'a> {
    mesh: gltf::Mesh<'a>,
    primitive: gltf::Primitive<'a>,
    channels: Vec<Option<FaceChannel>>,
    blob: &'a [u8],
}

impl Skin<'_> {
    fn positions(&self) -> Result<Vec<[f32; 3]>, LipMeshError> {
        let accessor = self.primitive.get(&gltf::Semantic::Positions);
        accessor.and_then(|accessor| self.vectors(accessor)).ok_or_else(|| self.unreadable("POSITION".into()))
    }

    /// Displacements of `count` vertices; a target without any is still.
    fn shape(&self, target: usize, count: usize) -> Result<Vec<[f32; 3]>, LipMeshError> {
        let Some(accessor) = self.primitive.morph_targets().nth(target).and_then(|target| target.positions()) else {
            return Ok(vec![[0.0; 3]; count]);
        };
        self.vectors(accessor)
            .filter(|shape| shape.len() == count)
            .ok_or_else(|| self.unreadable(format!("POSITION of morph target {target}")))
    }

    fn unreadable(&self, what: String) -> LipMeshError {
        let mesh = self.mesh.name().map_or_else(|| self.mesh.index().to_string(), str::to_owned);
        LipMeshError::Positions { mesh, primitive: self.primitive.index(), what }
    }

    fn vectors(&self, accessor: gltf::Accessor<'_>) -> Option<Vec<[f32; 3]>> {
        read_vectors(&accessor, self.blob)
    }
}
