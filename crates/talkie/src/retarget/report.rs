//! What was bound to what, in words.

use core::fmt;

use serde::Serialize;

use super::{ChannelMix, Joint};
use crate::animation::{ARKIT_COUNT, FaceChannel, FaceRegion};

/// A shape that the face drives.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BoundShape {
    /// Mesh (node) that has the shape, or `VRM expression`.
    pub mesh: String,
    /// Name of the shape in the file.
    pub shape: String,
    /// Channels it follows, or shows if it is fitted.
    pub mix: ChannelMix,
    /// Whether its weight is found by least squares together with others.
    pub fitted: bool,
}

/// A joint that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BoundJoint {
    /// What it is for.
    pub joint: Joint,
    /// Name of the node in the file.
    pub node: String,
    /// Why it is found but not driven, if so.
    pub idle: Option<&'static str>,
}

/// What kind of remark a [`Finding`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FindingKind {
    /// Something is wrong with the file or its profile.
    Broken,
    /// Something that a face needs is not there.
    Missing,
    /// It was bound, but perhaps wrongly.
    Doubtful,
    /// Two claim the same.
    Duplicated,
    /// It is asked for more than its range has.
    Clipped,
}

/// A remark on a binding, and what would help.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which kind.
    pub kind: FindingKind,
    /// What was found.
    pub what: String,
    /// What would help.
    pub remedy: String,
}

/// What a face could be bound to: for logs, tools and people who wonder why nothing moves.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct BindingReport {
    /// The profile that each part of the face was bound by.
    pub profiles: Vec<(FaceRegion, String)>,
    /// Every shape that is driven. One that several meshes have is in it for each of them.
    pub shapes: Vec<BoundShape>,
    /// Joints that were found.
    pub joints: Vec<BoundJoint>,
    /// ARKit channels that no shape (or joint in its place) answers to.
    pub missing: Vec<FaceChannel>,
    /// Shapes whose name no profile knows: mesh and shape. They are left alone.
    pub unknown: Vec<(String, String)>,
    /// Remarks, the gravest first.
    pub findings: Vec<Finding>,
}

impl BindingReport {
    /// Share of the 52 ARKit channels that move something, 0..=1.
    pub fn coverage(&self) -> f32 {
        (ARKIT_COUNT - self.missing.len().min(ARKIT_COUNT)) as f32 / ARKIT_COUNT as f32
    }

    /// Whether speech shows at all: something opens the mouth.
    pub fn can_speak(&self) -> bool {
        !self.missing.contains(&FaceChannel::JawOpen)
    }

    /// Shapes that are bound under another notation than the ARKit name.
    pub fn respelled(&self) -> impl Iterator<Item = (&str, FaceChannel)> {
        self.shapes.iter().filter(|bound| !bound.fitted && bound.mix.len() == 1).filter_map(|bound| {
            let channel = *bound.mix.keys().next()?;
            (bound.shape != channel.name()).then_some((bound.shape.as_str(), channel))
        })
    }

    /// Adds a remark.
    pub fn find(&mut self, kind: FindingKind, what: impl Into<String>, remedy: impl Into<String>) {
        let finding = Finding { kind, what: what.into(), remedy: remedy.into() };
        if !self.findings.contains(&finding) {
            let at = self.findings.partition_point(|other| other.kind <= kind);
            self.findings.insert(at, finding);
        }
    }

    /// Whether something is wrong with the file itself.
    pub fn is_broken(&self) -> bool {
        self.findings.iter().any(|finding| finding.kind == FindingKind::Broken)
    }
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Broken => "broken",
            Self::Missing => "missing",
            Self::Doubtful => "doubtful",
            Self::Duplicated => "duplicated",
            Self::Clipped => "clipped",
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if self.remedy.is_empty() { Ok(()) } else { write!(f, " ({})", self.remedy) }
    }
}

impl fmt::Display for BindingReport {
    /// One line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meshes: std::collections::BTreeSet<_> = self.shapes.iter().map(|bound| &bound.mesh).collect();
        write!(
            f,
            "{} of 52 ARKit channels move something ({} shapes on {} meshes)",
            52 - self.missing.len().min(52),
            self.shapes.len(),
            meshes.len()
        )?;
        for (region, profile) in &self.profiles {
            write!(f, "; {region} by {profile}")?;
        }
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
            respelled.try_for_each(|(shape, channel)| write!(f, " {shape} = {channel}"))?;
        }
        if !self.unknown.is_empty() {
            write!(f, "; {} shapes have unknown names:", self.unknown.len())?;
            self.unknown.iter().take(8).try_for_each(|(_, shape)| write!(f, " {shape}"))?;
            if self.unknown.len() > 8 {
                write!(f, " ...")?;
            }
        }
        self.findings
            .iter()
            .filter(|finding| finding.kind != FindingKind::Missing)
            .try_for_each(|finding| write!(f, "; {finding}"))
    }
}
