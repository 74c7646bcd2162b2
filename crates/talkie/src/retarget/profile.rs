//! What a family of characters calls its shapes and joints, and what they take from the channels of a face.

use std::{collections::BTreeMap, sync::OnceLock};

use serde::{Deserialize, Serialize};

use super::{Joint, ShapeMatch, match_shape, mixer::curved};
use crate::animation::FaceChannel;

/// Channels and how much of each.
pub type ChannelMix = BTreeMap<FaceChannel, f32>;

/// What a family of characters calls its shapes and joints, and what they take from the channels: data that is kept in RON files.
///
/// Names are compared as they are, letter case included, after one of the declared [`prefixes`](Self::prefixes) was taken off; a
/// part of a name never binds. The profiles of [`builtin`](Self::builtin) are in `crates/talkie/profiles`; the example there to
/// copy is `oculus.ron`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RigProfile {
    /// What people call the family.
    pub name: String,
    /// Which software writes these names, and where the list is from.
    #[serde(default)]
    pub about: String,
    /// What exporters put before a name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prefixes: Vec<String>,
    /// Whether the names of the channels themselves are known, in every notation of [`match_shape`]. Default no.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub channel_names: bool,
    /// Whether the shapes of the mouth are found together by least squares although all of them follow channels: for families that have one
    /// shape for what are several channels, or none, so that others stand in. Default no.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub fit: bool,
    /// Its shapes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shapes: Vec<ShapeRule>,
    /// Its joints.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub joints: Vec<JointRule>,
}

/// A shape: a row of the matrix from channels to shapes (`from`), or a posture of the whole mouth (`shows`).
///
/// Its weight is `clamp(curve(gain * mix + offset))`, where `mix` is the sum over `from` of channel times factor, or what least
/// squares over all shapes with `shows` gives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShapeRule {
    /// Its name and exact aliases.
    pub names: Vec<String>,
    /// Channels it follows, and how much of each.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub from: ChannelMix,
    /// What the face looks like with this shape alone at 1, in channels. For shapes that overlap: visemes, vowels, emotions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub shows: ChannelMix,
    /// Multiplies. Default 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub gain: f32,
    /// Is added. Default 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub offset: f32,
    /// Least and greatest weight. Default 0 and 1.
    #[serde(default = "unit", skip_serializing_if = "is_unit")]
    pub clamp: (f32, f32),
    /// Points of a curve, by rising input, straight between them and level beyond. Default none: output is input.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub curve: Vec<(f32, f32)>,
}

/// A joint: which bone plays which part of a face.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JointRule {
    /// Its part.
    pub joint: Joint,
    /// Its name and exact aliases, the best first.
    pub names: Vec<String>,
    /// Whether it moves although a shape answers to the same channel: where teeth and tongue hang on a jaw whose skin is opened by a
    /// shape. Default no.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub beside_shapes: bool,
    /// Turns in degrees about the character's left, up and forward axes at 1. Default: what [`Joint::motion`] says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<BTreeMap<FaceChannel, [f32; 3]>>,
    /// Shifts to the character's left, up and forwards at 1, in distances between the eyes. Default: what [`Joint::motion`] says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shift: Option<BTreeMap<FaceChannel, [f32; 3]>>,
    /// Multiplies all that. Default 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub gain: f32,
}

fn one() -> f32 {
    1.0
}

fn unit() -> (f32, f32) {
    (0.0, 1.0)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_one(value: &f32) -> bool {
    *value == 1.0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(value: &f32) -> bool {
    *value == 0.0
}

fn is_unit(value: &(f32, f32)) -> bool {
    *value == unit()
}

impl Default for ShapeRule {
    fn default() -> Self {
        Self {
            names: Vec::new(),
            from: ChannelMix::new(),
            shows: ChannelMix::new(),
            gain: 1.0,
            offset: 0.0,
            clamp: unit(),
            curve: Vec::new(),
        }
    }
}

impl ShapeRule {
    /// The shape that is a channel.
    pub fn channel(channel: FaceChannel) -> Self {
        Self { names: vec![channel.name().to_owned()], from: [(channel, 1.0)].into(), ..Self::default() }
    }

    /// Its weight for a mix: with gain and offset, through the curve, into the clamp.
    pub fn weight(&self, mix: f32) -> f32 {
        let value = curved(&self.curve, self.gain * mix + self.offset);
        if value.is_nan() { 0.0 } else { value.clamp(self.clamp.0, self.clamp.1) }
    }

    /// What it follows or shows.
    pub fn mix(&self) -> &ChannelMix {
        if self.shows.is_empty() { &self.from } else { &self.shows }
    }
}

/// What is wrong with a profile.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// It is no RON of this form.
    #[error("line {line}, column {column}: {reason}")]
    Syntax {
        /// Where, from 1.
        line: usize,
        /// Where, from 1.
        column: usize,
        /// What is wrong.
        reason: String,
    },
    /// It can be read but makes no sense.
    #[error("{what}: {reason}")]
    Rule {
        /// Which part of it.
        what: String,
        /// What is wrong with that.
        reason: String,
    },
}

/// The files of the built-in profiles, most common first.
const BUILTIN: &[(&str, &str)] = &[
    ("arkit.ron", include_str!("../../profiles/arkit.ron")),
    ("oculus.ron", include_str!("../../profiles/oculus.ron")),
    ("vrm.ron", include_str!("../../profiles/vrm.ron")),
    ("vroid.ron", include_str!("../../profiles/vroid.ron")),
    ("cc4.ron", include_str!("../../profiles/cc4.ron")),
    ("cc3_plus.ron", include_str!("../../profiles/cc3_plus.ron")),
    ("cc3.ron", include_str!("../../profiles/cc3.ron")),
    ("daz_genesis9.ron", include_str!("../../profiles/daz_genesis9.ron")),
    ("daz_genesis8_1.ron", include_str!("../../profiles/daz_genesis8_1.ron")),
    ("daz_genesis8.ron", include_str!("../../profiles/daz_genesis8.ron")),
    ("makehuman.ron", include_str!("../../profiles/makehuman.ron")),
    ("mixamo.ron", include_str!("../../profiles/mixamo.ron")),
    ("rigify.ron", include_str!("../../profiles/rigify.ron")),
    ("rocketbox.ron", include_str!("../../profiles/rocketbox.ron")),
    ("ict.ron", include_str!("../../profiles/ict.ron")),
    ("faceit.ron", include_str!("../../profiles/faceit.ron")),
    ("faceit_a2f.ron", include_str!("../../profiles/faceit_a2f.ron")),
    ("faceshift.ron", include_str!("../../profiles/faceshift.ron")),
];

impl RigProfile {
    /// Reads a profile.
    ///
    /// # Errors
    /// [`ProfileError`]: text that is no profile, rules without a name, with numbers that are not finite, with empty or reversed
    /// ranges, with neither `from` nor `shows` or with both, two rules with one name.
    pub fn parse(text: &str) -> Result<Self, ProfileError> {
        let options = ron::Options::default().with_default_extension(ron::extensions::Extensions::IMPLICIT_SOME);
        let profile: Self = options.from_str(text).map_err(|error| ProfileError::Syntax {
            line: error.span.start.line,
            column: error.span.start.col,
            reason: error.code.to_string(),
        })?;
        profile.check()?;
        Ok(profile)
    }

    /// Writes it in the form that [`parse`](Self::parse) reads.
    ///
    /// # Errors
    /// What [`check`](Self::check) says; no other is known.
    pub fn to_ron(&self) -> Result<String, ProfileError> {
        self.check()?;
        ron::ser::to_string_pretty(
            self,
            ron::ser::PrettyConfig::new().depth_limit(3).extensions(ron::extensions::Extensions::IMPLICIT_SOME),
        )
        .map_err(|error| ProfileError::Rule { what: self.name.clone(), reason: error.to_string() })
    }

    /// Whether all of it makes sense.
    ///
    /// # Errors
    /// [`ProfileError::Rule`], the first that is found.
    pub fn check(&self) -> Result<(), ProfileError> {
        let refuse = |what: String, reason: &str| Err(ProfileError::Rule { what, reason: reason.to_owned() });
        let mut seen = std::collections::HashSet::new();
        for (index, rule) in self.shapes.iter().enumerate() {
            let what = || format!("shape {} ({index})", rule.names.first().map_or("without a name", String::as_str));
            if rule.names.is_empty() || rule.names.iter().any(String::is_empty) {
                return refuse(what(), "it needs a name");
            }
            if let Some(name) = rule.names.iter().find(|name| !seen.insert(name.as_str())) {
                return refuse(what(), &format!("the name {name:?} is taken by another shape"));
            }
            if rule.from.is_empty() == rule.shows.is_empty() {
                return refuse(what(), "it needs either `from` or `shows`");
            }
            let points = rule.curve.iter().flat_map(|point| [point.0, point.1]);
            let numbers = rule.mix().values().copied().chain(points);
            if !numbers.chain([rule.gain, rule.offset, rule.clamp.0, rule.clamp.1]).all(f32::is_finite) {
                return refuse(what(), "it has a number that is not finite");
            }
            if rule.mix().values().all(|factor| *factor == 0.0) {
                return refuse(what(), "all of its factors are 0");
            }
            if rule.clamp.0 > rule.clamp.1 {
                return refuse(what(), "the least weight of `clamp` is above the greatest");
            }
            if rule.curve.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
                return refuse(what(), "the inputs of `curve` do not rise");
            }
        }
        let mut seen = std::collections::HashSet::new();
        for rule in &self.joints {
            let what = || format!("joint {}", rule.joint);
            if rule.names.is_empty() || rule.names.iter().any(String::is_empty) {
                return refuse(what(), "it needs a name");
            }
            if let Some(name) = rule.names.iter().find(|name| !seen.insert(name.as_str())) {
                return refuse(what(), &format!("the name {name:?} is taken by another joint"));
            }
            let moves = [&rule.turn, &rule.shift].into_iter().flatten().flat_map(BTreeMap::values).flatten();
            if !rule.gain.is_finite() || !moves.copied().all(f32::is_finite) {
                return refuse(what(), "it has a number that is not finite");
            }
        }
        Ok(())
    }

    /// The profiles that come with the crate.
    pub fn builtin() -> &'static [Self] {
        static PROFILES: OnceLock<Vec<RigProfile>> = OnceLock::new();
        PROFILES.get_or_init(|| {
            let parse = |(file, text): &(&str, &str)| match Self::parse(text) {
                Ok(profile) => Some(profile),
                Err(error) => {
                    log::error!("the profile {file} is not used: {error}");
                    None
                }
            };
            BUILTIN.iter().filter_map(parse).collect()
        })
    }

    /// The shape that a name stands for, if the profile knows it, and how good the name is (0 is best).
    pub(super) fn shape(&self, name: &str) -> Option<(KnownShape, usize)> {
        let bare = self.prefixes.iter().find_map(|prefix| name.strip_prefix(prefix.as_str()));
        core::iter::once(name).chain(bare).find_map(|name| self.bare_shape(name))
    }

    fn bare_shape(&self, name: &str) -> Option<(KnownShape, usize)> {
        let rank = |rule: &ShapeRule| rule.names.iter().position(|known| known == name);
        let rule =
            self.shapes.iter().enumerate().find_map(|(index, rule)| Some((KnownShape::Rule(index), rank(rule)?)));
        let channel = || match match_shape(name) {
            ShapeMatch::Exact(channel) => Some((KnownShape::Channel(channel), 0)),
            ShapeMatch::Respelled(channel) => Some((KnownShape::Channel(channel), 1)),
            ShapeMatch::Unknown => None,
        };
        rule.or_else(|| channel().filter(|_| self.channel_names))
    }

    /// The joint that a name stands for: its rule, and how good the name is (0 is best).
    pub(super) fn joint(&self, name: &str) -> Option<(&JointRule, usize)> {
        let bare = self.prefixes.iter().find_map(|prefix| name.strip_prefix(prefix.as_str()));
        core::iter::once(name).chain(bare).find_map(|name| {
            let rank = |rule: &JointRule| rule.names.iter().position(|known| known == name);
            self.joints.iter().find_map(|rule| Some((rule, rank(rule)?)))
        })
    }
}

/// A shape that a profile knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum KnownShape {
    /// By a rule, given by its index.
    Rule(usize),
    /// By the name of a channel.
    Channel(FaceChannel),
}
