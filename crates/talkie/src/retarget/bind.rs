//! Finding out what of a character answers to a face.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use glam::{Affine3A, Mat3, Quat, Vec3};

use super::{
    Binding, BindingReport, BoundJoint, BoundShape, FindingKind, Joint, JointDrive, JointRule, Rig, RigProfile,
    ShapeDrive, ShapeRule, TargetDrive, VrmOverride,
    likeness::likeness,
    mixer::{Control, Fit, JointTerm, Override},
    profile::KnownShape,
    rig::Facing,
};
use crate::animation::{CHANNEL_COUNT, FaceChannel, FaceRegion};

/// What a shape that shows a channel among others counts, beside one that is the channel.
const SHOWN: f32 = 0.4;
/// Where so much of a region has shapes of its own, postures of the whole mouth are left out.
const ENOUGH: f32 = 0.6;
/// How much of `jawOpen` is in a `mouthClose` that opens the jaw by itself, at least.
const CLOSE_OPENS: f32 = 0.4;
/// How a turn of the head is shared with a neck.
const NECK_SHARE: f32 = 0.35;
/// A lid whose joint is so near to that of its eye turns about it; in distances between the eyes, as is the radius of an eye.
const LID_TURNS: f32 = 0.12;
const EYE_RADIUS: f32 = 0.2;
/// Where expressions of a VRM file are said to be found.
const EXPRESSION: &str = "VRM expression";

/// The looks of the eyes: channels of the left, and of the right.
const LEFT_LOOK: [FaceChannel; 4] =
    [FaceChannel::EyeLookInLeft, FaceChannel::EyeLookOutLeft, FaceChannel::EyeLookUpLeft, FaceChannel::EyeLookDownLeft];
const RIGHT_LOOK: [FaceChannel; 4] = [
    FaceChannel::EyeLookInRight,
    FaceChannel::EyeLookOutRight,
    FaceChannel::EyeLookUpRight,
    FaceChannel::EyeLookDownRight,
];

/// Binds a character: finds the profile that knows most of its shapes for each region of the face, its joints by the names of all
/// profiles, and says what it did.
///
/// Of two profiles that know as much the first one counts.
pub fn bind(rig: &Rig<'_>, profiles: &[&RigProfile]) -> (Binding, BindingReport) {
    let mut report = BindingReport::default();
    for problem in &rig.problems {
        report.find(FindingKind::Broken, problem.clone(), "");
    }
    let mut binder = Binder {
        rig,
        profiles,
        binding: Binding::default(),
        report,
        offers: offers(rig),
        covered: BTreeSet::new(),
        mouth_by: None,
        controls: HashMap::new(),
        taken: HashMap::new(),
        drives: BTreeMap::new(),
    };
    binder.bind_shapes();
    binder.bind_joints();
    binder.finish()
}

/// Something of a name that can be driven.
struct Offer {
    name: String,
    /// Where it is, for people.
    place: String,
    /// Mesh, shape and factor.
    targets: Vec<(usize, usize, f32)>,
    binary: bool,
    /// Index of the expression that it is.
    expression: Option<usize>,
}

fn offers(rig: &Rig<'_>) -> Vec<Offer> {
    let expressions = rig.vrm.iter().flat_map(|vrm| vrm.expressions.iter().enumerate());
    let expressions =
        expressions.filter(|(_, expression)| !expression.targets.is_empty()).map(|(index, expression)| Offer {
            name: expression.name.clone(),
            place: EXPRESSION.to_owned(),
            targets: expression.targets.clone(),
            binary: expression.binary,
            expression: Some(index),
        });
    let shapes = rig.meshes.iter().enumerate().flat_map(|(mesh, offered)| {
        let named = offered.shapes.iter().enumerate().filter(|(_, name)| !name.is_empty());
        named.map(move |(shape, name)| Offer {
            name: name.clone(),
            place: offered.name.clone(),
            targets: vec![(mesh, shape, 1.0)],
            binary: false,
            expression: None,
        })
    });
    expressions.chain(shapes).collect()
}

struct Binder<'a> {
    rig: &'a Rig<'a>,
    profiles: &'a [&'a RigProfile],
    binding: Binding,
    report: BindingReport,
    offers: Vec<Offer>,
    /// Channels that a shape answers to.
    covered: BTreeSet<FaceChannel>,
    /// The profile of the mouth.
    mouth_by: Option<usize>,
    /// The control of a rule: of a profile, with or without steps.
    controls: HashMap<(usize, RuleKey, bool), u16>,
    /// Which control a morph target follows.
    taken: HashMap<(usize, usize), u16>,
    drives: BTreeMap<usize, Vec<TargetDrive>>,
}

/// A rule of a profile.
type RuleKey = Result<usize, FaceChannel>;

/// An offer and what a profile says of it.
struct Known {
    offer: usize,
    key: RuleKey,
    rule: ShapeRule,
}

/// The region that a rule is about: that of the channel it takes most of.
fn region(rule: &ShapeRule) -> FaceRegion {
    let most = rule.mix().iter().max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()));
    most.map_or(FaceRegion::Mouth, |(channel, _)| channel.region())
}

impl Binder<'_> {
    fn known(&self, profile: &RigProfile) -> Vec<Known> {
        let known = |(offer, offered): (usize, &Offer)| {
            Some(match profile.shape(&offered.name)? {
                KnownShape::Rule(rule) => Known { offer, key: Ok(rule), rule: profile.shapes[rule].clone() },
                KnownShape::Channel(channel) => Known { offer, key: Err(channel), rule: ShapeRule::channel(channel) },
            })
        };
        let mut known: Vec<Known> = self.offers.iter().enumerate().filter_map(known).collect();
        // Of two names for one thing the better one goes first; the order of the file stays otherwise.
        known.sort_by_key(|known| {
            let name = &self.offers[known.offer].name;
            (
                known.rule.names.iter().position(|other| name.ends_with(other.as_str())).unwrap_or(usize::MAX),
                known.offer,
            )
        });
        known
    }

    fn bind_shapes(&mut self) {
        let known: Vec<Vec<Known>> = self.profiles.iter().map(|profile| self.known(profile)).collect();
        for region in [FaceRegion::Mouth, FaceRegion::Eyes, FaceRegion::Brows] {
            let mut best: Option<(f32, usize)> = None;
            for (profile, known) in known.iter().enumerate() {
                let score = score(known, region);
                if score > best.map_or(0.0, |(most, _)| most) {
                    best = Some((score, profile));
                }
            }
            if let Some((_, profile)) = best {
                self.bind_region(region, profile, &known[profile]);
            }
        }
        let is_known = |offer: usize| known.iter().flatten().any(|known| known.offer == offer);
        for (index, offer) in self.offers.iter().enumerate() {
            if offer.expression.is_none() && !is_known(index) {
                self.report.unknown.push((offer.place.clone(), offer.name.clone()));
            }
        }
        for mesh in &self.rig.meshes {
            let unnamed = mesh.shapes.iter().filter(|name| name.is_empty()).count();
            if unnamed > 0 {
                self.report.find(
                    FindingKind::Broken,
                    format!("{unnamed} of the {} shapes of `{}` have no names", mesh.shapes.len(), mesh.name),
                    "export them with names: `targetNames` in the extras of the mesh",
                );
            }
        }
        self.settle_mouth_close();
        self.override_others();
    }

    /// Binds what a profile knows of a region.
    fn bind_region(&mut self, region: FaceRegion, profile: usize, known: &[Known]) {
        let known: Vec<&Known> = known.iter().filter(|known| self::region(&known.rule) == region).collect();
        self.report.profiles.push((region, self.profiles[profile].name.clone()));
        if region == FaceRegion::Mouth {
            self.mouth_by = Some(profile);
        }
        let own: BTreeSet<FaceChannel> = known.iter().flat_map(|known| known.rule.from.keys().copied()).collect();
        let all =
            FaceChannel::ALL.into_iter().filter(|channel| channel.region() == region && !channel.is_tongue_shape());
        let fits = known.iter().any(|known| !known.rule.shows.is_empty())
            && (own.iter().filter(|channel| !channel.is_tongue_shape()).count() as f32) < ENOUGH * all.count() as f32;
        let mut postures: Vec<(u16, [f32; CHANNEL_COUNT])> = Vec::new();
        for known in known {
            let Known { offer, key, rule } = known;
            if !rule.shows.is_empty() && (!fits || self.silences(*offer)) {
                continue;
            }
            let binary = self.offers[*offer].binary;
            let control = *self.controls.entry((profile, *key, binary)).or_insert_with(|| {
                self.binding.controls.push(Control::new(rule, binary));
                (self.binding.controls.len() - 1) as u16
            });
            if !self.take(*offer, control, rule) {
                continue;
            }
            if fits {
                self.binding.controls[usize::from(control)].terms.clear();
                if postures.iter().all(|(other, _)| *other != control) {
                    postures.push((control, posture(rule)));
                }
            }
            let offered = &self.offers[*offer];
            self.covered.extend(rule.mix().iter().filter(|(_, factor)| **factor != 0.0).map(|(channel, _)| *channel));
            self.report.shapes.push(BoundShape {
                mesh: offered.place.clone(),
                shape: offered.name.clone(),
                mix: rule.mix().clone(),
                fitted: fits,
            });
        }
        if fits {
            self.binding.fits.extend(Fit::new(&postures, likeness));
        }
    }

    /// Whether an expression takes the mouth away where it shows at all: then it cannot be mixed into speech.
    fn silences(&mut self, offer: usize) -> bool {
        let offered = &self.offers[offer];
        let Some(expression) = offered.expression.and_then(|index| self.rig.vrm.as_ref()?.expressions.get(index))
        else {
            return false;
        };
        let silences =
            expression.overrides[2] == VrmOverride::Block || (expression.binary && !is_vowel(&expression.name));
        if silences {
            self.report.find(
                FindingKind::Doubtful,
                format!("the expression `{}` is not used: it is all or nothing, or takes the mouth away", offered.name),
                "set overrideMouth to blend and isBinary to false to have emotions shown in speech",
            );
        }
        silences
    }

    /// Lets the targets of an offer follow a control; no if others have them all.
    fn take(&mut self, offer: usize, control: u16, rule: &ShapeRule) -> bool {
        let offered = &self.offers[offer];
        let mut took = false;
        for (mesh, shape, factor) in &offered.targets {
            if let Some(other) = self.taken.get(&(*mesh, *shape)) {
                // An expression and the shape below it are one; two expressions may share a shape.
                if offered.expression.is_none() {
                    if *other != control {
                        self.report.find(
                            FindingKind::Duplicated,
                            format!(
                                "`{}` of `{}` is driven through an expression already",
                                offered.name, offered.place
                            ),
                            "",
                        );
                    }
                    continue;
                }
            }
            let drives = self.drives.entry(*mesh).or_default();
            if offered.expression.is_none() && drives.iter().any(|drive| drive.control == control) {
                let channels: Vec<&str> = rule.mix().keys().map(|channel| channel.name()).collect();
                self.report.find(
                    FindingKind::Duplicated,
                    format!(
                        "`{}` has two shapes for {}: `{}` is left alone",
                        offered.place,
                        channels.join(" "),
                        offered.name
                    ),
                    "remove or rename one of them",
                );
                continue;
            }
            self.taken.insert((*mesh, *shape), control);
            drives.push(TargetDrive { shape: *shape as u16, control, factor: *factor });
            took = true;
        }
        took
    }

    /// In ARKit `mouthClose` brings together what `jawOpen` opened. Where there is none, the jaw closes instead; where it opens the
    /// jaw by itself, `jawOpen` steps back as much.
    fn settle_mouth_close(&mut self) {
        let (open, close) = (FaceChannel::JawOpen, FaceChannel::MouthClose);
        if !self.covered.contains(&open) {
            return;
        }
        let share = if self.covered.contains(&close) {
            let share = self.opening_of_mouth_close();
            if share < CLOSE_OPENS {
                return;
            }
            self.report.find(
                FindingKind::Doubtful,
                format!(
                    "`mouthClose` opens the jaw by itself ({share:.2} of `jawOpen`): `jawOpen` is lessened by as much"
                ),
                "nothing is to be done if lips meet at P, B and M",
            );
            share
        } else {
            self.report.find(
                FindingKind::Missing,
                "there is no `mouthClose`: the jaw closes for P, B and M",
                "a shape `mouthClose` that brings the lips together while `jawOpen` is at 1",
            );
            1.0
        };
        for control in &mut self.binding.controls {
            let opens = control.terms.iter().find(|(channel, _)| usize::from(*channel) == open.index()).copied();
            if let Some((_, factor)) = opens {
                control.terms.push((close.index() as u8, -factor * share));
            }
        }
    }

    /// How much of `jawOpen` is in `mouthClose`, where both are shapes of one mesh whose geometry is at hand.
    fn opening_of_mouth_close(&self) -> f32 {
        let target = |mesh: usize, channel: FaceChannel| {
            let drives = self.drives.get(&mesh)?;
            let is = |drive: &&TargetDrive| {
                matches!(self.binding.controls[usize::from(drive.control)].terms[..], [(only, factor)]
                    if usize::from(only) == channel.index() && factor > 0.0)
            };
            drives.iter().find(is).map(|drive| usize::from(drive.shape))
        };
        let shares = self.rig.meshes.iter().enumerate().filter_map(|(index, mesh)| {
            let displacements = mesh.displacements.as_ref()?;
            let open = displacements(target(index, FaceChannel::JawOpen)?)?;
            let close = displacements(target(index, FaceChannel::MouthClose)?)?;
            let weight: f32 = open.iter().map(|v| v.length_squared()).sum();
            let along: f32 = open.iter().zip(&close).map(|(open, close)| open.dot(*close)).sum();
            (weight > 0.0).then_some((weight, along / weight))
        });
        shares.max_by(|a, b| a.0.total_cmp(&b.0)).map_or(0.0, |(_, share)| share.clamp(-1.0, 1.0))
    }

    /// What expressions of a VRM file do to others.
    fn override_others(&mut self) {
        let Some(vrm) = &self.rig.vrm else { return };
        let control = |name: &str| {
            let offer = self.offers.iter().find(|offer| offer.expression.is_some() && offer.name == name)?;
            let (mesh, shape, _) = offer.targets.first()?;
            let drives = self.drives.get(mesh)?;
            // Of several expressions with this target, the one that was bound under this name.
            let bound = self.report.shapes.iter().any(|bound| bound.mesh == EXPRESSION && bound.shape == name);
            bound.then(|| drives.iter().find(|drive| usize::from(drive.shape) == *shape).map(|drive| drive.control))?
        };
        let mut overrides = Vec::new();
        for expression in &vrm.expressions {
            let Some(by) = control(&expression.name) else { continue };
            for (how, is_over) in expression.overrides.into_iter().zip([is_blink, is_look, is_vowel]) {
                let others =
                    vrm.expressions.iter().filter(|other| is_over(&other.name) && other.name != expression.name);
                let over: Vec<u16> =
                    others.filter_map(|other| control(&other.name)).filter(|other| *other != by).collect();
                if how != VrmOverride::None && !over.is_empty() {
                    overrides.push(Override { by, how, over });
                }
            }
        }
        self.binding.overrides = overrides;
    }

    fn bind_joints(&mut self) {
        let places = self.rig.placed();
        let mut found: Vec<(Joint, usize, Option<JointRule>)> = Vec::new();
        for joint in Joint::ALL {
            found.extend(self.nodes_of(joint).into_iter().map(|(node, rule)| (joint, node, rule)));
        }
        let at = |joint: Joint| found.iter().find(|(other, ..)| *other == joint).map(|(_, node, _)| *node);
        let facing = Facing::of(self.rig, &places, at);
        let jaw = at(Joint::Jaw);
        let lips_close = at(Joint::LowerLip).is_some() || at(Joint::LeftLowerLip).is_some();
        for (joint, node, rule) in &found {
            let rule = rule.as_ref();
            let beside = rule.is_some_and(|rule| rule.beside_shapes);
            let free = |channel: FaceChannel| beside || !self.covered.contains(&channel);
            let mut terms = terms(*joint, rule);
            if *joint == Joint::Jaw && !lips_close && !self.covered.contains(&FaceChannel::MouthClose) {
                if let Some(open) = terms.iter().find(|term| term.channel == FaceChannel::JawOpen).copied() {
                    terms.push(JointTerm { channel: FaceChannel::MouthClose, turn: -open.turn, shift: -open.shift });
                }
            }
            if *joint == Joint::Jaw && Some(*node) != jaw {
                // A jaw of several pieces turns about the hinge of the first.
                let Some(hinge) = jaw.filter(|hinge| !self.rig.is_below(*node, *hinge)) else { continue };
                let arm = arm(&facing, &places, *node, hinge);
                for term in &mut terms {
                    term.shift += Quat::from_scaled_axis(term.turn) * arm - arm;
                }
            }
            if joint.jaw_share() > 0.0 {
                let jaw = jaw.map(|jaw| (jaw, found.iter().find(|(other, ..)| *other == Joint::Jaw)));
                follow_jaw(*joint, *node, jaw, self.rig, &places, &facing, &mut terms);
            }
            if matches!(joint, Joint::LeftUpperLid | Joint::LeftLowerLid | Joint::RightUpperLid | Joint::RightLowerLid)
            {
                let eye = if matches!(joint, Joint::LeftUpperLid | Joint::LeftLowerLid) {
                    Joint::LeftEye
                } else {
                    Joint::RightEye
                };
                let near = at(eye).is_some_and(|eye| {
                    places[eye].translation.distance(places[*node].translation) < LID_TURNS * facing.eye_distance
                });
                if near {
                    for term in &mut terms {
                        (term.turn, term.shift) = (Vec3::new(-term.shift.y / EYE_RADIUS, 0.0, 0.0), Vec3::ZERO);
                    }
                }
            }
            terms.retain(|term| free(term.channel));
            let look = |channels: &[FaceChannel; 4]| channels.iter().any(|channel| free(*channel));
            let shapes_look = "the eyeLook shapes move the eye";
            let (rigid, reason) = match joint {
                Joint::Jaw => (f32::from(u8::from(free(FaceChannel::JawOpen))), "the shape jawOpen moves the jaw"),
                Joint::LeftEye => (f32::from(u8::from(look(&LEFT_LOOK))), shapes_look),
                Joint::RightEye => (f32::from(u8::from(look(&RIGHT_LOOK))), shapes_look),
                Joint::Head if at(Joint::Neck).is_some() => (1.0 - NECK_SHARE, ""),
                Joint::Neck if at(Joint::Head).is_some() => (NECK_SHARE, ""),
                Joint::Head => (1.0, ""),
                _ => (0.0, "shapes move what it would"),
            };
            // A jaw whose opening is a shape is left to shapes altogether.
            let idle = (rigid == 0.0 && (terms.is_empty() || *joint == Joint::Jaw)).then_some(reason);
            self.report.joints.push(BoundJoint { joint: *joint, node: self.rig.nodes[*node].name.clone(), idle });
            if idle.is_some() {
                continue;
            }
            match drive(*joint, *node, self.rig, &places, &facing) {
                Some(drive) => {
                    self.binding.joints.push(JointDrive {
                        terms,
                        rigid,
                        gain: rule.map_or(1.0, |rule| rule.gain),
                        ..drive
                    });
                }
                None => self.report.find(
                    FindingKind::Broken,
                    format!("the joint `{}` is scaled to nothing", self.rig.nodes[*node].name),
                    "export the character with a scale that is not 0",
                ),
            }
        }
    }

    /// The nodes that play a part, best first, and the rule of a profile by which they do.
    fn nodes_of(&mut self, joint: Joint) -> Vec<(usize, Option<JointRule>)> {
        // The profile of the mouth goes before the others.
        let order =
            self.mouth_by.into_iter().chain((0..self.profiles.len()).filter(|index| Some(*index) != self.mouth_by));
        let order: Vec<usize> = order.collect();
        // Whether it bends no skin; which source (0: the file itself says so); index of the rule; how good the name is; which node.
        let mut candidates: Vec<(bool, usize, usize, usize, usize)> = Vec::new();
        let mut rules: Vec<JointRule> = Vec::new();
        for (node, offered) in self.rig.nodes.iter().enumerate() {
            if offered.part == Some(joint) {
                candidates.push((false, 0, usize::MAX, 0, node));
            }
            for (rank, profile) in order.iter().enumerate() {
                if let Some((rule, name)) =
                    self.profiles[*profile].joint(&offered.name).filter(|(rule, _)| rule.joint == joint)
                {
                    let index = rules.iter().position(|known| known == rule).unwrap_or_else(|| {
                        rules.push(rule.clone());
                        rules.len() - 1
                    });
                    candidates.push((!offered.bends_skin, rank + 1, index, name, node));
                }
            }
        }
        candidates.sort_unstable();
        if let Some((loose, source, ..)) = candidates.first().copied() {
            let mut nodes: Vec<(usize, Option<JointRule>)> = Vec::new();
            let mut last = None;
            for (.., rule, _, node) in candidates.into_iter().filter(|c| c.0 == loose && c.1 == source) {
                if last != Some(rule) {
                    last = Some(rule);
                    nodes.push((node, rules.get(rule).cloned()));
                }
            }
            return nodes;
        }
        let by_words = self.rig.nodes.iter().position(|node| node.bends_skin && words_say(&node.name, joint));
        if let Some(node) = by_words {
            self.report.find(
                FindingKind::Doubtful,
                format!(
                    "`{}` is taken for the joint of the {joint}, by the words in its name",
                    self.rig.nodes[node].name
                ),
                "name it in a profile if that is right, or another one if it is not",
            );
        }
        by_words.into_iter().map(|node| (node, None)).collect()
    }

    fn finish(mut self) -> (Binding, BindingReport) {
        let mut moved = self.covered;
        for drive in &self.binding.joints {
            moved.extend(drive.terms.iter().map(|term| term.channel));
            match drive.joint {
                Joint::LeftEye if drive.rigid > 0.0 => moved.extend(LEFT_LOOK),
                Joint::RightEye if drive.rigid > 0.0 => moved.extend(RIGHT_LOOK),
                _ => {}
            }
        }
        self.report.missing = FaceChannel::ALL
            .into_iter()
            .filter(|channel| !channel.is_tongue_shape() && !moved.contains(channel))
            .collect();
        for (region, remedy) in [
            (FaceRegion::Mouth, "shapes with the ARKit names, a profile that names them, or `talkie transfer`"),
            (FaceRegion::Eyes, "shapes eyeBlink and eyeLook for both sides, or joints for eyes and lids"),
            (FaceRegion::Brows, "shapes browInnerUp, browOuterUp and browDown, or joints for the brows"),
        ] {
            let names: Vec<&str> = self
                .report
                .missing
                .iter()
                .filter(|channel| channel.region() == region)
                .map(|channel| channel.name())
                .collect();
            if !names.is_empty() {
                self.report.find(FindingKind::Missing, format!("nothing answers to {}", names.join(" ")), remedy);
            }
        }
        if self.report.shapes.is_empty() && self.binding.joints.is_empty() {
            self.report.find(
                FindingKind::Broken,
                "no morph targets with known names and no face joints",
                "name the shapes as ARKit does, or say in a profile which is which",
            );
        }
        for (mesh, mut targets) in self.drives {
            targets.sort_by_key(|target| (target.shape, target.control));
            self.binding.shapes.push(ShapeDrive { mesh, targets });
        }
        (self.binding, self.report)
    }
}

/// How much of a region a profile knows.
fn score(known: &[Known], region: FaceRegion) -> f32 {
    let mut channels: BTreeMap<FaceChannel, f32> = BTreeMap::new();
    for Known { rule, .. } in known.iter().filter(|known| self::region(&known.rule) == region) {
        let worth = if rule.shows.is_empty() { 1.0 } else { SHOWN };
        for channel in rule.mix().keys().filter(|channel| channel.region() == region) {
            let best = channels.entry(*channel).or_default();
            *best = best.max(worth);
        }
    }
    channels.values().sum()
}

/// What a face looks like with a shape alone at 1.
fn posture(rule: &ShapeRule) -> [f32; CHANNEL_COUNT] {
    let mut posture = [0.0; CHANNEL_COUNT];
    for (channel, weight) in &rule.shows {
        posture[channel.index()] = *weight;
    }
    if rule.shows.is_empty() {
        // The least posture that gives this row a weight of 1.
        let norm: f32 = rule.from.values().map(|factor| factor * factor).sum();
        for (channel, factor) in &rule.from {
            posture[channel.index()] = factor / norm;
        }
    }
    posture
}

fn is_vowel(name: &str) -> bool {
    matches!(name, "aa" | "ih" | "ou" | "ee" | "oh" | "a" | "i" | "u" | "e" | "o")
}

fn is_blink(name: &str) -> bool {
    matches!(name, "blink" | "blinkLeft" | "blinkRight" | "blink_l" | "blink_r")
}

fn is_look(name: &str) -> bool {
    matches!(name, "lookUp" | "lookDown" | "lookLeft" | "lookRight" | "lookup" | "lookdown" | "lookleft" | "lookright")
}

/// Whether the words of a name say that a node is this joint: `C_jaw_jnt`, `LeftEyeball`.
fn words_say(name: &str, joint: Joint) -> bool {
    let mut words: Vec<String> = Vec::new();
    let mut before = ' ';
    for letter in name.chars() {
        let starts =
            !letter.is_alphabetic() || (letter.is_uppercase() && !before.is_uppercase()) || !before.is_alphabetic();
        if starts || words.is_empty() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| letter.is_alphabetic()) {
            word.extend(letter.to_lowercase());
        }
        before = letter;
    }
    let has = |known: &[&str]| words.iter().any(|word| known.contains(&word.as_str()));
    let part = [
        "lid", "eyelid", "brow", "eyebrow", "lash", "eyelash", "blink", "target", "aim", "end", "tip", "teeth",
        "tongue", "lip", "corner", "upper", "lower", "top", "bot", "bottom", "socket", "muscle", "bag", "lookat",
        "look", "at", "nub",
    ];
    if has(&part) {
        return false;
    }
    let (left, right) = (has(&["l", "left", "lf"]), has(&["r", "right", "rt"]));
    match joint {
        Joint::Head => has(&["head"]),
        Joint::Neck => has(&["neck"]),
        Joint::Jaw => has(&["jaw", "mandible"]) && !left && !right,
        Joint::LeftEye => has(&["eye", "eyeball"]) && left && !right,
        Joint::RightEye => has(&["eye", "eyeball"]) && right && !left,
        _ => false,
    }
}

/// What channels do to a joint.
fn terms(joint: Joint, rule: Option<&JointRule>) -> Vec<JointTerm> {
    let radians = |turn: [f32; 3]| Vec3::from_array(turn.map(f32::to_radians));
    let Some(rule) = rule.filter(|rule| rule.turn.is_some() || rule.shift.is_some()) else {
        let usual = joint.motion();
        return usual
            .into_iter()
            .map(|motion| JointTerm { channel: motion.channel, turn: radians(motion.turn), shift: motion.shift.into() })
            .collect();
    };
    let mut terms: BTreeMap<FaceChannel, (Vec3, Vec3)> = BTreeMap::new();
    for (channel, turn) in rule.turn.iter().flatten() {
        terms.entry(*channel).or_default().0 = radians(*turn);
    }
    for (channel, shift) in rule.shift.iter().flatten() {
        terms.entry(*channel).or_default().1 = (*shift).into();
    }
    terms.into_iter().map(|(channel, (turn, shift))| JointTerm { channel, turn, shift }).collect()
}

/// A joint with its axes, not moved by anything yet.
fn drive(joint: Joint, node: usize, rig: &Rig<'_>, places: &[Affine3A], facing: &Facing) -> Option<JointDrive> {
    let inverse = |matrix: Mat3| (matrix.determinant().abs() > 1e-18).then(|| matrix.inverse());
    let above = rig.nodes[node].parent.map_or(Mat3::IDENTITY, |parent| places[parent].matrix3.into());
    let axes = inverse(places[node].matrix3.into())? * facing.axes;
    // A reflection turns like the rotation that is left of it.
    let axes = axes * axes.determinant().signum();
    let column = |axis: Vec3| axis.try_normalize();
    let (x, y) = (column(axes.x_axis)?, column(axes.y_axis)?);
    let y = y.reject_from(x).try_normalize()?;
    Some(JointDrive {
        node,
        joint,
        frame: Quat::from_mat3(&Mat3::from_cols(x, y, x.cross(y))).normalize(),
        shift_frame: inverse(above)? * facing.axes * facing.eye_distance,
        terms: Vec::new(),
        rigid: 0.0,
        gain: 1.0,
    })
}

/// From a hinge to a node, along the axes of the face, in distances between the eyes.
fn arm(facing: &Facing, places: &[Affine3A], node: usize, hinge: usize) -> Vec3 {
    facing.axes.transpose() * Vec3::from(places[node].translation - places[hinge].translation) / facing.eye_distance
}

/// Lets a joint of lips or tongue make its share of what the jaw does: by itself as far as it does not hang on it.
#[expect(clippy::type_complexity, reason = "what was found of the jaw")]
fn follow_jaw(
    joint: Joint,
    node: usize,
    jaw: Option<(usize, Option<&(Joint, usize, Option<JointRule>)>)>,
    rig: &Rig<'_>,
    places: &[Affine3A],
    facing: &Facing,
    terms: &mut Vec<JointTerm>,
) {
    let share = joint.jaw_share();
    let Some((jaw, rule)) = jaw else {
        // Without a joint for the jaw: what the lower lip of the default characters does.
        let shift = Vec3::new(0.0, -0.587, -0.341) * share;
        terms.push(JointTerm { channel: FaceChannel::JawOpen, turn: Vec3::ZERO, shift });
        return;
    };
    let share = share - f32::from(u8::from(rig.is_below(node, jaw)));
    let arm = arm(facing, places, node, jaw);
    let rule = rule.and_then(|(.., rule)| rule.as_ref());
    for term in self::terms(Joint::Jaw, rule) {
        let moved = (Quat::from_scaled_axis(term.turn) * arm - arm + term.shift) * share;
        match terms.iter_mut().find(|own| own.channel == term.channel) {
            Some(own) => own.shift += moved,
            None => terms.push(JointTerm { channel: term.channel, turn: Vec3::ZERO, shift: moved }),
        }
    }
}
