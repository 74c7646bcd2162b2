//! Showing the mesh that an official network speaks of, instead of a character's own.

use bevy_asset::{Assets, Handle};
use bevy_ecs::{
    component::Component,
    entity::Entity,
    system::{Query, ResMut},
};
use bevy_mesh::{Mesh, VertexAttributeValues};

use crate::voice::Voice;

/// Meshes with the topology of an official bundle, on the entity of a [`TalkingFace`](crate::face::TalkingFace): while a network of
/// Audio2Face-3D speaks, their positions are those it says, at the frame rate it is asked for and interpolated between.
///
/// Every vertex of the bundle is a vertex of the mesh, in its order; the bundle itself has no triangles. It costs much more than
/// the weights of a character do: every vertex is computed, some 13 ms for each pose of an official face, and copied in every frame.
/// Normals are left as they are. What is set when a line begins holds for the line.
#[derive(Component, Debug, Clone)]
pub struct BundleMeshes {
    /// The skin.
    pub skin: Handle<Mesh>,
    /// The tongue.
    pub tongue: Option<Handle<Mesh>>,
    /// Metres in a unit of the bundle. Default 0.01: its units are about centimetres.
    pub scale: f32,
    /// Whether it was told that a mesh does not fit.
    told: bool,
}

impl BundleMeshes {
    /// A skin, in metres.
    pub fn new(skin: Handle<Mesh>) -> Self {
        Self { skin, tongue: None, scale: 0.01, told: false }
    }

    /// With a tongue.
    #[must_use]
    pub fn with_tongue(self, tongue: Handle<Mesh>) -> Self {
        Self { tongue: Some(tongue), ..self }
    }
}

/// Copies what is heard now to the meshes.
pub(super) fn write(mut faces: Query<(Entity, &Voice, &mut BundleMeshes)>, meshes: Option<ResMut<Assets<Mesh>>>) {
    let Some(mut meshes) = meshes else { return };
    for (entity, voice, mut shown) in &mut faces {
        let Some((before, after, share)) = voice.geometry() else { continue };
        let parts =
            [(Some(&shown.skin), &before.skin, &after.skin), (shown.tongue.as_ref(), &before.tongue, &after.tongue)];
        let mut refused = None;
        for (handle, before, after) in parts {
            let Some(mut mesh) = handle.and_then(|handle| meshes.get_mut(handle)) else { continue };
            match mesh.try_attribute_mut(Mesh::ATTRIBUTE_POSITION) {
                Ok(VertexAttributeValues::Float32x3(positions)) if 3 * positions.len() == before.len() => {
                    let values = before.chunks_exact(3).zip(after.chunks_exact(3));
                    for (position, (before, after)) in positions.iter_mut().zip(values) {
                        for axis in 0..3 {
                            position[axis] = (before[axis] + (after[axis] - before[axis]) * share) * shown.scale;
                        }
                    }
                }
                Ok(positions) => {
                    refused = Some(format!("it has {} vertices; expected {}", positions.len(), before.len() / 3));
                }
                Err(error) => refused = Some(error.to_string()),
            }
        }
        if let Some(reason) = refused
            && !shown.told
        {
            bevy_log::warn!("talkie: a mesh of {entity} cannot show what its bundle says: {reason}");
            shown.told = true;
        }
    }
}
