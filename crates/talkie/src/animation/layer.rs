//! What is shown besides speech.

use super::{CHANNEL_COUNT, FaceChannel, FacePose};

/// How much of what is added to corners of the mouth, cheeks and nose remains while the face speaks.
const WHILE_SPEAKING: f32 = 0.45;

impl FacePose {
    /// Adds the weights of an expression to a face of which `speaking` (0..=1) belongs to speech; weights end within 0..=1.
    ///
    /// Brows, lids and gaze show it in full. While the face speaks, corners of the mouth, cheeks and nose show a good part of
    /// it, so that a smile is seen in speech; jaw, lips and tongue are left to speech, so that lips which close for a P or
    /// round for an O do. Values that are not finite are passed over.
    pub fn add_expression(&mut self, weights: &[f32; CHANNEL_COUNT], speaking: f32) {
        let speaking = if speaking.is_nan() { 0.0 } else { speaking.clamp(0.0, 1.0) };
        for (in_speech, (weight, added)) in SHARES_IN_SPEECH.iter().zip(self.weights.iter_mut().zip(weights)) {
            let shown = (*weight + added * (1.0 - (1.0 - in_speech) * speaking)).clamp(0.0, 1.0);
            let is_some = *added != 0.0 && added.is_finite();
            *weight = if is_some { shown } else { *weight };
        }
    }
}

/// How much an expression moves a channel while the face speaks.
const fn share_in_speech(channel: FaceChannel) -> f32 {
    use FaceChannel::{
        CheekSquintLeft, CheekSquintRight, MouthDimpleLeft, MouthDimpleRight, MouthFrownLeft, MouthFrownRight,
        MouthSmileLeft, MouthSmileRight, NoseSneerLeft, NoseSneerRight,
    };
    match channel {
        _ if channel.is_upper_face() => 1.0,
        MouthSmileLeft | MouthSmileRight | MouthFrownLeft | MouthFrownRight | MouthDimpleLeft | MouthDimpleRight
        | CheekSquintLeft | CheekSquintRight | NoseSneerLeft | NoseSneerRight => WHILE_SPEAKING,
        _ => 0.0,
    }
}

/// The same for all channels.
const SHARES_IN_SPEECH: [f32; CHANNEL_COUNT] = {
    let mut shares = [0.0; CHANNEL_COUNT];
    let mut index = 0;
    while index < CHANNEL_COUNT {
        shares[index] = share_in_speech(FaceChannel::ALL[index]);
        index += 1;
    }
    shares
};

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(channel: FaceChannel, weight: f32, speaking: f32) -> f32 {
        let mut weights = [0.0; CHANNEL_COUNT];
        weights[channel.index()] = weight;
        let mut pose = FacePose::REST;
        pose.add_expression(&weights, speaking);
        pose.weight(channel)
    }

    #[test]
    fn speech_keeps_the_lips_shares_the_corners_and_leaves_the_brows() {
        for (channel, in_speech) in [
            (FaceChannel::BrowInnerUp, 0.6),
            (FaceChannel::MouthSmileLeft, 0.6 * WHILE_SPEAKING),
            (FaceChannel::JawOpen, 0.0),
            (FaceChannel::MouthUpperUpRight, 0.0),
        ] {
            assert_eq!(shown(channel, 0.6, 0.0), 0.6, "{channel}");
            assert!((shown(channel, 0.6, 1.0) - in_speech).abs() < 1e-6, "{channel}");
            assert_eq!(shown(channel, 0.6, f32::NAN), 0.6, "{channel}");
        }
    }

    #[test]
    fn what_is_not_a_number_adds_nothing_and_too_much_is_full() {
        assert_eq!(shown(FaceChannel::JawOpen, f32::NAN, 0.0), 0.0);
        assert_eq!(shown(FaceChannel::JawOpen, f32::INFINITY, 0.0), 0.0);
        assert_eq!(shown(FaceChannel::BrowDownLeft, 7.0, 0.0), 1.0);
        assert_eq!(shown(FaceChannel::BrowDownLeft, -7.0, 0.0), 0.0);
    }
}
