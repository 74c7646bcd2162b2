//! Finding the shapes and joints of a character.

use bevy_asset::{AssetServer, Assets, Handle, LoadState};
use bevy_ecs::{
    entity::Entity,
    hierarchy::{ChildOf, Children},
    lifecycle::Remove,
    name::Name,
    observer::On,
    query::With,
    system::{Commands, Query, Res, SystemParam},
};
use bevy_math::Quat;
use bevy_mesh::{Mesh, morph::MorphWeights, skinning::SkinnedMesh};
use bevy_transform::components::Transform;
use bevy_world_serialization::{WorldAssetRoot, WorldInstanceReady};
use talkie::{
    animation::FaceChannel,
    retarget::{self, BoundJoint, BoundShape, Joint, match_shape},
};

use super::{BindingReport, FaceBound, FaceRig, JointDrive, ShapeNode, Unbound};
use crate::face::TalkingFace;

/// A scene was spawned or spawned anew: the face above it (or on it) is bound to what is there now.
pub(super) fn scene_ready(
    ready: On<WorldInstanceReady>,
    faces: Query<(), With<TalkingFace>>,
    parents: Query<&ChildOf>,
    mut commands: Commands,
) {
    let face = core::iter::once(ready.entity).chain(parents.iter_ancestors(ready.entity)).find(|e| faces.contains(*e));
    if let Some(face) = face {
        commands.entity(face).insert(Unbound { scene_ready: true });
    }
}

/// A rig that was taken away is made anew.
pub(super) fn rig_removed(removed: On<Remove, FaceRig>, faces: Query<(), With<TalkingFace>>, mut commands: Commands) {
    if faces.contains(removed.entity) {
        // The face itself may be on its way out.
        commands.entity(removed.entity).try_insert(Unbound { scene_ready: true });
    }
}

/// What is below a face.
#[derive(SystemParam)]
pub(super) struct Character<'w, 's> {
    children: Query<'w, 's, &'static Children>,
    parents: Query<'w, 's, &'static ChildOf>,
    faces: Query<'w, 's, (), With<TalkingFace>>,
    names: Query<'w, 's, &'static Name>,
    morphs: Query<'w, 's, &'static MorphWeights>,
    skins: Query<'w, 's, &'static SkinnedMesh>,
    transforms: Query<'w, 's, &'static Transform>,
    meshes: Option<Res<'w, Assets<Mesh>>>,
}

pub(super) fn bind(
    mut commands: Commands,
    unbound: Query<(Entity, &Unbound, Option<&WorldAssetRoot>)>,
    character: Character,
    server: Option<Res<AssetServer>>,
) {
    for (face, state, scene) in &unbound {
        let failed = scene.zip(server.as_ref()).and_then(|(scene, server)| match server.load_state(&scene.0) {
            LoadState::Failed(error) => Some(error.to_string()),
            _ => None,
        });
        let (rig, mut report) = character.bind(face);
        let found = !rig.shapes.is_empty() || !rig.joints.is_empty();
        if let Some(error) = &failed {
            report.problems.push(format!("the scene cannot be loaded: {error}"));
        }
        if !found && !state.scene_ready && failed.is_none() {
            continue;
        }
        let name = character.names.get(face).map(|name| format!(" ({name})")).unwrap_or_default();
        if failed.is_some() || !report.can_speak() || !report.problems.is_empty() {
            bevy_log::warn!("face {face}{name}: {report}");
        } else {
            bevy_log::info!("face {face}{name}: {report}");
        }
        commands.entity(face).remove::<Unbound>().insert((rig, BindingReport(report)));
        commands.trigger(FaceBound { entity: face });
    }
}

impl Character<'_, '_> {
    fn bind(&self, face: Entity) -> (FaceRig, retarget::BindingReport) {
        let nodes = self.nodes(face);
        let mut report = retarget::BindingReport::default();
        let mut rig = FaceRig::default();
        for &node in &nodes {
            if let Ok(weights) = self.morphs.get(node) {
                let targets = self.bind_shapes(node, weights, &mut report);
                if !targets.is_empty() {
                    rig.shapes.push(ShapeNode { node, targets });
                }
            }
        }
        self.bind_joints(face, &nodes, &mut rig, &mut report);
        let driven = |joint: Joint| rig.joints.iter().any(|drive| drive.joint == joint);
        report.missing = FaceChannel::ALL
            .into_iter()
            .filter(|channel| !channel.is_tongue_shape())
            .filter(|channel| !report.shapes.iter().any(|bound| bound.channel == *channel))
            .filter(|channel| !replacing_joint(*channel).is_some_and(driven))
            .collect();
        if self.meshes.is_none() {
            report.problems.push("there is no mesh store: add Bevy's `MeshPlugin`".into());
        } else if report.shapes.is_empty() && rig.joints.is_empty() {
            report.problems.push("no morph targets with known names and no face joints below this entity".into());
        }
        (rig, report)
    }

    /// Everything below the face, itself included, down to the next face.
    fn nodes(&self, face: Entity) -> Vec<Entity> {
        let mut nodes = vec![face];
        let mut next = 0;
        while let Some(&node) = nodes.get(next) {
            next += 1;
            if let Ok(children) = self.children.get(node) {
                nodes.extend(children.iter().copied().filter(|child| !self.faces.contains(*child)));
            }
        }
        nodes
    }

    fn label(&self, node: Entity) -> String {
        self.names.get(node).map_or_else(|_| node.to_string(), |name| name.to_string())
    }

    fn bind_shapes(
        &self,
        node: Entity,
        weights: &MorphWeights,
        report: &mut retarget::BindingReport,
    ) -> Vec<(u16, u8)> {
        let label = self.label(node);
        let mesh = weights.first_mesh().and_then(|handle: &Handle<Mesh>| self.meshes.as_ref()?.get(handle));
        let Some(mesh) = mesh else {
            report.problems.push(format!("mesh of `{label}` is not loaded"));
            return Vec::new();
        };
        let names = match mesh.try_morph_target_names() {
            Ok(Some(names)) => names,
            Ok(None) => {
                let count = weights.weights().len();
                report
                    .problems
                    .push(format!("the {count} shapes of `{label}` have no names (mesh extras `targetNames`)"));
                return Vec::new();
            }
            Err(_) => {
                report.problems.push(format!(
                    "the names of the shapes of `{label}` are not in main memory: load its meshes with \
                     RenderAssetUsages::MAIN_WORLD as well"
                ));
                return Vec::new();
            }
        };
        if let Ok(displacements) = mesh.try_morph_targets()
            && mesh.count_vertices() > 0
            && displacements.len() % mesh.count_vertices() != 0
        {
            report.problems.push(format!(
                "the shapes of `{label}` do not fit its vertices (a file without normals?): it would tear"
            ));
            return Vec::new();
        }
        let count = weights.weights().len();
        if names.len() != count {
            let named = names.len();
            report
                .problems
                .push(format!("`{label}` has {count} shapes but {named} names: only the common part is used"));
        }
        let mut targets = Vec::new();
        for (index, name) in names.iter().take(count).enumerate() {
            match match_shape(name).channel() {
                Some(channel) => {
                    if report.shapes.iter().any(|bound| bound.channel == channel && bound.mesh == label) {
                        report.problems.push(format!("`{label}` has two shapes for {channel}: `{name}` is driven too"));
                    }
                    targets.push((index as u16, channel.index() as u8));
                    report.shapes.push(BoundShape { channel, mesh: label.clone(), shape: name.clone() });
                }
                None => report.unknown.push((label.clone(), name.clone())),
            }
        }
        targets
    }

    fn bind_joints(&self, face: Entity, nodes: &[Entity], rig: &mut FaceRig, report: &mut retarget::BindingReport) {
        let skinned: Vec<Entity> = nodes
            .iter()
            .filter_map(|node| self.skins.get(*node).ok())
            .flat_map(|skin| skin.joints.iter().copied())
            .collect();
        let bound = |channel: FaceChannel| report.shapes.iter().any(|shape| shape.channel == channel);
        let mut found = Vec::new();
        for joint in Joint::ALL {
            // A node that bends a skin is better than a better name; among equals the first in the tree wins.
            let best = nodes
                .iter()
                .filter(|&&node| node != face && self.transforms.contains(node))
                .filter_map(|&node| {
                    let (named, rank) = Joint::from_name(self.names.get(node).ok()?.as_str())?;
                    (named == joint).then_some((!skinned.contains(&node), rank, node))
                })
                .min_by_key(|(loose, rank, _)| (*loose, *rank));
            let Some((_, _, entity)) = best else { continue };
            let shapes_do_it = |channels: &[FaceChannel]| channels.iter().all(|channel| bound(*channel));
            let idle = match joint {
                Joint::Jaw => bound(FaceChannel::JawOpen).then_some("the shape jawOpen moves the jaw"),
                Joint::LeftEye => shapes_do_it(&LEFT_LOOK).then_some("the eyeLook shapes move the eye"),
                Joint::RightEye => shapes_do_it(&RIGHT_LOOK).then_some("the eyeLook shapes move the eye"),
                _ => None,
            };
            found.push((BoundJoint { joint, node: self.label(entity), idle }, entity));
        }
        for (joint, entity) in found {
            if joint.idle.is_none()
                && let Ok(transform) = self.transforms.get(entity)
            {
                rig.joints.push(JointDrive {
                    entity,
                    joint: joint.joint,
                    orientation: self.orientation(face, entity),
                    base: transform.rotation,
                    written: None,
                });
            }
            report.joints.push(joint);
        }
    }

    /// Rotation of a node within the character.
    fn orientation(&self, face: Entity, node: Entity) -> Quat {
        core::iter::once(node)
            .chain(self.parents.iter_ancestors(node))
            .take_while(|ancestor| *ancestor != face)
            .filter_map(|ancestor| self.transforms.get(ancestor).ok())
            .fold(Quat::IDENTITY, |below, transform| transform.rotation * below)
    }
}

const LEFT_LOOK: [FaceChannel; 4] =
    [FaceChannel::EyeLookInLeft, FaceChannel::EyeLookOutLeft, FaceChannel::EyeLookUpLeft, FaceChannel::EyeLookDownLeft];
const RIGHT_LOOK: [FaceChannel; 4] = [
    FaceChannel::EyeLookInRight,
    FaceChannel::EyeLookOutRight,
    FaceChannel::EyeLookUpRight,
    FaceChannel::EyeLookDownRight,
];

/// The joint that can stand in for a shape.
fn replacing_joint(channel: FaceChannel) -> Option<Joint> {
    match channel {
        FaceChannel::JawOpen => Some(Joint::Jaw),
        channel if LEFT_LOOK.contains(&channel) => Some(Joint::LeftEye),
        channel if RIGHT_LOOK.contains(&channel) => Some(Joint::RightEye),
        _ => None,
    }
}
