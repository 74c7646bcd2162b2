//! What a character offers to a face: shapes, joints, and what a VRM file says of them.

use glam::{Affine3A, Mat3, Quat, Vec3};

use super::{Joint, Vrm};

/// What a character offers, from whatever it was read: a glTF file or the entities of an engine.
#[derive(Debug, Default)]
pub struct Rig<'a> {
    /// Nodes with a mesh that has morph targets.
    pub meshes: Vec<RigMesh<'a>>,
    /// All nodes, parents before their children.
    pub nodes: Vec<RigNode>,
    /// What the file says of itself as a VRM avatar. Its mesh binds are indices into [`meshes`](Self::meshes).
    pub vrm: Option<Vrm>,
    /// What is wrong with the file, in words.
    pub problems: Vec<String>,
}

/// A node with morph targets.
pub struct RigMesh<'a> {
    /// Its name.
    pub name: String,
    /// Names of the morph targets in order. Those without a name have an empty one.
    pub shapes: Vec<String>,
    /// What its shapes do to its vertices, where that is at hand.
    pub displacements: Option<Displacements<'a>>,
}

/// Gives the displacement of every vertex of a mesh by the shape of an index.
pub type Displacements<'a> = Box<dyn Fn(usize) -> Option<Vec<Vec3>> + 'a>;

impl core::fmt::Debug for RigMesh<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("RigMesh").field("name", &self.name).field("shapes", &self.shapes).finish_non_exhaustive()
    }
}

/// A node of a character at rest.
#[derive(Debug, Clone, PartialEq)]
pub struct RigNode {
    /// Its name.
    pub name: String,
    /// Index of the node above it, if that belongs to the character.
    pub parent: Option<usize>,
    /// Where it is within its parent.
    pub translation: Vec3,
    /// Likewise.
    pub rotation: Quat,
    /// Likewise.
    pub scale: Vec3,
    /// Whether it bends a skin.
    pub bends_skin: bool,
    /// The part that a VRM file says it plays.
    pub part: Option<Joint>,
}

/// What a shape without a name is called in profiles and reports: `MESH#INDEX`, counted from 0.
pub fn unnamed_shape(mesh: &str, index: usize) -> String {
    format!("{mesh}#{index}")
}

impl<'a> Rig<'a> {
    /// Adds a mesh of `count` shapes that has these names, or as many of them as there are: the others have none.
    pub fn add_mesh(&mut self, name: String, names: &[String], count: usize, displacements: Option<Displacements<'a>>) {
        if !names.is_empty() && names.len() != count {
            let named = names.len();
            self.problems.push(format!("`{name}` has {count} shapes but {named} names: only the common part is used"));
        }
        let mut shapes: Vec<String> = names.iter().take(count).cloned().collect();
        shapes.resize(count, String::new());
        self.meshes.push(RigMesh { name, shapes, displacements });
    }

    /// Where every node is within the character.
    pub(crate) fn placed(&self) -> Vec<Affine3A> {
        let mut placed: Vec<Affine3A> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let local = Affine3A::from_scale_rotation_translation(node.scale, node.rotation, node.translation);
            let above = node.parent.and_then(|parent| placed.get(parent));
            placed.push(above.map_or(local, |above| *above * local));
        }
        placed
    }

    /// Whether `node` is below `ancestor`.
    pub(super) fn is_below(&self, node: usize, ancestor: usize) -> bool {
        let mut above = self.nodes[node].parent;
        while let Some(parent) = above {
            if parent == ancestor {
                return true;
            }
            // Parents come before their children, so this ends.
            above = self.nodes[parent].parent.filter(|next| *next < parent);
        }
        false
    }
}

/// Where a character looks, and how large its face is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Facing {
    /// Its left, up and forward axes within the character.
    pub(crate) axes: Mat3,
    /// Distance between the eyes in units of the character.
    pub(super) eye_distance: f32,
}

/// Distance between the eyes of a person in metres, where a rig does not tell.
const EYE_DISTANCE: f32 = 0.062;

impl Facing {
    /// From where head, neck and eyes are. Without eyes a character looks along +Z, or along -Z if it is of VRM 0.
    pub(crate) fn of(rig: &Rig<'_>, places: &[Affine3A], found: impl Fn(Joint) -> Option<usize>) -> Self {
        let at = |joint: Joint| found(joint).map(|node| Vec3::from(places[node].translation));
        let backwards = rig.vrm.as_ref().is_some_and(|vrm| vrm.version == 0);
        let forward = if backwards { Vec3::NEG_Z } else { Vec3::Z };
        let usual = Mat3::from_cols(Vec3::Y.cross(forward), Vec3::Y, forward);
        let by_neck = at(Joint::Head)
            .zip(at(Joint::Neck))
            .map(|(head, neck)| 0.5 * head.distance(neck))
            .filter(|distance| *distance > 1e-6)
            .unwrap_or(EYE_DISTANCE);
        let Some((left, right)) = at(Joint::LeftEye).zip(at(Joint::RightEye)) else {
            return Self { axes: usual, eye_distance: by_neck };
        };
        let across = left - right;
        let distance = across.length();
        let Some(across) = across.try_normalize() else { return Self { axes: usual, eye_distance: by_neck } };
        // Up is along the neck, or whichever axis of the character is most across the line between the eyes.
        let neck = at(Joint::Head).zip(at(Joint::Neck)).map(|(head, neck)| head - neck);
        let up = [neck, Some(Vec3::Y), Some(Vec3::Z)]
            .into_iter()
            .flatten()
            .find_map(|up| (up.normalize_or_zero().dot(across).abs() < 0.7).then(|| up.reject_from(across)))
            .and_then(Vec3::try_normalize)
            .unwrap_or(Vec3::Y);
        // Eyes are in front of the joint of the head. Where that contradicts left and right, the character is mirrored.
        let ahead = at(Joint::Head).map_or(forward, |head| (left + right) / 2.0 - head);
        let forward = across.cross(up);
        let forward = if ahead.dot(forward) < -1e-3 * distance { -forward } else { forward };
        Self { axes: Mat3::from_cols(across, up, forward), eye_distance: distance }
    }
}
