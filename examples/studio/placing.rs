//! Characters of all sizes and directions, put where the face of a default character is.

use bevy::{
    mesh::{
        VertexAttributeValues,
        skinning::{SkinnedMesh, SkinnedMeshInverseBindposes},
    },
    prelude::*,
};
use bevy_talkie::{
    prelude::*,
    talkie::retarget::{self, Joint},
};

/// Where the middle of the face of a default character is, and its height from chin to brows, in metres.
const CENTER: Vec3 = Vec3::new(0.0, 0.105, 0.085);
const HEIGHT: f32 = 0.16;
/// A vertex belongs to a shape that moves it by this share of what it moves most.
const MOVED: f32 = 0.2;

/// What is known of where a face is, in the world.
#[derive(Default)]
struct Found {
    /// How far each shape moves whatever it moves most.
    most: std::collections::HashMap<String, f32>,
    /// Points of the face.
    points: Vec<Vec3>,
    /// Those on the character's left and right.
    left: Vec<Vec3>,
    right: Vec<Vec3>,
}

/// How a bound character is to be placed so that its face is where that of a default character is, from where it is now. `None` if it
/// is there already, or if nothing says where it has its face.
pub fn place(world: &mut World, face: Entity) -> Option<Transform> {
    let found = by_shapes(world, face).filter(|found| found.points.len() > 8).or_else(|| by_joints(world, face))?;
    let side = mean(&found.left).zip(mean(&found.right)).map(|(left, right)| left - right);
    let forward = side.map(|side| side.cross(Vec3::Y)).and_then(|forward| forward.with_y(0.0).try_normalize());
    let forward = forward.unwrap_or(Vec3::Z);
    let turn = Quat::from_rotation_y(-f32::atan2(forward.x, forward.z));
    let turned = found.points.iter().map(|point| turn * *point);
    let (least, greatest) =
        turned.fold((Vec3::MAX, Vec3::MIN), |(least, greatest), point| (least.min(point), greatest.max(point)));
    let size = greatest - least;
    let scale = HEIGHT / size.y.max(size.x * 0.8);
    if !scale.is_finite() || scale <= 0.0 {
        return None;
    }
    // The depth of what moves differs most between characters: the front is where it is to be.
    let middle = Vec3::new((least.x + greatest.x) / 2.0, (least.y + greatest.y) / 2.0, greatest.z);
    let front = CENTER + Vec3::Z * 0.02;
    let stands = (scale - 1.0).abs() < 0.3 && turn.angle_between(Quat::IDENTITY) < 0.2;
    if stands && middle.distance(front) < 0.05 {
        return None;
    }
    let now = *world.get::<Transform>(face)?;
    let change = Transform { translation: front - middle * scale, rotation: turn, scale: Vec3::splat(scale) };
    Some(change * now)
}

fn mean(points: &[Vec3]) -> Option<Vec3> {
    (!points.is_empty()).then(|| points.iter().sum::<Vec3>() / points.len() as f32)
}

/// What the shapes of a face move.
fn by_shapes(world: &World, face: Entity) -> Option<Found> {
    let report = &world.get::<BindingReport>(face)?.0;
    let assets = world.get_resource::<Assets<Mesh>>()?;
    let mut found = Found::default();
    let nodes: Vec<Entity> = world.get::<FaceRig>(face)?.shape_nodes().collect();
    let below = |node: &Entity| {
        let below = world.get::<Children>(*node).into_iter().flatten().copied();
        core::iter::once(*node).chain(below).collect::<Vec<_>>()
    };
    let mesh = |entity: Entity| Some((entity, assets.get(&world.get::<Mesh3d>(entity)?.0)?));
    let meshes: Vec<(Entity, &Mesh)> = nodes.iter().flat_map(below).filter_map(mesh).collect();
    for (_, mesh) in &meshes {
        let (Ok(Some(names)), Some(targets)) = (mesh.try_morph_target_names(), mesh.try_morph_targets().ok()) else {
            continue;
        };
        for (name, shape) in names.iter().zip(targets.chunks_exact(mesh.count_vertices().max(1))) {
            let own = shape.iter().map(|vertex| vertex.position.length_squared()).fold(0.0, f32::max);
            let most = found.most.entry(name.clone()).or_default();
            *most = most.max(own);
        }
    }
    for (entity, mesh) in meshes {
        add_moved(world, entity, mesh, report, &mut found);
    }
    Some(found)
}

fn add_moved(world: &World, entity: Entity, mesh: &Mesh, report: &retarget::BindingReport, found: &mut Found) {
    let (Ok(Some(names)), Some(targets)) = (mesh.try_morph_target_names(), mesh.try_morph_targets().ok()) else {
        return;
    };
    let Some(VertexAttributeValues::Float32x3(positions)) = mesh.attribute(Mesh::ATTRIBUTE_POSITION) else { return };
    let Some(placed) = placed(world, entity, mesh, positions) else { return };
    for (name, shape) in names.iter().zip(targets.chunks_exact(positions.len().max(1))) {
        let Some(bound) = report.shapes.iter().find(|bound| bound.shape == *name) else { continue };
        // The head may move with the jaw, the gaze moves only eyes, and the tongue is inside.
        let ignored = |channel: &FaceChannel| channel.is_tongue_shape() || channel.name().starts_with("eyeLook");
        if bound.mix.keys().all(ignored) {
            continue;
        }
        let most = found.most.get(name).copied().unwrap_or(0.0);
        let moved = shape
            .iter()
            .zip(&placed)
            .filter(|(vertex, _)| most > 0.0 && vertex.position.length_squared() > most * MOVED * MOVED);
        let side = |word: &str| bound.mix.keys().all(|channel| channel.name().ends_with(word));
        for (_, point) in moved {
            found.points.push(*point);
            if side("Left") {
                found.left.push(*point);
            } else if side("Right") {
                found.right.push(*point);
            }
        }
    }
}

/// Where the vertices of a mesh are in the world.
fn placed(world: &World, entity: Entity, mesh: &Mesh, positions: &[[f32; 3]]) -> Option<Vec<Vec3>> {
    let Some(skin) = world.get::<SkinnedMesh>(entity) else {
        let at = world.get::<GlobalTransform>(entity)?;
        return Some(positions.iter().map(|position| at.transform_point(Vec3::from(*position))).collect());
    };
    let inverse = world.get_resource::<Assets<SkinnedMeshInverseBindposes>>()?.get(&skin.inverse_bindposes)?;
    let joints: Option<Vec<Mat4>> = skin
        .joints
        .iter()
        .zip(inverse.iter())
        .map(|(joint, inverse)| Some(world.get::<GlobalTransform>(*joint)?.to_matrix() * *inverse))
        .collect();
    let joints = joints?;
    let Some(VertexAttributeValues::Uint16x4(indices)) = mesh.attribute(Mesh::ATTRIBUTE_JOINT_INDEX) else {
        return None;
    };
    let Some(VertexAttributeValues::Float32x4(weights)) = mesh.attribute(Mesh::ATTRIBUTE_JOINT_WEIGHT) else {
        return None;
    };
    let place = |((position, indices), weights): ((&[f32; 3], &[u16; 4]), &[f32; 4])| {
        let position = Vec3::from(*position);
        let parts = indices
            .iter()
            .zip(weights)
            .filter_map(|(index, weight)| Some(joints.get(usize::from(*index))?.transform_point3(position) * *weight));
        parts.sum::<Vec3>()
    };
    Some(positions.iter().zip(indices).zip(weights).map(place).collect())
}

/// Where the joints of a face are.
fn by_joints(world: &World, face: Entity) -> Option<Found> {
    let mut found = Found::default();
    for (joint, entity) in world.get::<FaceRig>(face)?.joints() {
        let at = world.get::<GlobalTransform>(entity)?.translation();
        match joint {
            Joint::Head | Joint::Neck | Joint::Jaw => continue,
            Joint::LeftEye => found.left.push(at),
            Joint::RightEye => found.right.push(at),
            _ => {}
        }
        found.points.push(at);
    }
    (found.points.len() > 2).then_some(found)
}
