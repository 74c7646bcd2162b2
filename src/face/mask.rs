//! Which channels of a face are seen.

use bevy_ecs::component::Component;
use bevy_math::{Quat, Vec2, Vec3};
use talkie::animation::{FaceChannel, FacePose};

/// Mutes channels of a face, or shows a few of them alone, as on a mixing desk: to find out what moves a face, and what each channel
/// does. Optional, on the entity of a [`TalkingFace`](super::TalkingFace); by default everything is shown.
///
/// It acts on the [`LivePose`](super::LivePose) after all layers. What the rigid parts say of a channel that is not shown is not
/// shown either: the jaw for `jawOpen`, the gaze for the `eyeLook` channels. The head has no channel and goes on.
#[derive(Component, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChannelMask {
    /// A bit for every channel, by its index.
    muted: u128,
    soloed: u128,
}

impl ChannelMask {
    /// Mutes a channel, or lets it be seen again.
    pub fn set_muted(&mut self, channel: FaceChannel, muted: bool) {
        set(&mut self.muted, channel, muted);
    }

    /// Shows a channel alone, with the others that are shown alone, or takes it back.
    pub fn set_soloed(&mut self, channel: FaceChannel, soloed: bool) {
        set(&mut self.soloed, channel, soloed);
    }

    /// Whether a channel is muted.
    pub fn is_muted(&self, channel: FaceChannel) -> bool {
        self.muted & bit(channel) != 0
    }

    /// Whether a channel is shown alone.
    pub fn is_soloed(&self, channel: FaceChannel) -> bool {
        self.soloed & bit(channel) != 0
    }

    /// Whether a channel is seen: not muted, and shown alone if any is. One that is both is muted.
    pub fn shows(&self, channel: FaceChannel) -> bool {
        !self.is_muted(channel) && (self.soloed == 0 || self.is_soloed(channel))
    }

    /// Whether it hides nothing.
    pub fn shows_all(&self) -> bool {
        *self == Self::default()
    }

    /// Puts what is not seen to rest.
    pub fn apply(&self, pose: &mut FacePose) {
        use FaceChannel::{
            EyeLookDownLeft, EyeLookDownRight, EyeLookInLeft, EyeLookInRight, EyeLookOutLeft, EyeLookOutRight,
            EyeLookUpLeft, EyeLookUpRight,
        };
        if self.shows_all() {
            return;
        }
        for (weight, channel) in pose.weights.iter_mut().zip(FaceChannel::ALL) {
            if !self.shows(channel) {
                *weight = 0.0;
            }
        }
        if !self.shows(FaceChannel::JawOpen) {
            (pose.jaw_rotation, pose.jaw_translation) = (Quat::IDENTITY, Vec3::ZERO);
        }
        // Left, right, up, down.
        let seen = |gaze: Vec2, [left, right, up, down]: [FaceChannel; 4]| {
            let part = |angle: f32, positive, negative| {
                let direction = if angle > 0.0 { positive } else { negative };
                if self.shows(direction) { angle } else { 0.0 }
            };
            Vec2::new(part(gaze.x, left, right), part(gaze.y, up, down))
        };
        pose.left_eye = seen(pose.left_eye, [EyeLookOutLeft, EyeLookInLeft, EyeLookUpLeft, EyeLookDownLeft]);
        pose.right_eye = seen(pose.right_eye, [EyeLookInRight, EyeLookOutRight, EyeLookUpRight, EyeLookDownRight]);
    }
}

fn bit(channel: FaceChannel) -> u128 {
    1 << channel.index()
}

fn set(bits: &mut u128, channel: FaceChannel, on: bool) {
    if on {
        *bits |= bit(channel);
    } else {
        *bits &= !bit(channel);
    }
}

#[cfg(test)]
mod tests {
    use FaceChannel::{EyeLookOutLeft, JawOpen, MouthPucker};

    use super::*;

    fn masked(mask: ChannelMask) -> FacePose {
        let mut pose = FacePose { weights: [0.5; _], ..FacePose::REST };
        pose.jaw_rotation = Quat::from_rotation_x(0.2);
        (pose.left_eye, pose.right_eye) = (Vec2::new(0.1, -0.1), Vec2::new(0.1, -0.1));
        mask.apply(&mut pose);
        pose
    }

    #[test]
    fn what_is_muted_rests_and_the_rest_goes_on() {
        let mut mask = ChannelMask::default();
        mask.set_muted(JawOpen, true);
        mask.set_muted(EyeLookOutLeft, true);
        let pose = masked(mask);
        assert_eq!((pose.weight(JawOpen), pose.weight(MouthPucker)), (0.0, 0.5));
        assert_eq!(pose.jaw_rotation, Quat::IDENTITY);
        assert_eq!((pose.left_eye, pose.right_eye), (Vec2::new(0.0, -0.1), Vec2::new(0.1, -0.1)));
        mask.set_muted(JawOpen, false);
        mask.set_muted(EyeLookOutLeft, false);
        assert!(mask.shows_all());
        assert_eq!(masked(mask).weights, [0.5; _]);
    }

    #[test]
    fn what_is_soloed_is_seen_alone_but_not_what_is_muted_too() {
        let mut mask = ChannelMask::default();
        mask.set_soloed(JawOpen, true);
        mask.set_soloed(MouthPucker, true);
        mask.set_muted(MouthPucker, true);
        let pose = masked(mask);
        let seen: Vec<FaceChannel> = FaceChannel::ALL.into_iter().filter(|c| pose.weight(*c) != 0.0).collect();
        assert_eq!(seen, [JawOpen]);
        assert_eq!((pose.left_eye, pose.jaw_rotation), (Vec2::ZERO, Quat::from_rotation_x(0.2)));
    }
}
