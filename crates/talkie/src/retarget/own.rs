//! A profile of one character, made from how it was bound.

use super::{BindingReport, JointRule, RigProfile, ShapeRule, bind::region, profile::KnownShape};
use crate::animation::FaceRegion;

impl BindingReport {
    /// A profile that binds this character as `profiles` did, those that it was bound by: a rule for each of its shapes and joints,
    /// by the names in the file. To be edited and saved as the character's own.
    pub fn own_profile(&self, name: impl Into<String>, profiles: &[&RigProfile]) -> RigProfile {
        let mut names: Vec<&str> = self.profiles.iter().map(|(_, name)| name.as_str()).collect();
        names.dedup();
        let about = format!("Made from {}.", names.join(", "));
        let mut own = RigProfile { name: name.into(), about, ..RigProfile::default() };
        let of_mouth = self.profiles.iter().find(|(region, _)| *region == FaceRegion::Mouth);
        own.fit = profiles.iter().any(|profile| profile.fit && of_mouth.is_some_and(|(_, name)| *name == profile.name));
        own.shapes = self.own_shapes(profiles);
        own.joints = self.own_joints(profiles);
        own
    }

    fn own_shapes(&self, profiles: &[&RigProfile]) -> Vec<ShapeRule> {
        let mut rules: Vec<((usize, KnownShape), ShapeRule)> = Vec::new();
        for bound in &self.shapes {
            if rules.iter().any(|(_, rule)| rule.names.contains(&bound.shape)) {
                continue;
            }
            let bound_by = |profile: &RigProfile| {
                self.profiles.iter().any(|(of, name)| *of == region(&bound.mix) && *name == profile.name)
            };
            let found =
                profiles.iter().enumerate().filter(|(_, profile)| bound_by(profile)).find_map(|(at, profile)| {
                    let (known, _) = profile.shape(&bound.shape)?;
                    let rule = match known {
                        KnownShape::Rule(index) => profile.shapes[index].clone(),
                        KnownShape::Channel(channel) => ShapeRule::channel(channel),
                    };
                    (*rule.mix() == bound.mix).then_some(((at, known), rule))
                });
            let Some((key, rule)) = found else { continue };
            match rules.iter_mut().find(|(known, _)| *known == key) {
                Some((_, rule)) => rule.names.push(bound.shape.clone()),
                None => rules.push((key, ShapeRule { names: vec![bound.shape.clone()], ..rule })),
            }
        }
        rules.into_iter().map(|(_, rule)| rule).collect()
    }

    fn own_joints(&self, profiles: &[&RigProfile]) -> Vec<JointRule> {
        // The profile of the mouth goes before the others, as it did.
        let of_mouth = self.profiles.first().map(|(_, name)| name);
        let (first, others): (Vec<&RigProfile>, Vec<&RigProfile>) =
            profiles.iter().partition(|profile| Some(&profile.name) == of_mouth);
        let mut rules: Vec<JointRule> = Vec::new();
        for bound in &self.joints {
            if rules.iter().any(|rule| rule.names.contains(&bound.node)) {
                continue;
            }
            let known = first.iter().chain(&others).find_map(|profile| {
                profile.joint(&bound.node).map(|(rule, _)| rule).filter(|rule| rule.joint == bound.joint)
            });
            let plain = || JointRule {
                joint: bound.joint,
                names: Vec::new(),
                beside_shapes: false,
                turn: None,
                shift: None,
                gain: 1.0,
            };
            let rule = known.cloned().unwrap_or_else(plain);
            rules.push(JointRule { names: vec![bound.node.clone()], ..rule });
        }
        rules
    }
}

#[cfg(test)]
mod tests {
    use glam::{Quat, Vec3};

    use super::super::{Binding, Rig, RigMesh, RigNode, bind};
    use super::*;
    use crate::animation::{FaceChannel, FacePose};

    /// What a binding makes of a pose: the weights of all shapes, and the turns and shifts of all joints.
    fn shown(binding: &mut Binding, pose: &FacePose) -> (Vec<f32>, Vec<(Quat, Vec3)>) {
        binding.follow(pose);
        let targets = binding.shapes().iter().flat_map(|drive| &drive.targets);
        let weights = targets.map(|target| binding.weight(core::slice::from_ref(target))).collect();
        (weights, binding.joints().iter().map(|drive| drive.motion(pose)).collect())
    }

    fn node(name: &str, parent: Option<usize>, translation: Vec3) -> RigNode {
        let rotation = Quat::from_rotation_x(0.2);
        RigNode { name: name.into(), parent, translation, rotation, scale: Vec3::ONE, bends_skin: true, part: None }
    }

    fn rig(shapes: &[&str], joints: &[(&str, Option<usize>, Vec3)]) -> Rig<'static> {
        let shapes: Vec<String> = shapes.iter().map(|shape| (*shape).into()).collect();
        let mesh = |name: &str| RigMesh { name: name.into(), shapes: shapes.clone(), displacements: None };
        let nodes = joints.iter().map(|(name, parent, at)| node(name, *parent, *at)).collect();
        Rig { meshes: vec![mesh("face"), mesh("teeth")], nodes, ..Rig::default() }
    }

    #[test]
    fn the_own_profile_of_a_character_binds_it_as_it_was() {
        let arkit = ["jaw_open", "BS_node.mouthClose", "mouthFunnel", "eyeBlink_L", "browInnerUp", "Muscles"];
        let visemes = [
            "viseme_aa",
            "viseme_E",
            "viseme_I",
            "viseme_O",
            "viseme_U",
            "viseme_PP",
            "viseme_FF",
            "eyeBlinkLeft",
            "browInnerUp",
            "mouthSmile",
        ];
        let daz = ["eCTRLMouthOpen", "PHMMouthOpen", "eCTRLvAA", "eCTRLvM", "eCTRLEyesClosedL"];
        let joints = [
            ("head", None, Vec3::Y),
            ("C_jaw_jnt", Some(0), Vec3::Z * 0.1),
            ("LeftEye", Some(0), Vec3::new(0.03, 0.1, 0.1)),
            ("RightEye", Some(0), Vec3::new(-0.03, 0.1, 0.1)),
        ];
        let builtin: Vec<&RigProfile> = RigProfile::builtin().iter().collect();
        for (shapes, joints) in
            [(&arkit[..], &joints[..]), (&visemes[..], &joints[..1]), (&daz[..], &[]), (&[][..], &joints[..])]
        {
            let rig = rig(shapes, joints);
            let (mut before, mut report) = bind(&rig, &builtin);
            let own = report.own_profile("ours", &builtin);
            assert_eq!(RigProfile::parse(&own.to_ron().expect("it makes sense")).as_ref(), Ok(&own));
            let (mut after, mut again) = bind(&rig, &[&own]);
            for report in [&mut report, &mut again] {
                report.shapes.sort_by(|a, b| (&a.mesh, &a.shape).cmp(&(&b.mesh, &b.shape)));
            }
            assert_eq!(report.shapes, again.shapes);
            assert_eq!(report.joints, again.joints);
            assert_eq!(report.missing, again.missing);
            for channel in FaceChannel::ALL {
                let mut pose = FacePose::REST;
                pose.set(FaceChannel::JawOpen, 0.3);
                pose.set(channel, 0.8);
                assert_eq!(shown(&mut before, &pose), shown(&mut after, &pose), "{channel} of {shapes:?}");
            }
        }
    }
}
