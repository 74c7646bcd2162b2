//! What was bound to what, in words.

use core::fmt;

use super::Joint;
use crate::animation::FaceChannel;

/// A shape that a channel drives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundShape {
    /// The channel.
    pub channel: FaceChannel,
    /// Mesh (node) that has the shape.
    pub mesh: String,
    /// Name of the shape in the file.
    pub shape: String,
}

/// A joint that the face drives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundJoint {
    /// What it is for.
    pub joint: Joint,
    /// Name of the node in the file.
    pub node: String,
    /// Why it is found but not driven, if so.
    pub idle: Option<&'static str>,
}

/// What a face could be bound to: for logs, tools and people who wonder why nothing moves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BindingReport {
    /// Every shape that is driven. A channel can occur several times: once for each mesh that has it.
    pub shapes: Vec<BoundShape>,
    /// Joints that were found.
    pub joints: Vec<BoundJoint>,
    /// ARKit channels that no shape (or joint in its place) answers to.
    pub missing: Vec<FaceChannel>,
    /// Shapes whose name is no channel's: mesh and shape. They are left alone.
    pub unknown: Vec<(String, String)>,
    /// What is wrong with the file itself, in words.
    pub problems: Vec<String>,
}

impl BindingReport {
    /// Share of the 52 ARKit channels that move something, 0..=1.
    pub fn coverage(&self) -> f32 {
        let arkit = crate::animation::ARKIT_COUNT;
        (arkit - self.missing.len().min(arkit)) as f32 / arkit as f32
    }

    /// Whether speech shows at all: something opens the mouth.
    pub fn can_speak(&self) -> bool {
        !self.missing.contains(&FaceChannel::JawOpen)
    }

    /// Shapes that are bound under another notation than the ARKit name.
    pub fn respelled(&self) -> impl Iterator<Item = &BoundShape> {
        self.shapes.iter().filter(|bound| bound.shape != bound.channel.name())
    }
}

impl fmt::Display for BindingReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meshes: std::collections::BTreeSet<_> = self.shapes.iter().map(|bound| &bound.mesh).collect();
        write!(
            f,
            "{} of 52 ARKit channels move something ({} shapes on {} meshes)",
            52 - self.missing.len().min(52),
            self.shapes.len(),
            meshes.len()
        )?;
        if !self.can_speak() {
            write!(f, "; nothing opens the mouth: the face needs a shape `jawOpen` or a joint `jaw`")?;
        }
        for bound in &self.joints {
            write!(f, "; joint {} is `{}`", bound.joint, bound.node)?;
            if let Some(reason) = bound.idle {
                write!(f, " (not driven: {reason})")?;
            }
        }
        if !self.missing.is_empty() {
            write!(f, "; missing:")?;
            self.missing.iter().try_for_each(|channel| write!(f, " {channel}"))?;
        }
        let mut respelled = self.respelled().peekable();
        if respelled.peek().is_some() {
            write!(f, "; taken for another spelling:")?;
            respelled.try_for_each(|bound| write!(f, " {} = {}", bound.shape, bound.channel))?;
        }
        if !self.unknown.is_empty() {
            write!(f, "; {} shapes have unknown names:", self.unknown.len())?;
            self.unknown.iter().take(8).try_for_each(|(_, shape)| write!(f, " {shape}"))?;
            if self.unknown.len() > 8 {
                write!(f, " ...")?;
            }
        }
        self.problems.iter().try_for_each(|problem| write!(f, "; {problem}"))
    }
}
