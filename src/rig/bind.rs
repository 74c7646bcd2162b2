//! Finding the shapes and joints of a character.

use std::sync::Arc;

use bevy_asset::{AssetEvent, AssetId, AssetServer, Assets, Handle, LoadState};
use bevy_ecs::{
    change_detection::DetectChanges,
    entity::Entity,
    hierarchy::{ChildOf, Children},
    lifecycle::Remove,
    message::{MessageCursor, MessageReader, Messages},
    name::Name,
    observer::On,
    query::With,
    system::{Commands, Local, Query, Res, SystemParam},
    world::Ref,
};
use bevy_mesh::{Mesh, morph::MorphWeights, skinning::SkinnedMesh};
use bevy_transform::components::Transform;
use bevy_world_serialization::{WorldAssetRoot, WorldInstanceReady};
use talkie::retarget::{self, Binding, FindingKind, Rig, RigNode};

use super::{
    BindingReport, FaceBound, FaceRig, RigProfile, RigProfiles, Unbound,
    authority::Shares,
    profile::Profiles,
    write::{DrivenJoint, DrivenShapes, Shape},
};
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

/// A rig that was taken away drives nothing any more, and is made anew.
pub(super) fn rig_removed(
    removed: On<Remove, FaceRig>,
    rigs: Query<&FaceRig>,
    faces: Query<(), With<TalkingFace>>,
    mut commands: Commands,
) {
    if let Ok(rig) = rigs.get(removed.entity) {
        let_go(rig, &mut commands);
    }
    if faces.contains(removed.entity) {
        // The face itself may be on its way out.
        commands.entity(removed.entity).try_insert(Unbound { scene_ready: true });
    }
}

/// What a rig drives is driven no longer: its indices are those of its binding.
fn let_go(rig: &FaceRig, commands: &mut Commands) {
    for node in &rig.nodes {
        commands.entity(*node).try_remove::<DrivenShapes>();
    }
    for joint in &rig.joints {
        commands.entity(*joint).try_remove::<DrivenJoint>();
    }
}

/// What is driven no longer rests before a face is bound anew.
pub(super) fn release(
    faces: Query<&FaceRig, With<Unbound>>,
    mut nodes: Query<(&mut MorphWeights, &DrivenShapes)>,
    mut joints: Query<(&mut Transform, &DrivenJoint)>,
) {
    for rig in &faces {
        for node in &rig.nodes {
            let Ok((mut weights, driven)) = nodes.get_mut(*node) else { continue };
            driven.release(&mut weights);
        }
        for joint in &rig.joints {
            let Ok((mut transform, driven)) = joints.get_mut(*joint) else { continue };
            driven.release(&mut transform);
        }
    }
}

/// What is below a face.
#[derive(SystemParam)]
pub(super) struct Character<'w, 's> {
    children: Query<'w, 's, &'static Children>,
    faces: Query<'w, 's, (), With<TalkingFace>>,
    names: Query<'w, 's, &'static Name>,
    morphs: Query<'w, 's, &'static MorphWeights>,
    skins: Query<'w, 's, &'static SkinnedMesh>,
    transforms: Query<'w, 's, &'static Transform>,
    meshes: Option<Res<'w, Assets<Mesh>>>,
    #[cfg(feature = "vrm")]
    avatars: Query<'w, 's, &'static super::vrm::VrmExtension>,
    #[cfg(feature = "vrm")]
    avatar_nodes: Query<'w, 's, &'static super::vrm::VrmNode>,
}

/// A face that is to be bound, and how it was before.
type Face = (
    Entity,
    &'static Unbound,
    &'static TalkingFace,
    Option<&'static WorldAssetRoot>,
    Option<&'static BindingReport>,
    Option<&'static FaceRig>,
);

pub(super) fn bind(
    mut commands: Commands,
    unbound: Query<Face>,
    character: Character,
    profiles: Profiles,
    server: Option<Res<AssetServer>>,
    mut bound: Local<BoundBefore>,
    changes: Changes,
) {
    bound.update(&changes);
    for (face, state, talking, scene, before, old) in &unbound {
        let failed = scene.zip(server.as_ref()).and_then(|(scene, server)| match server.load_state(&scene.0) {
            LoadState::Failed(error) => Some(error.to_string()),
            _ => None,
        });
        let nodes = character.nodes(face);
        if nodes.is_empty() && !state.scene_ready && failed.is_none() {
            // Its scene is on its way.
            continue;
        }
        let Some((profiles, refused)) = profiles.of(talking) else { continue };
        let (rig, entities) = character.rig(&nodes);
        let (binding, shapes, mut report) = {
            let meshes = character.meshes_of(&entities);
            bound.get_or_bind(&rig, meshes, talking.profile.as_ref().map(Handle::id), &profiles)
        };
        for problem in failed.iter().map(|error| format!("the scene cannot be loaded: {error}")).chain(refused) {
            report.find(FindingKind::Broken, problem, "");
        }
        let found = !binding.shapes().is_empty() || !binding.joints().is_empty();
        if !found && !state.scene_ready && failed.is_none() {
            continue;
        }
        let name = character.names.get(face).map(|name| format!(" ({name})")).unwrap_or_default();
        // A change of numbers in a profile is no news.
        if before.is_some_and(|before| before.0 == report) {
            bevy_log::debug!("face {face}{name}: bound anew");
        } else if !report.can_speak() || report.is_broken() {
            bevy_log::warn!("face {face}{name}: {report}");
        } else {
            bevy_log::info!("face {face}{name}: {report}");
        }
        if let Some(old) = old {
            let_go(old, &mut commands);
        }
        let nodes_of_shapes: Vec<Entity> =
            binding.shapes().iter().filter_map(|drive| entities.get(drive.mesh).copied()).collect();
        for (drive, (node, shapes)) in nodes_of_shapes.iter().zip(&*shapes).enumerate() {
            commands.entity(*node).try_insert(DrivenShapes::new(face, drive, shapes.clone()));
        }
        let joints: Vec<Entity> =
            binding.joints().iter().filter_map(|drive| nodes.get(drive.node).map(|(entity, _)| *entity)).collect();
        for (drive, joint) in joints.iter().enumerate() {
            if let Ok(rest) = character.transforms.get(*joint) {
                commands.entity(*joint).try_insert(DrivenJoint::new(face, drive, rest));
            }
        }
        let rig = FaceRig {
            moved: true,
            shares: Shares::default(),
            nodes: nodes_of_shapes,
            joints,
            profile: talking.profile.as_ref().map(Handle::id),
            binding,
        };
        commands.entity(face).remove::<Unbound>().insert((rig, BindingReport(report)));
        commands.trigger(FaceBound { entity: face });
    }
}

/// Characters that were bound before: whoever is equal shares what was found.
#[derive(Default)]
pub(super) struct BoundBefore {
    bound: Vec<Bound>,
    meshes: MessageCursor<AssetEvent<Mesh>>,
    profiles: MessageCursor<AssetEvent<RigProfile>>,
}

/// A character and all that its binding depends on. The shapes of a mesh stay as they are unless it is told.
struct Bound {
    profile: Option<AssetId<RigProfile>>,
    meshes: Vec<AssetId<Mesh>>,
    shapes: Vec<(String, Vec<String>)>,
    nodes: Vec<RigNode>,
    vrm: Option<retarget::Vrm>,
    problems: Vec<String>,
    binding: Binding,
    moved: Arc<[Arc<[Shape]>]>,
    report: retarget::BindingReport,
}

/// What tells that meshes and profiles are others now.
#[derive(SystemParam)]
pub(super) struct Changes<'w> {
    meshes: Option<Res<'w, Messages<AssetEvent<Mesh>>>>,
    profiles: Option<Res<'w, Messages<AssetEvent<RigProfile>>>>,
    listed: Option<Res<'w, RigProfiles>>,
}

impl BoundBefore {
    /// Different characters that are remembered.
    const MOST: usize = 64;

    /// Forgets what may be another one now.
    fn update(&mut self, changes: &Changes) {
        if let Some(meshes) = &changes.meshes {
            for event in self.meshes.read(meshes) {
                if let AssetEvent::Modified { id } | AssetEvent::Removed { id } = event {
                    self.bound.retain(|known| !known.meshes.contains(id));
                }
            }
        }
        let told = changes.profiles.as_ref().is_some_and(|profiles| self.profiles.read(profiles).count() > 0);
        if told || changes.listed.as_ref().is_some_and(DetectChanges::is_changed) {
            self.bound.clear();
        }
    }

    fn get_or_bind(
        &mut self,
        rig: &Rig<'_>,
        meshes: Vec<AssetId<Mesh>>,
        profile: Option<AssetId<RigProfile>>,
        profiles: &[&retarget::RigProfile],
    ) -> (Binding, Arc<[Arc<[Shape]>]>, retarget::BindingReport) {
        let is_it = |known: &&Bound| {
            let shapes = rig.meshes.iter().map(|mesh| (&mesh.name, &mesh.shapes));
            known.profile == profile
                && known.meshes == meshes
                && known.nodes == rig.nodes
                && known.vrm == rig.vrm
                && known.problems == rig.problems
                && known.shapes.iter().map(|(name, shapes)| (name, shapes)).eq(shapes)
        };
        if let Some(known) = self.bound.iter().find(is_it) {
            return (known.binding.clone(), known.moved.clone(), known.report.clone());
        }
        let (binding, report) = retarget::bind(rig, profiles);
        let moved: Arc<[Arc<[Shape]>]> = binding.shapes().iter().map(|drive| shapes_of(drive, &binding)).collect();
        if self.bound.len() == Self::MOST {
            self.bound.remove(0);
        }
        self.bound.push(Bound {
            profile,
            meshes,
            shapes: rig.meshes.iter().map(|mesh| (mesh.name.clone(), mesh.shapes.clone())).collect(),
            nodes: rig.nodes.clone(),
            vrm: rig.vrm.clone(),
            problems: rig.problems.clone(),
            binding: binding.clone(),
            moved: moved.clone(),
            report: report.clone(),
        });
        (binding, moved, report)
    }
}

/// The morph targets of a node that are moved.
fn shapes_of(drive: &retarget::ShapeDrive, binding: &Binding) -> Arc<[Shape]> {
    let shape = |targets: core::ops::Range<usize>| {
        let first = drive.targets.get(targets.start)?;
        Some(Shape { index: usize::from(first.shape), region: binding.region(first) })
    };
    drive.shapes().filter_map(shape).collect()
}

impl Character<'_, '_> {
    /// Everything below the face, parents before their children, down to the next face, and which of them is above each.
    fn nodes(&self, face: Entity) -> Vec<(Entity, Option<usize>)> {
        let below = |above: Entity| self.children.get(above).into_iter().flatten().copied();
        let is_other = |child: &Entity| !self.faces.contains(*child);
        let mut nodes: Vec<_> = below(face).filter(is_other).map(|child| (child, None)).collect();
        let mut next = 0;
        while let Some((node, _)) = nodes.get(next).copied() {
            nodes.extend(below(node).filter(is_other).map(|child| (child, Some(next))));
            next += 1;
        }
        // The face itself may have the mesh.
        if self.morphs.contains(face) {
            nodes.push((face, None));
        }
        nodes
    }

    fn meshes_of(&self, entities: &[Entity]) -> Vec<AssetId<Mesh>> {
        let mesh = |entity: &Entity| Some(self.morphs.get(*entity).ok()?.first_mesh()?.id());
        entities.iter().filter_map(mesh).collect()
    }

    fn label(&self, node: Entity) -> String {
        self.names.get(node).map_or_else(|_| node.to_string(), |name| name.to_string())
    }

    /// What these nodes offer, and the entity of every mesh.
    fn rig(&self, nodes: &[(Entity, Option<usize>)]) -> (Rig<'_>, Vec<Entity>) {
        let mut rig = Rig::default();
        let mut entities = Vec::new();
        let mut skinned: Vec<Entity> = nodes
            .iter()
            .filter_map(|(node, _)| self.skins.get(*node).ok())
            .flat_map(|skin| skin.joints.iter().copied())
            .collect();
        skinned.sort_unstable();
        for (node, parent) in nodes {
            // What is not placed is where its parent is.
            let place = self.transforms.get(*node).copied().unwrap_or_default();
            rig.nodes.push(RigNode {
                name: self.label(*node),
                parent: *parent,
                translation: place.translation,
                rotation: place.rotation,
                scale: place.scale,
                bends_skin: skinned.binary_search(node).is_ok(),
                part: None,
            });
            if let Ok(weights) = self.morphs.get(*node)
                && self.add_mesh(*node, weights, &mut rig)
            {
                entities.push(*node);
            }
        }
        #[cfg(feature = "vrm")]
        self.add_vrm(nodes, &entities, &mut rig);
        if self.meshes.is_none() {
            rig.problems.push("there is no mesh store: add Bevy's `MeshPlugin`".into());
        }
        (rig, entities)
    }

    /// What the file of an avatar says of itself.
    #[cfg(feature = "vrm")]
    fn add_vrm(&self, nodes: &[(Entity, Option<usize>)], meshes: &[Entity], rig: &mut Rig<'_>) {
        let Some(avatar) = nodes.iter().find_map(|(node, _)| self.avatars.get(*node).ok()) else { return };
        let extensions = serde_json::from_str(&avatar.json).ok();
        let Some(vrm) = extensions.as_ref().and_then(retarget::Vrm::from_extensions) else { return };
        for ((entity, _), node) in nodes.iter().zip(&mut rig.nodes) {
            if let Ok(place) = self.avatar_nodes.get(*entity) {
                node.part = vrm.part(place.node);
            }
        }
        // A node that is not of the file has an index that no file has.
        let source = |mesh: &Entity| {
            let node = self.avatar_nodes.get(*mesh).ok();
            (node.map_or(usize::MAX, |node| node.node), node.and_then(|node| node.mesh).unwrap_or(usize::MAX))
        };
        rig.vrm = Some(vrm.placed(&meshes.iter().map(source).collect::<Vec<_>>()));
    }

    /// Adds the shapes of a node to what a character offers; no if they cannot be used.
    fn add_mesh<'a>(&'a self, node: Entity, weights: &MorphWeights, rig: &mut Rig<'a>) -> bool {
        let label = self.label(node);
        let mesh = weights.first_mesh().and_then(|handle: &Handle<Mesh>| self.meshes.as_ref()?.get(handle));
        let Some(mesh) = mesh else {
            rig.problems.push(format!("mesh of `{label}` is not loaded"));
            return false;
        };
        let count = weights.weights().len();
        let names = match mesh.try_morph_target_names() {
            Ok(names) => names.unwrap_or(&[]),
            Err(_) => {
                rig.problems.push(format!(
                    "the names of the shapes of `{label}` are not in main memory: load its meshes with \
                     RenderAssetUsages::MAIN_WORLD as well"
                ));
                return false;
            }
        };
        let displacements = mesh.try_morph_targets().map_or(&[][..], Vec::as_slice);
        let vertices = mesh.count_vertices();
        if vertices > 0 && displacements.len() % vertices != 0 {
            rig.problems.push(format!(
                "the shapes of `{label}` do not fit its vertices (a file without normals?): it would tear"
            ));
            return false;
        }
        let displacements = move |shape: usize| {
            let start = shape.checked_mul(vertices)?;
            let shape = displacements.get(start..start.checked_add(vertices)?)?;
            Some(shape.iter().map(|vertex| vertex.position).collect())
        };
        rig.add_mesh(label, names, count, Some(Box::new(displacements)));
        true
    }
}

/// Profiles that changed, and faces that were given another: what is bound by them is bound anew.
pub(super) fn profiles_changed(
    mut events: MessageReader<AssetEvent<RigProfile>>,
    faces: Query<(Entity, Ref<TalkingFace>, &FaceRig)>,
    profiles: Profiles,
    mut commands: Commands,
) {
    use AssetEvent::{Added, Modified};
    let changed: Vec<AssetId<RigProfile>> = events
        .read()
        .filter_map(|event| match event {
            Added { id } | Modified { id } => Some(*id),
            _ => None,
        })
        .collect();
    for (face, talking, rig) in &faces {
        let other = talking.is_changed() && talking.profile.as_ref().map(Handle::id) != rig.profile;
        if other || changed.iter().any(|id| profiles.count_for(&talking, *id)) {
            commands.entity(face).insert(Unbound { scene_ready: true });
        }
    }
}
