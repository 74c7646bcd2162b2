//! A track as an animation of a character's file.

use std::collections::BTreeMap;

use glam::{Quat, Vec3};
use serde_json::{Value, json};

use super::{
    Binding, Glb, JointDrive, ShapeDrive,
    file::{open_gltf, shaped, visited},
};
use crate::animation::{FacePose, FaceTrack};

/// `FLOAT`, as glTF numbers types.
const FLOAT: u32 = 5126;
/// A turn (of any component of its quaternion) or shift (in units of the file) that is less is none.
const STILL: f32 = 1e-6;

/// Why a track cannot become an animation of a character.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AnimateGlbError {
    /// The character is no usable GLB file.
    #[error("not a usable GLB file: {0}")]
    Glb(String),
    /// It refers to other files, or has data that is unpacked on loading.
    #[error("{found} buffers, or one in another file; expected all data to be in the binary part of the GLB file")]
    Buffers {
        /// How many buffers there are.
        found: usize,
    },
    /// Nothing is bound, or nothing that is bound moves.
    #[error("nothing of the character would move: `talkie bind` says what it offers")]
    Nothing,
    /// The binding is that of another file.
    #[error("the binding belongs to another character: there is no {0}")]
    OtherCharacter(String),
    /// The track has no frames.
    #[error("the track has no frames")]
    NoFrames,
    /// A pose is not finite.
    #[error("frame {frame} of the track is not finite")]
    NotFinite {
        /// Which frame, from 0 at the first that is kept.
        frame: usize,
    },
    /// The track begins so late that times in single precision cannot tell its frames apart.
    #[error("the track begins at {seconds} s, too late for the times of glTF")]
    TooLate {
        /// Where it begins.
        seconds: f64,
    },
    /// A GLB file has at most 4 GiB.
    #[error("the animation needs {bytes} bytes; a GLB file has at most 4 GiB")]
    TooLarge {
        /// What the keys need.
        bytes: u64,
    },
}

/// Copies a character's file and adds an animation of this name, which shows the track: of the weights of every node
/// whose morph targets are bound, and of the bound joints as far as they move. One that has this name already is
/// replaced.
///
/// `binding` must be that of the file itself, as [`rig_of`](super::rig_of) reads it. Every frame is a key at its time
/// in the speech, and between keys everything is linear. Weights of targets that are not bound are what they are at
/// rest.
///
/// # Errors
/// No usable file, a binding of another one, nothing that moves, or a track that is empty, not finite or too long.
pub fn animate_glb(
    character: &[u8],
    binding: &mut Binding,
    track: &FaceTrack,
    name: &str,
) -> Result<Vec<u8>, AnimateGlbError> {
    let mut glb = Glb::parse(character).map_err(AnimateGlbError::Glb)?;
    let file = open_gltf(character).map_err(AnimateGlbError::Glb)?;
    let buffers = glb.json["buffers"].as_array().map_or(0, Vec::len);
    if buffers > 1 || glb.json.pointer("/buffers/0/uri").is_some() {
        return Err(AnimateGlbError::Buffers { found: buffers });
    }
    if let Some(frame) = track.iter().position(|(_, pose)| !pose.is_finite()) {
        return Err(AnimateGlbError::NotFinite { frame });
    }
    let poses: Vec<&FacePose> = track.iter().map(|(_, pose)| pose).collect();
    let times: Vec<f32> = track.iter().map(|(seconds, _)| seconds as f32).collect();
    let (Some(first), Some(last)) = (times.first(), times.last()) else { return Err(AnimateGlbError::NoFrames) };
    if times.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err(AnimateGlbError::TooLate { seconds: track.start_seconds() });
    }

    let nodes: Vec<gltf::Node<'_>> = visited(&file, &mut Vec::new()).into_iter().map(|(node, _)| node).collect();
    let mut faces = faces(&nodes, binding.shapes())?;
    let numbers = faces.iter().map(|face| face.weights.len()).sum::<usize>() + 7 * binding.joints().len() + 1;
    let bytes = 4 * (numbers * poses.len()) as u64;
    if bytes + character.len() as u64 > u64::from(u32::MAX) {
        return Err(AnimateGlbError::TooLarge { bytes });
    }
    for pose in &poses {
        binding.follow(pose);
        faces.iter_mut().zip(binding.shapes()).for_each(|(face, drive)| face.follow(binding, drive));
    }
    let mut channels: Vec<Channel> = faces.into_iter().map(Face::channel).collect();
    channels.extend(joints(&nodes, binding.joints(), &poses)?);
    if channels.iter().all(|channel| !channel.moves()) {
        return Err(AnimateGlbError::Nothing);
    }

    let input = glb.push_accessor(&floats(&times), times.len(), FLOAT, "SCALAR");
    (glb.json["accessors"][input]["min"], glb.json["accessors"][input]["max"]) = (json!([first]), json!([last]));
    let (mut samplers, mut targets) = (Vec::new(), Vec::new());
    for Channel { node, path, kind, keys, .. } in channels {
        let count = if kind == "SCALAR" { keys.len() } else { poses.len() };
        let output = glb.push_accessor(&floats(&keys), count, FLOAT, kind);
        targets.push(json!({"sampler": samplers.len(), "target": {"node": node, "path": path}}));
        samplers.push(json!({"input": input, "interpolation": "LINEAR", "output": output}));
        without_matrix(&mut glb.json["nodes"][node], &nodes, node);
    }
    let animation = json!({"name": name, "samplers": samplers, "channels": targets});
    let animations = glb.json["animations"].as_array_mut().into_iter().flatten();
    match animations.into_iter().find(|other| other["name"] == name) {
        Some(same) => *same = animation,
        None => _ = glb.push("animations", animation),
    }
    Ok(glb.to_bytes())
}

/// What becomes of one property of a node.
struct Channel {
    node: usize,
    path: &'static str,
    /// Type of the accessor.
    kind: &'static str,
    /// One after the other.
    keys: Vec<f32>,
    /// What a key is at rest.
    rest: Vec<f32>,
}

impl Channel {
    fn moves(&self) -> bool {
        self.keys
            .chunks(self.rest.len().max(1))
            .flat_map(|key| key.iter().zip(&self.rest))
            .any(|(a, b)| (a - b).abs() > STILL)
    }
}

/// A node with morph targets that follow.
struct Face {
    node: usize,
    /// Of all its targets at rest.
    weights: Vec<f32>,
    keys: Vec<f32>,
}

/// One for each drive.
fn faces(nodes: &[gltf::Node<'_>], drives: &[ShapeDrive]) -> Result<Vec<Face>, AnimateGlbError> {
    let meshes: Vec<_> =
        nodes.iter().filter_map(|node| shaped(node).map(|(mesh, count)| (node, mesh, count))).collect();
    let face = |drive: &ShapeDrive| {
        let other = || AnimateGlbError::OtherCharacter(format!("mesh {} with so many shapes", drive.mesh));
        let (node, mesh, count) = meshes.get(drive.mesh).ok_or_else(other)?;
        let mut weights = node.weights().or(mesh.weights()).unwrap_or_default().to_vec();
        weights.resize(*count, 0.0);
        let is_there = drive.targets.iter().all(|target| usize::from(target.shape) < *count);
        if is_there { Ok(Face { node: node.index(), weights, keys: Vec::new() }) } else { Err(other()) }
    };
    drives.iter().map(face).collect()
}

impl Face {
    /// Adds a key: what the binding says now.
    fn follow(&mut self, binding: &Binding, drive: &ShapeDrive) {
        let start = self.keys.len();
        self.keys.extend(&self.weights);
        for shape in drive.shapes() {
            let targets = &drive.targets[shape];
            self.keys[start + usize::from(targets[0].shape)] = binding.weight(targets);
        }
    }

    fn channel(self) -> Channel {
        Channel { node: self.node, path: "weights", kind: "SCALAR", keys: self.keys, rest: self.weights }
    }
}

/// What turns and shifts.
fn joints(
    nodes: &[gltf::Node<'_>],
    drives: &[JointDrive],
    poses: &[&FacePose],
) -> Result<Vec<Channel>, AnimateGlbError> {
    let mut of_nodes: BTreeMap<usize, Vec<&JointDrive>> = BTreeMap::new();
    drives.iter().for_each(|drive| of_nodes.entry(drive.node).or_default().push(drive));
    let mut channels = Vec::new();
    for (place, drives) in of_nodes {
        let other = || AnimateGlbError::OtherCharacter(format!("node {place}"));
        let node = nodes.get(place).ok_or_else(other)?;
        let (translation, rotation, _) = node.transform().decomposed();
        let (translation, rotation) = (Vec3::from(translation), Quat::from_array(rotation));
        let (mut turns, mut shifts, mut before) = (Vec::new(), Vec::new(), rotation);
        for pose in poses {
            let (mut turned, mut shifted) = (rotation, translation);
            for (turn, shift) in drives.iter().map(|drive| drive.motion(pose)) {
                (turned, shifted) = (turned * turn, shifted + shift);
            }
            // Of the two quaternions of a rotation the one near that of the key before, for readers that do not look
            // for it.
            let turned = turned.normalize();
            before = if turned.dot(before) < 0.0 { -turned } else { turned };
            turns.extend(before.to_array());
            shifts.extend(shifted.to_array());
        }
        let channel = |path, kind, keys, rest| Channel { node: node.index(), path, kind, keys, rest };
        channels.push(channel("rotation", "VEC4", turns, rotation.to_array().to_vec()));
        channels.push(channel("translation", "VEC3", shifts, translation.to_array().to_vec()));
    }
    channels.retain(Channel::moves);
    Ok(channels)
}

/// A node that is animated has translation, rotation and scale instead of a matrix.
fn without_matrix(json: &mut Value, nodes: &[gltf::Node<'_>], index: usize) {
    let node = nodes.iter().find(|node| node.index() == index);
    let (Some(node), Some(fields)) = (node, json.as_object_mut()) else { return };
    if fields.remove("matrix").is_some() {
        let (translation, rotation, scale) = node.transform().decomposed();
        fields.insert("translation".into(), json!(translation));
        fields.insert("rotation".into(), json!(rotation));
        fields.insert("scale".into(), json!(scale));
    }
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}
