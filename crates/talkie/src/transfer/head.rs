//! The geometry of a head, read from a glTF file: points, triangles, and where every vertex of the file is among them.

use std::collections::{HashMap, VecDeque};

use glam::{Mat3, Mat4, Vec3};

use super::TransferError;
use crate::retarget::{Facing, Joint, RigNode, RigProfile, bind, read_vectors, readable, rig_of, target_names};

/// A character as geometry: all of its triangles as it stands at rest.
#[derive(Debug)]
pub struct Head {
    /// Its primitives that can be read.
    pub(super) parts: Vec<Part>,
    /// Places of all points in metres or whatever the file counts in: vertices that are one but for seams of textures are one point.
    pub(super) points: Vec<Vec3>,
    /// Outward at each point, or zero where nothing says.
    pub(super) normals: Vec<Vec3>,
    /// Corners of the triangles.
    pub(super) triangles: Vec<[u32; 3]>,
    /// The part that each triangle belongs to.
    pub(super) owners: Vec<u32>,
    /// Where its eyes are, left and right, if its joints say.
    pub(super) eyes: Option<[Vec3; 2]>,
    /// Its left, up and forward axes, as far as its joints say.
    pub(super) axes: Mat3,
    /// All of its nodes, parents before their children, as its [`Rig`](crate::retarget::Rig) has them.
    pub(super) nodes: Vec<RigNode>,
}

/// A primitive of the file.
#[derive(Debug)]
pub(super) struct Part {
    /// Index of its mesh.
    pub(super) mesh: usize,
    /// Index within the mesh.
    pub(super) primitive: usize,
    /// Index of the mesh among those of the [`Rig`](crate::retarget::Rig), if it has shapes.
    pub(super) rig_mesh: Option<usize>,
    /// Name of the node that shows it.
    pub(super) node: String,
    /// Where its vertices are in the file.
    pub(super) places: Vec<Vec3>,
    pub(super) bend: Bend,
    /// Names of its morph targets, as far as it has names.
    pub(super) names: Vec<String>,
    /// The point of each vertex.
    pub(super) points: Vec<u32>,
    /// From displacements of the character to those of the file, for each vertex.
    pub(super) inverse: Vec<Mat3>,
    /// What its morph targets do to its points (of the character), as far as they can be read.
    pub(super) shapes: Vec<Option<Vec<Vec3>>>,
}

/// What takes the vertices of a part along.
#[derive(Debug)]
pub(super) enum Bend {
    /// A node of the head.
    Node(usize),
    /// Nodes with the inverse of where they are bound, and which of them each vertex follows, how much.
    Skin { bones: Vec<(usize, Mat4)>, joints: Vec<[u16; 4]>, weights: Vec<[f32; 4]> },
}

impl Bend {
    /// From the places of the file to those of the character, for a vertex.
    pub(super) fn matrix(&self, world: &[Mat4], vertex: usize) -> Mat4 {
        match self {
            Self::Node(node) => world[*node],
            Self::Skin { bones, joints, weights } => {
                let sum: f32 = weights[vertex].iter().sum();
                let parts = joints[vertex].iter().zip(weights[vertex]).filter(|(_, weight)| *weight > 0.0);
                parts.fold(Mat4::ZERO, |matrix, (joint, weight)| {
                    let (node, inverse) = bones[usize::from(*joint)];
                    matrix + world[node] * inverse * (weight / sum)
                })
            }
        }
    }
}

/// So many points two parts have in common if they are of one surface.
const SEWN: usize = 6;

/// How much the normals of two vertices in one place must agree to be one point: lips that touch face each other.
const SAME_SIDE: f32 = -0.2;

/// A primitive in its file.
struct Source<'a> {
    node: &'a gltf::Node<'a>,
    mesh: &'a gltf::Mesh<'a>,
    primitive: &'a gltf::Primitive<'a>,
    rig_mesh: Option<usize>,
    /// The place in the rig of each node of the file.
    place_of: &'a [usize],
    blob: &'a [u8],
}

impl Head {
    /// Reads all primitives with triangles of the default scene of an opened file.
    ///
    /// # Errors
    /// [`TransferError`]: no scene, or no triangles that can be read.
    pub fn read(file: &gltf::Gltf) -> Result<Self, TransferError> {
        let blob = file.blob.as_deref().unwrap_or_default();
        let rig = rig_of(file);
        let scene = file.default_scene().or_else(|| file.scenes().next()).ok_or(TransferError::NoTriangles)?;
        // In the order of the rig.
        let mut order = Vec::new();
        let mut place_of = vec![usize::MAX; file.nodes().len()];
        let mut queue: VecDeque<_> = scene.nodes().collect();
        while let Some(node) = queue.pop_front() {
            if place_of[node.index()] == usize::MAX {
                place_of[node.index()] = order.len();
                queue.extend(node.children());
                order.push(node);
            }
        }
        let places = rig.placed();
        let mut head = Self {
            parts: Vec::new(),
            points: Vec::new(),
            normals: Vec::new(),
            triangles: Vec::new(),
            owners: Vec::new(),
            eyes: None,
            axes: Mat3::IDENTITY,
            nodes: rig.nodes.clone(),
        };
        let world: Vec<Mat4> = places.iter().map(|place| Mat4::from(*place)).collect();
        let mut welded = HashMap::new();
        let mut meshes = 0;
        for node in &order {
            let Some(mesh) = node.mesh() else { continue };
            let has_shapes = mesh.primitives().any(|primitive| primitive.morph_targets().len() > 0);
            let rig_mesh = has_shapes.then_some(meshes);
            meshes += usize::from(has_shapes);
            for primitive in mesh.primitives() {
                let source = Source { node, mesh: &mesh, primitive: &primitive, rig_mesh, place_of: &place_of, blob };
                head.add(&source, &world, &mut welded);
            }
        }
        if head.triangles.is_empty() {
            return Err(TransferError::NoTriangles);
        }
        // Joints say where it looks.
        let profiles: Vec<&RigProfile> = RigProfile::builtin().iter().collect();
        let (_, report) = bind(&rig, &profiles);
        let found = |joint: Joint| {
            let bound = report.joints.iter().find(|bound| bound.joint == joint)?;
            rig.nodes.iter().position(|node| node.name == bound.node)
        };
        let at = |joint: Joint| found(joint).map(|node| Vec3::from(places[node].translation));
        head.axes = Facing::of(&rig, &places, found).axes;
        head.eyes = at(Joint::LeftEye).zip(at(Joint::RightEye)).map(|(left, right)| [left, right]);
        head.fill_normals();
        Ok(head)
    }

    fn add(&mut self, source: &Source<'_>, world: &[Mat4], welded: &mut HashMap<[i32; 3], Vec<u32>>) {
        let Source { node, mesh, primitive, rig_mesh, place_of, blob } = *source;
        if primitive.mode() != gltf::mesh::Mode::Triangles {
            return;
        }
        let vectors = |accessor: gltf::Accessor<'_>| -> Option<Vec<Vec3>> {
            Some(read_vectors(&accessor, blob)?.into_iter().map(Vec3::from).collect())
        };
        let Some(places) = primitive.get(&gltf::Semantic::Positions).and_then(vectors) else { return };
        if !places.iter().all(|place| place.is_finite()) {
            return;
        }
        let normals = primitive.get(&gltf::Semantic::Normals).and_then(vectors).filter(|all| all.len() == places.len());
        let at_node = place_of[node.index()];
        let bend = skin(source, places.len()).unwrap_or(Bend::Node(at_node));
        let usable = |matrix: &Mat4| matrix.is_finite() && Mat3::from_mat4(*matrix).determinant().abs() > 1e-12;
        let matrices: Vec<Mat4> = (0..places.len()).map(|vertex| bend.matrix(world, vertex)).collect();
        if !matrices.iter().all(usable) {
            return;
        }
        let first = self.parts.len() as u32;
        let mut points = Vec::with_capacity(places.len());
        for (vertex, place) in places.iter().enumerate() {
            let at = matrices[vertex].transform_point3(*place);
            let normal = normals.as_ref().map_or(Vec3::ZERO, |all| {
                let across = Mat3::from_mat4(matrices[vertex]).inverse().transpose();
                (across * all[vertex]).normalize_or_zero()
            });
            let key = (at * 1e5).round().as_ivec3().to_array();
            let here = welded.entry(key).or_default();
            let same = here.iter().copied().find(|point| self.normals[*point as usize].dot(normal) >= SAME_SIDE);
            points.push(same.unwrap_or_else(|| {
                let point = self.points.len() as u32;
                self.points.push(at);
                self.normals.push(normal);
                here.push(point);
                point
            }));
        }
        let Some(corners) = indices(primitive, blob, places.len()) else { return };
        for corner in corners.as_chunks::<3>().0 {
            let triangle = corner.map(|vertex| points[vertex as usize]);
            let [a, b, c] = triangle;
            if a != b && b != c && c != a {
                self.triangles.push(triangle);
                self.owners.push(first);
            }
        }
        let linear: Vec<Mat3> = matrices.iter().map(|matrix| Mat3::from_mat4(*matrix)).collect();
        let shapes = primitive
            .morph_targets()
            .map(|target| {
                let moved = target.positions().and_then(vectors).filter(|all| all.len() == places.len())?;
                Some(moved.iter().zip(&linear).map(|(moved, linear)| *linear * *moved).collect())
            })
            .collect();
        self.parts.push(Part {
            mesh: mesh.index(),
            primitive: primitive.index(),
            rig_mesh,
            places,
            bend,
            node: node.name().map_or_else(|| format!("node {}", node.index()), str::to_owned),
            names: target_names(mesh).unwrap_or_default(),
            points,
            inverse: linear.iter().map(Mat3::inverse).collect(),
            shapes,
        });
    }

    /// Whether two parts share points: a surface of several materials.
    pub(super) fn is_sewn(&self, part: usize, other: usize) -> bool {
        let own: std::collections::HashSet<u32> = self.parts[other].points.iter().copied().collect();
        let shared: std::collections::HashSet<u32> =
            self.parts[part].points.iter().copied().filter(|point| own.contains(point)).collect();
        shared.len() >= SEWN
    }

    /// Where a file has no normals, those of the triangles.
    fn fill_normals(&mut self) {
        let smooth = normals_of(&self.points, &self.triangles);
        self.normals.iter_mut().zip(smooth).filter(|(normal, _)| **normal == Vec3::ZERO).for_each(|(n, s)| *n = s);
    }
}

/// Outward at each point: the mean of the triangles about it by their area, zero where there are none.
pub(super) fn normals_of(points: &[Vec3], triangles: &[[u32; 3]]) -> Vec<Vec3> {
    let mut normals = vec![Vec3::ZERO; points.len()];
    for triangle in triangles {
        let [a, b, c] = triangle.map(|corner| points[corner as usize]);
        let area = (b - a).cross(c - a);
        triangle.iter().for_each(|corner| normals[*corner as usize] += area);
    }
    normals.iter_mut().for_each(|normal| *normal = normal.normalize_or_zero());
    normals
}

/// The corners of a primitive, if they can be read and are vertices of it.
fn indices(primitive: &gltf::Primitive<'_>, blob: &[u8], vertices: usize) -> Option<Vec<u32>> {
    let Some(accessor) = primitive.indices() else { return Some((0..vertices as u32).collect()) };
    readable(&accessor, blob)?;
    let corners: Vec<u32> = primitive.reader(|_| Some(blob)).read_indices()?.into_u32().collect();
    corners.iter().all(|corner| (*corner as usize) < vertices).then_some(corners)
}

/// The joints that bend a primitive, if all is there and every vertex follows some.
fn skin(source: &Source<'_>, vertices: usize) -> Option<Bend> {
    let Source { node, primitive, place_of, blob, .. } = *source;
    let skin = node.skin()?;
    let accessor = skin.inverse_bind_matrices()?;
    for accessor in
        [&primitive.get(&gltf::Semantic::Joints(0))?, &primitive.get(&gltf::Semantic::Weights(0))?, &accessor]
    {
        readable(accessor, blob)?;
    }
    let inverse = skin.reader(|_| Some(blob)).read_inverse_bind_matrices()?;
    let bones = skin.joints().zip(inverse).map(|(joint, inverse)| {
        let place = place_of[joint.index()];
        (place != usize::MAX).then_some((place, Mat4::from_cols_array_2d(&inverse)))
    });
    let bones: Vec<(usize, Mat4)> = bones.collect::<Option<_>>()?;
    let reader = primitive.reader(|_| Some(blob));
    let joints: Vec<[u16; 4]> = reader.read_joints(0)?.into_u16().collect();
    let weights: Vec<[f32; 4]> = reader.read_weights(0)?.into_f32().collect();
    let follows = |(joints, weights): (&[u16; 4], &[f32; 4])| {
        weights.iter().sum::<f32>() > 0.0 && joints.iter().all(|joint| usize::from(*joint) < bones.len())
    };
    let sound = joints.len() == vertices && weights.len() == vertices && joints.iter().zip(&weights).all(follows);
    sound.then_some(Bend::Skin { bones, joints, weights })
}
