//! How a face shows an emotion.

use super::FACE_EMOTIONS;
use crate::animation::{CHANNEL_COUNT, FaceChannel};

/// One of [`FACE_EMOTIONS`]. The discriminant is the index there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Emotion {
    /// Surprise, in good or ill.
    Amazement,
    /// Hot or held back; the lips are pressed, so it does not shout.
    Anger,
    /// A smirk: one corner of the mouth and the other brow.
    Cheekiness,
    /// As of a bad smell.
    Disgust,
    /// Of what is seen: the eyes are wide.
    Fear,
    /// Close to tears; stronger than [`Sadness`](Self::Sadness).
    Grief,
    /// A smile in which the eyes take part.
    Joy,
    /// Panting after a run.
    OutOfBreath,
    /// Of the body.
    Pain,
    /// Quiet, to be worn for long.
    Sadness,
}

impl Emotion {
    /// All ten, in the order of [`FACE_EMOTIONS`].
    pub const ALL: [Self; FACE_EMOTIONS.len()] = [
        Self::Amazement,
        Self::Anger,
        Self::Cheekiness,
        Self::Disgust,
        Self::Fear,
        Self::Grief,
        Self::Joy,
        Self::OutOfBreath,
        Self::Pain,
        Self::Sadness,
    ];

    /// Index into [`FACE_EMOTIONS`] and into every vector in its order.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The name in [`FACE_EMOTIONS`].
    pub const fn name(self) -> &'static str {
        FACE_EMOTIONS[self.index()]
    }

    /// The emotion of exactly this name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|emotion| emotion.name() == name)
    }

    /// The weights by which a silent face shows this emotion in full, each in 0..=1; channels that are not named rest.
    pub fn expression(self) -> impl Iterator<Item = (FaceChannel, f32)> {
        let weights = ACTIONS[self.index()].iter();
        weights.flat_map(|(channels, weight)| channels.iter().map(move |channel| (*channel, *weight)))
    }
}

impl core::fmt::Display for Emotion {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

/// The weights of all channels by which a silent face shows a mix of emotions, in the order of [`FACE_EMOTIONS`].
///
/// Values are clamped to 0..=1, what is not a number counts as 0. Several emotions share the face: where the vector is longer
/// than 1 it is shortened to 1, so that two in full show at 0.71 each and a mix is never stronger than its parts can be.
pub fn expression(emotions: &[f32; FACE_EMOTIONS.len()]) -> [f32; CHANNEL_COUNT] {
    let intensity = |emotion: Emotion| {
        let value = emotions[emotion.index()];
        if value.is_nan() { 0.0 } else { value.clamp(0.0, 1.0) }
    };
    let length = Emotion::ALL.into_iter().map(|emotion| intensity(emotion).powi(2)).sum::<f32>().sqrt();
    let share = 1.0 / length.max(1.0);
    let mut weights = [0.0; CHANNEL_COUNT];
    for emotion in Emotion::ALL {
        let intensity = intensity(emotion) * share;
        if intensity > 0.0 {
            for (channel, weight) in emotion.expression() {
                weights[channel.index()] += weight * intensity;
            }
        }
    }
    weights.iter_mut().for_each(|weight| *weight = weight.min(1.0));
    weights
}

/// What one action unit moves.
type Action = &'static [FaceChannel];

/// Declares action units of FACS as the channels that are nearest to them.
macro_rules! action_units {
    ($($(#[$meta:meta])* $name:ident = $($channel:ident)+;)+) => {
        $($(#[$meta])* const $name: Action = &[$(FaceChannel::$channel),+];)+
    };
}

action_units! {
    /// Inner brows up.
    AU1 = BrowInnerUp;
    /// Outer brows up.
    AU2 = BrowOuterUpLeft BrowOuterUpRight;
    R2 = BrowOuterUpRight;
    /// Brows down and together.
    AU4 = BrowDownLeft BrowDownRight;
    L4 = BrowDownLeft;
    /// Upper lids up.
    AU5 = EyeWideLeft EyeWideRight;
    /// Cheeks up.
    AU6 = CheekSquintLeft CheekSquintRight;
    L6 = CheekSquintLeft;
    /// Lids tight.
    AU7 = EyeSquintLeft EyeSquintRight;
    L7 = EyeSquintLeft;
    /// Nose wrinkled.
    AU9 = NoseSneerLeft NoseSneerRight;
    /// Upper lip up.
    AU10 = MouthUpperUpLeft MouthUpperUpRight;
    /// Corners of the mouth up.
    AU12 = MouthSmileLeft MouthSmileRight;
    L12 = MouthSmileLeft;
    R12 = MouthSmileRight;
    /// Corners of the mouth in.
    L14 = MouthDimpleLeft;
    /// Corners of the mouth down.
    AU15 = MouthFrownLeft MouthFrownRight;
    /// Lower lip down.
    AU16 = MouthLowerDownLeft MouthLowerDownRight;
    /// Chin up.
    AU17 = MouthShrugLower;
    /// Lips wide.
    AU20 = MouthStretchLeft MouthStretchRight;
    /// Lips in a funnel.
    AU22 = MouthFunnel;
    /// Lips tight.
    AU23 = MouthRollLower MouthRollUpper;
    /// Jaw down.
    AU26 = JawOpen;
    /// Jaw forward.
    AU29 = JawForward;
    /// Lids down.
    AU43 = EyeBlinkLeft EyeBlinkRight;
}

/// The actions of every emotion, in the order of [`FACE_EMOTIONS`].
///
/// Which actions: for amazement (surprise), anger, disgust, fear, joy and sadness the prototypes of EMFACS (W. V. Friesen,
/// P. Ekman, "EMFACS-7: Emotional Facial Action Coding System", 1983) and some of what most people add to them (S. Du, Y. Tao,
/// A. M. Martinez, "Compound facial expressions of emotion", PNAS 111, 2014, table 1); grief is that sadness with the chin, the
/// cheeks and the wide mouth of crying; for pain K. M. Prkachin, P. E. Solomon, "The structure, reliability and validity of pain
/// expression", Pain 139, 2008 (4, 6 or 7, 9 or 10, 43) with 16 and 20 for bared teeth; cheekiness is one half of a smile (12,
/// 14) with the brow of the other side; who is out of breath breathes through the mouth under tired lids. How much of each:
/// chosen by eye on the default characters, whose lower lids bear about 0.6 of 6 and 7 together.
#[rustfmt::skip]
const ACTIONS: [&[(Action, f32)]; FACE_EMOTIONS.len()] = [
    /* amazement   */ &[(AU1, 1.0), (AU2, 1.0), (AU5, 0.7), (AU26, 0.45), (AU22, 0.15)],
    /* anger       */ &[(AU4, 1.0), (AU5, 0.3), (AU7, 0.5), (AU9, 0.45), (AU15, 0.4), (AU23, 0.35), (AU29, 0.3)],
    /* cheekiness  */ &[(L12, 0.85), (R12, 0.1), (L14, 0.3), (L6, 0.3), (L7, 0.3), (L4, 0.35), (R2, 1.0)],
    /* disgust     */ &[(AU6, 0.2), (AU7, 0.35), (AU9, 1.0), (AU10, 0.9), (AU15, 0.5), (AU16, 0.3), (AU17, 0.2)],
    /* fear        */ &[(AU1, 1.0), (AU2, 0.4), (AU4, 0.25), (AU5, 0.9), (AU20, 0.9), (AU16, 0.4), (AU26, 0.15)],
    /* grief       */ &[(AU1, 1.0), (AU4, 0.3), (AU6, 0.3), (AU7, 0.3), (AU15, 1.0), (AU17, 0.6), (AU20, 0.4), (AU16, 0.3)],
    /* joy         */ &[(AU6, 0.4), (AU7, 0.15), (AU12, 0.95), (AU10, 0.35), (AU16, 0.1), (AU26, 0.15), (AU1, 0.15)],
    /* outofbreath */ &[(AU1, 0.6), (AU9, 0.1), (AU16, 0.3), (AU22, 0.15), (AU26, 0.5), (AU43, 0.2)],
    /* pain        */ &[(AU4, 1.0), (AU6, 0.4), (AU7, 0.3), (AU9, 0.9), (AU10, 0.6), (AU16, 0.6), (AU20, 0.9), (AU43, 0.35)],
    /* sadness     */ &[(AU1, 0.95), (AU4, 0.15), (AU15, 0.75), (AU17, 0.3), (AU43, 0.15)],
];

#[cfg(test)]
mod tests {
    use super::*;

    fn strongest(emotion: Emotion) -> f32 {
        emotion.expression().map(|(_, weight)| weight).fold(0.0, f32::max)
    }

    #[test]
    fn names_and_indices_are_those_of_the_face_networks() {
        for (index, emotion) in Emotion::ALL.into_iter().enumerate() {
            assert_eq!((emotion.index(), emotion.name()), (index, FACE_EMOTIONS[index]));
            assert_eq!(Emotion::from_name(emotion.name()), Some(emotion));
        }
        assert_eq!(Emotion::from_name("bliss"), None);
    }

    #[test]
    fn every_emotion_shows_clearly_and_names_each_channel_once() {
        for emotion in Emotion::ALL {
            let mut seen = std::collections::HashSet::new();
            for (channel, weight) in emotion.expression() {
                assert!(seen.insert(channel), "{emotion} names {channel} twice");
                assert!(weight > 0.0 && weight <= 1.0, "{emotion}: {channel} is {weight}");
            }
            assert!(strongest(emotion) >= 0.3, "{emotion} hardly shows");
        }
    }

    #[test]
    fn an_emotion_shows_as_strongly_as_it_is() {
        for emotion in Emotion::ALL {
            let mut emotions = [0.0; FACE_EMOTIONS.len()];
            emotions[emotion.index()] = 0.5;
            let shown = expression(&emotions);
            for (channel, weight) in emotion.expression() {
                assert!((shown[channel.index()] - weight * 0.5).abs() < 1e-6, "{emotion}: {channel}");
            }
            let named: f32 = emotion.expression().map(|(_, weight)| weight * 0.5).sum();
            assert!((shown.iter().sum::<f32>() - named).abs() < 1e-5, "{emotion} moves what it does not name");
        }
        assert_eq!(expression(&[0.0; 10]), [0.0; CHANNEL_COUNT]);
    }

    #[test]
    fn a_mix_keeps_its_parts_readable_and_weights_within_bounds() {
        let mut both = [0.0; 10];
        both[Emotion::Joy.index()] = 1.0;
        both[Emotion::Amazement.index()] = 1.0;
        let shown = expression(&both);
        let full = |emotion: Emotion, channel: FaceChannel| {
            emotion.expression().find(|(of, _)| *of == channel).map_or(0.0, |(_, weight)| weight)
        };
        for (emotion, channel) in
            [(Emotion::Joy, FaceChannel::MouthSmileLeft), (Emotion::Amazement, FaceChannel::BrowOuterUpRight)]
        {
            let part = full(emotion, channel);
            assert!(shown[channel.index()] > 0.65 * part && shown[channel.index()] <= part, "{channel}");
        }
        for wild in [[1.0; 10], [7.0; 10], [f32::INFINITY; 10]] {
            assert!(expression(&wild).iter().all(|weight| (0.0..=1.0).contains(weight)));
        }
    }

    #[test]
    fn what_is_not_a_number_shows_nothing() {
        let mut emotions = [f32::NAN; 10];
        assert_eq!(expression(&emotions), [0.0; CHANNEL_COUNT]);
        emotions[Emotion::Anger.index()] = 1.0;
        assert!(expression(&emotions)[FaceChannel::BrowDownLeft.index()] > 0.5);
    }
}
