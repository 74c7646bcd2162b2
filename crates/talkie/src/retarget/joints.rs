//! Finding the joints of a face, and how each is moved.

use std::collections::BTreeMap;

use glam::{Affine3A, Mat3, Quat, Vec3};

use super::{
    BoundJoint, FindingKind, Joint, JointDrive, JointRule, Rig,
    bind::{Binder, LEFT_LOOK, RIGHT_LOOK},
    mixer::JointTerm,
    rig::Facing,
};
use crate::animation::FaceChannel;

/// How a turn of the head is shared with a neck.
const NECK_SHARE: f32 = 0.35;
/// A lid whose joint is so near to that of its eye turns about it; in distances between the eyes, as is the radius of an eye.
const LID_TURNS: f32 = 0.12;
const EYE_RADIUS: f32 = 0.2;

impl Binder<'_> {
    pub(super) fn bind_joints(&mut self) {
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
