//! Finding the joints of a face, and how each is moved.

use std::collections::BTreeMap;

use glam::{Affine3A, Mat3, Quat, Vec3};

use super::{BoundJoint, FindingKind, Joint, JointDrive, JointRule, Rig, bind::Binder, mixer::JointTerm, rig::Facing};
use crate::animation::FaceChannel;

/// How a turn of the head is shared with a neck.
const NECK_SHARE: f32 = 0.35;
/// A lid whose joint is so near to that of its eye turns about it; in distances between the eyes, as is the radius of an eye.
const LID_TURNS: f32 = 0.12;
const EYE_RADIUS: f32 = 0.2;

impl Binder<'_> {
    pub(super) fn bind_joints(&mut self) {
        let places = self.rig.placed();
        let mut found: Vec<Found> = Vec::new();
        for joint in Joint::ALL {
            found.extend(self.nodes_of(joint).into_iter().map(|(node, rule)| Found { joint, node, rule }));
        }
        let at = |joint: Joint| found.iter().find(|found| found.joint == joint).map(|found| found.node);
        let facing = Facing::of(self.rig, &places, at);
        let skeleton = Skeleton { rig: self.rig, places, facing, found: &found };
        for found in &found {
            let Some(mut terms) = skeleton.terms(found, self.covered.contains(&FaceChannel::MouthClose)) else {
                continue;
            };
            let beside = found.rule.as_ref().is_some_and(|rule| rule.beside_shapes);
            let free = |channel: FaceChannel| beside || !self.covered.contains(&channel);
            terms.retain(|term| free(term.channel));
            let if_any = |channels: &[FaceChannel]| if channels.iter().any(|c| free(*c)) { 1.0 } else { 0.0 };
            let (rigid, reason) = match found.joint {
                Joint::Jaw => (if_any(&[FaceChannel::JawOpen]), "the shape jawOpen moves the jaw"),
                Joint::LeftEye | Joint::RightEye => {
                    (found.joint.gaze().map_or(0.0, |look| if_any(&look)), "the eyeLook shapes move the eye")
                }
                Joint::Head if skeleton.at(Joint::Neck).is_some() => (1.0 - NECK_SHARE, ""),
                Joint::Neck if skeleton.at(Joint::Head).is_some() => (NECK_SHARE, ""),
                Joint::Head => (1.0, ""),
                _ => (0.0, "shapes move what it would"),
            };
            // A jaw whose opening is a shape is left to shapes altogether.
            let idle = (rigid == 0.0 && (terms.is_empty() || found.joint == Joint::Jaw)).then_some(reason);
            let node = self.rig.nodes[found.node].name.clone();
            self.report.joints.push(BoundJoint { joint: found.joint, node: node.clone(), idle });
            if idle.is_some() {
                continue;
            }
            match skeleton.drive(found) {
                Some(drive) => self.rules.joints.push(JointDrive { terms, rigid, ..drive }),
                None => self.report.find(
                    FindingKind::Broken,
                    format!("the joint `{node}` is scaled to nothing"),
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

/// A node that plays a part, and the rule of a profile by which it does.
struct Found {
    joint: Joint,
    node: usize,
    rule: Option<JointRule>,
}

/// All joints of a character at rest.
struct Skeleton<'a> {
    rig: &'a Rig<'a>,
    places: Vec<Affine3A>,
    facing: Facing,
    found: &'a [Found],
}

impl Skeleton<'_> {
    /// The first node that plays a part.
    fn at(&self, joint: Joint) -> Option<usize> {
        self.found.iter().find(|found| found.joint == joint).map(|found| found.node)
    }

    /// From one node to another, along the axes of the face, in distances between the eyes.
    fn arm(&self, from: usize, to: usize) -> Vec3 {
        let arm = Vec3::from(self.places[to].translation - self.places[from].translation);
        self.facing.axes.transpose() * arm / self.facing.eye_distance
    }

    /// What channels do to a joint, given whether a shape answers to `mouthClose`; `None` if another joint takes it along.
    fn terms(&self, found: &Found, mouth_closes: bool) -> Option<Vec<JointTerm>> {
        let mut terms = terms(found.joint, found.rule.as_ref());
        match found.joint {
            Joint::Jaw => {
                let lips_close = self.at(Joint::LowerLip).or(self.at(Joint::LeftLowerLip)).is_some();
                let open = terms.iter().find(|term| term.channel == FaceChannel::JawOpen).copied();
                if let Some(open) = open.filter(|_| !lips_close && !mouth_closes) {
                    terms.push(JointTerm { channel: FaceChannel::MouthClose, turn: -open.turn, shift: -open.shift });
                }
                // A jaw of several pieces turns about the hinge of the first.
                if let Some(hinge) = self.at(Joint::Jaw).filter(|hinge| *hinge != found.node) {
                    if self.rig.is_below(found.node, hinge) {
                        return None;
                    }
                    let arm = self.arm(hinge, found.node);
                    terms.iter_mut().for_each(|term| term.shift += moved(arm, term));
                }
            }
            Joint::LeftUpperLid | Joint::LeftLowerLid => self.turn_lid(found.node, Joint::LeftEye, &mut terms),
            Joint::RightUpperLid | Joint::RightLowerLid => self.turn_lid(found.node, Joint::RightEye, &mut terms),
            joint if joint.jaw_share() > 0.0 => self.follow_jaw(found, &mut terms),
            _ => {}
        }
        Some(terms)
    }

    /// A lid whose joint is that of its eye turns about it.
    fn turn_lid(&self, lid: usize, eye: Joint, terms: &mut [JointTerm]) {
        if self.at(eye).is_some_and(|eye| self.arm(eye, lid).length() < LID_TURNS) {
            for term in terms {
                (term.turn, term.shift) = (Vec3::new(-term.shift.y / EYE_RADIUS, 0.0, 0.0), Vec3::ZERO);
            }
        }
    }

    /// Lets a joint of lips or tongue make its share of what the jaw does: by itself as far as it does not hang on it.
    fn follow_jaw(&self, found: &Found, terms: &mut Vec<JointTerm>) {
        let share = found.joint.jaw_share();
        let Some(jaw) = self.found.iter().find(|other| other.joint == Joint::Jaw) else {
            // Without a joint for the jaw: what the lower lip of the default characters does.
            let shift = Vec3::new(0.0, -0.587, -0.341) * share;
            terms.push(JointTerm { channel: FaceChannel::JawOpen, turn: Vec3::ZERO, shift });
            return;
        };
        let share = share - if self.rig.is_below(found.node, jaw.node) { 1.0 } else { 0.0 };
        let arm = self.arm(jaw.node, found.node);
        for term in self::terms(Joint::Jaw, jaw.rule.as_ref()) {
            let shift = (moved(arm, &term) + term.shift) * share;
            match terms.iter_mut().find(|own| own.channel == term.channel) {
                Some(own) => own.shift += shift,
                None => terms.push(JointTerm { channel: term.channel, turn: Vec3::ZERO, shift }),
            }
        }
    }

    /// A joint with its axes, not moved by anything yet. `None` if it has no size.
    fn drive(&self, found: &Found) -> Option<JointDrive> {
        let inverse = |matrix: Mat3| (matrix.determinant().abs() > 1e-18).then(|| matrix.inverse());
        let above = self.rig.nodes[found.node].parent;
        let above = above.map_or(Mat3::IDENTITY, |parent| self.places[parent].matrix3.into());
        let axes = inverse(self.places[found.node].matrix3.into())? * self.facing.axes;
        // A reflection turns like the rotation that is left of it.
        let axes = axes * axes.determinant().signum();
        let x = axes.x_axis.try_normalize()?;
        let y = axes.y_axis.try_normalize()?.reject_from(x).try_normalize()?;
        Some(JointDrive {
            node: found.node,
            joint: found.joint,
            frame: Quat::from_mat3(&Mat3::from_cols(x, y, x.cross(y))).normalize(),
            shift_frame: inverse(above)? * self.facing.axes * self.facing.eye_distance,
            terms: Vec::new(),
            rigid: 0.0,
            gain: found.rule.as_ref().map_or(1.0, |rule| rule.gain),
        })
    }
}

/// Where the end of an arm goes when its beginning turns.
fn moved(arm: Vec3, term: &JointTerm) -> Vec3 {
    Quat::from_scaled_axis(term.turn) * arm - arm
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
