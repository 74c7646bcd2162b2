//! Finding the shapes and joints of a character.

use bevy_asset::{AssetEvent, AssetId, AssetServer, Assets, Handle, LoadState};
use bevy_ecs::{
    change_detection::DetectChanges,
    entity::Entity,
    hierarchy::{ChildOf, Children},
    lifecycle::Remove,
    message::MessageReader,
    name::Name,
    observer::On,
    query::With,
    system::{Commands, Query, Res, SystemParam},
    world::Ref,
};
use bevy_mesh::{Mesh, morph::MorphWeights, skinning::SkinnedMesh};
use bevy_transform::components::Transform;
use bevy_world_serialization::{WorldAssetRoot, WorldInstanceReady};
use talkie::retarget::{self, FindingKind, Rig, RigNode};

use super::{
    BindingReport, FaceBound, FaceRig, JointState, RigProfile, ShapeState, Unbound, authority::Shares,
    profile::Profiles,
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

/// A rig that was taken away is made anew.
pub(super) fn rig_removed(removed: On<Remove, FaceRig>, faces: Query<(), With<TalkingFace>>, mut commands: Commands) {
    if faces.contains(removed.entity) {
        // The face itself may be on its way out.
        commands.entity(removed.entity).try_insert(Unbound { scene_ready: true });
    }
}

/// What is driven no longer rests before a face is bound anew.
pub(super) fn release(
    faces: Query<&FaceRig, With<Unbound>>,
    mut weights: Query<&mut MorphWeights>,
    mut transforms: Query<&mut Transform>,
) {
    for rig in &faces {
        for (node, shapes) in rig.nodes.iter().zip(&rig.shapes) {
            let Ok(mut morph) = weights.get_mut(*node) else { continue };
            let values = morph.weights_mut();
            for shape in shapes {
                if let Some(value) = values.get_mut(usize::from(shape.index)) {
                    *value = shape.base;
                }
            }
        }
        for joint in &rig.joints {
            let Ok(mut transform) = transforms.get_mut(joint.entity) else { continue };
            if joint.written == Some((transform.rotation, transform.translation)) {
                (transform.rotation, transform.translation) = joint.base;
            }
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
type Face =
    (Entity, &'static Unbound, &'static TalkingFace, Option<&'static WorldAssetRoot>, Option<&'static BindingReport>);

pub(super) fn bind(
    mut commands: Commands,
    unbound: Query<Face>,
    character: Character,
    profiles: Profiles,
    server: Option<Res<AssetServer>>,
) {
    for (face, state, talking, scene, before) in &unbound {
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
        let (binding, mut report) = retarget::bind(&rig, &profiles);
        for problem in failed.iter().map(|error| format!("the scene cannot be loaded: {error}")).chain(refused) {
            report.find(FindingKind::Broken, problem, "");
        }
        let found = !binding.shapes.is_empty() || !binding.joints.is_empty();
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
        let joints = binding.joints.iter().filter_map(|drive| {
            let entity = nodes.get(drive.node).map(|(entity, _)| *entity)?;
            let rest = character.transforms.get(entity).ok()?;
            let rest = (rest.rotation, rest.translation);
            Some(JointState { entity, rest, base: rest, written: None })
        });
        let shapes = binding.shapes.iter().map(|drive| {
            let state = |targets: core::ops::Range<usize>| {
                let first = drive.targets.get(targets.start)?;
                let (index, region) = (first.shape, binding.region(first));
                Some(ShapeState { index, region, targets, base: 0.0, written: None })
            };
            drive.shapes().filter_map(state).collect()
        });
        let rig = FaceRig {
            shapes: shapes.collect(),
            shares: Shares::default(),
            nodes: binding.shapes.iter().filter_map(|shapes| entities.get(shapes.mesh).copied()).collect(),
            joints: joints.collect(),
            profile: talking.profile.as_ref().map(Handle::id),
            binding,
        };
        commands.entity(face).remove::<Unbound>().insert((rig, BindingReport(report)));
        commands.trigger(FaceBound { entity: face });
    }
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
