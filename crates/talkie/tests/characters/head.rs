//! A head that can be posed without an engine: morph targets, then skinning by joints.

use glam::{Mat4, Quat, Vec3};
use talkie::{
    animation::FacePose,
    retarget::{Binding, BindingReport, RigProfile, bind, open_gltf, read_vectors, rig_of},
};

/// A character that was bound.
pub struct Head {
    file: gltf::Gltf,
    /// Index in the file of every node of the rig.
    nodes: Vec<usize>,
    /// Nodes of the file with the meshes of the rig.
    meshes: Vec<Skin>,
    pub binding: Binding,
    pub report: BindingReport,
}

/// The first primitive of a mesh with shapes.
struct Skin {
    node: usize,
    places: Vec<Vec3>,
    shapes: Vec<Vec<Vec3>>,
    joints: Vec<[u16; 4]>,
    weights: Vec<[f32; 4]>,
    /// Nodes and inverse bind matrices.
    skin: Vec<(usize, Mat4)>,
}

impl Head {
    pub fn new(bytes: &[u8]) -> Self {
        Self::with(bytes, &RigProfile::builtin().iter().collect::<Vec<_>>())
    }

    pub fn with(bytes: &[u8], profiles: &[&RigProfile]) -> Self {
        let file = open_gltf(bytes).unwrap();
        let (binding, report) = bind(&rig_of(&file), profiles);
        let blob = file.blob.as_deref().unwrap();
        let mut nodes = Vec::new();
        let mut queue: std::collections::VecDeque<_> = file.default_scene().unwrap().nodes().collect();
        let mut meshes = Vec::new();
        while let Some(node) = queue.pop_front() {
            nodes.push(node.index());
            queue.extend(node.children());
            let Some(primitive) = node.mesh().and_then(|mesh| mesh.primitives().next()) else { continue };
            // Of a character without shapes every mesh counts.
            if primitive.morph_targets().len() == 0 && !binding.shapes().is_empty() {
                continue;
            }
            let read = |accessor: gltf::Accessor<'_>| -> Vec<Vec3> {
                read_vectors(&accessor, blob).unwrap().into_iter().map(Vec3::from).collect()
            };
            let reader = primitive.reader(|_| Some(blob));
            let skin = node.skin().map_or_else(Vec::new, |skin| {
                let inverse = skin.reader(|_| Some(blob)).read_inverse_bind_matrices().unwrap();
                let inverse = inverse.map(|matrix| Mat4::from_cols_array_2d(&matrix));
                skin.joints().map(|joint| joint.index()).zip(inverse).collect()
            });
            meshes.push(Skin {
                node: node.index(),
                places: read(primitive.get(&gltf::Semantic::Positions).unwrap()),
                shapes: primitive.morph_targets().map(|target| read(target.positions().unwrap())).collect(),
                joints: reader.read_joints(0).map_or_else(Vec::new, |joints| joints.into_u16().collect()),
                weights: reader.read_weights(0).map_or_else(Vec::new, |weights| weights.into_f32().collect()),
                skin,
            });
        }
        Self { file, nodes, meshes, binding, report }
    }

    /// Where the vertices of the `mesh`-th mesh with shapes are, in the axes of the file.
    pub fn posed(&mut self, mesh: usize, pose: &FacePose) -> Vec<Vec3> {
        self.binding.follow(pose);
        let skin = &self.meshes[mesh];
        let mut places = skin.places.clone();
        for drive in self.binding.shapes().iter().filter(|drive| drive.mesh == mesh) {
            for target in &drive.targets {
                let weight = self.binding.weight(std::slice::from_ref(target));
                if weight != 0.0 {
                    let shape = &skin.shapes[usize::from(target.shape)];
                    places.iter_mut().zip(shape).for_each(|(place, moved)| *place += *moved * weight);
                }
            }
        }
        let world = self.world(pose);
        if skin.skin.is_empty() {
            return places.into_iter().map(|place| world[skin.node].transform_point3(place)).collect();
        }
        let matrices: Vec<Mat4> = skin.skin.iter().map(|(node, inverse)| world[*node] * *inverse).collect();
        places
            .into_iter()
            .zip(skin.joints.iter().zip(&skin.weights))
            .map(|(place, (joints, weights))| {
                let parts = joints.iter().zip(weights).filter(|(_, weight)| **weight > 0.0);
                parts.map(|(joint, weight)| matrices[usize::from(*joint)].transform_point3(place) * *weight).sum()
            })
            .collect()
    }

    /// Displacements of the vertices of a mesh by the shapes that are driven.
    pub fn driven_shapes(&self, mesh: usize) -> Vec<&Vec<Vec3>> {
        let drives = self.binding.shapes().iter().filter(|drive| drive.mesh == mesh).flat_map(|drive| &drive.targets);
        let mut shapes: Vec<u16> = drives.map(|target| target.shape).collect();
        shapes.dedup();
        shapes.into_iter().map(|shape| &self.meshes[mesh].shapes[usize::from(shape)]).collect()
    }

    /// How each joint of the skin of a mesh takes its vertices along: a matrix each.
    pub fn skin_matrices(&self, mesh: usize, pose: &FacePose) -> Vec<Mat4> {
        let world = self.world(pose);
        self.meshes[mesh].skin.iter().map(|(node, inverse)| world[*node] * *inverse).collect()
    }

    /// Where the vertices of a mesh are before anything moves.
    pub fn places(&self, mesh: usize) -> &[Vec3] {
        &self.meshes[mesh].places
    }

    /// Where all nodes of the file are.
    fn world(&self, pose: &FacePose) -> Vec<Mat4> {
        let mut world = vec![Mat4::IDENTITY; self.file.nodes().len()];
        let mut queue: Vec<(gltf::Node<'_>, Mat4)> =
            self.file.default_scene().unwrap().nodes().map(|node| (node, Mat4::IDENTITY)).collect();
        while let Some((node, above)) = queue.pop() {
            let (translation, rotation, scale) = node.transform().decomposed();
            let (mut rotation, mut translation) = (Quat::from_array(rotation), Vec3::from(translation));
            for drive in self.binding.joints().iter().filter(|drive| self.nodes[drive.node] == node.index()) {
                let (turn, shift) = drive.motion(pose);
                rotation *= turn;
                translation += shift;
            }
            let place = above * Mat4::from_scale_rotation_translation(scale.into(), rotation, translation);
            world[node.index()] = place;
            queue.extend(node.children().map(|child| (child, place)));
        }
        world
    }
}
