//! Blinks and the small movements of gaze and head by which a silent face is alive.
//!
//! Figures: people blink every 2 to 8 s, closing in about 80 ms and opening in about 150 ms (Caffier et al. 2003); between
//! fixations of some 0.4 to 3 s the eyes jump by a few degrees within 30 to 50 ms. Speakers blink where their speech pauses
//! (T. Nakano, S. Kitazawa, "Eyeblink entrainment at breakpoints of speech", Exp Brain Res 205, 2010) and nod with the
//! accents that also raise their brows (H. P. Graf et al., "Visual prosody: facial movements accompanying speech", FG 2002).

use bevy_ecs::{component::Component, entity::Entity};
use bevy_math::{EulerRot, Quat, Vec2, Vec3};
use talkie::{
    animation::{FaceChannel, FacePose},
    retarget::FULL_LOOK,
};

use crate::ease::ease;

/// Seconds of a blink: closing, shut, opening.
const BLINK: [f32; 3] = [0.075, 0.04, 0.16];
/// Seconds an eye takes for a jump.
const SACCADE: f32 = 0.045;
/// A mouth that opens less than this, as a weight of the jaw, for this many seconds pauses.
const PAUSE: (f32, f32) = (0.04, 0.12);
/// How many of a speaker's pauses bring a blink.
const BLINKS_IN_PAUSES: f32 = 0.6;
/// Head turn of a nod, in radians for a brow that is fully raised, and the seconds by which it follows.
const NOD: (f32, f32) = (0.16, 0.09);

/// Life without speech: every part can be switched off.
///
/// Movement follows from [`seed`](Self::seed) and time alone, so that the same character moves the same way in a replay.
#[derive(Component, Debug, Clone, PartialEq)]
pub struct FaceLife {
    /// Blinks, some of them where speech pauses, default on.
    pub blink: bool,
    /// Small jumps of the eyes, default on.
    pub gaze: bool,
    /// Slow sway of the head, a little livelier while speaking, and nods with accents, default on.
    pub head: bool,
    /// Where to look, in radians from straight ahead: x to the character's left, y up. Default straight ahead.
    pub look: Vec2,
    /// Tells characters apart; 0 (the default) takes the entity's index.
    pub seed: u32,
}

impl Default for FaceLife {
    fn default() -> Self {
        Self { blink: true, gaze: true, head: true, look: Vec2::ZERO, seed: 0 }
    }
}

impl FaceLife {
    /// No life at all: the face shows speech and expression only.
    pub fn none() -> Self {
        Self { blink: false, gaze: false, head: false, ..Self::default() }
    }
}

/// Where the movements of a [`FaceLife`] are now.
#[derive(Component, Debug, Clone, Default)]
pub(crate) struct LifeState {
    random: u64,
    clock: f32,
    /// Seconds until the next blink; negative within one.
    until_blink: f32,
    until_saccade: f32,
    gaze: Vec2,
    gaze_from: Vec2,
    gaze_to: Vec2,
    /// Smoothed opening of the mouth: how lively the head is.
    energy: f32,
    /// Seconds since the mouth was open.
    quiet: f32,
    /// How far the head nods, as the weight of a raised brow.
    nod: f32,
}

impl LifeState {
    /// A number in 0..1 (splitmix64).
    fn random(&mut self) -> f32 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 40) as f32 / (1_u64 << 24) as f32
    }

    fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.random()
    }
}

impl FaceLife {
    /// Lets `delta` seconds pass. `speech` is how the face speaks now.
    pub(super) fn advance(&self, state: &mut LifeState, entity: Entity, delta: f32, speech: &FacePose) {
        let (opening, brow) = (speech.weight(FaceChannel::JawOpen), speech.weight(FaceChannel::BrowInnerUp));
        let seed = if self.seed == 0 { entity.index_u32().wrapping_add(1) } else { self.seed };
        if state.random == 0 {
            state.random = u64::from(seed).wrapping_mul(0xD129_0D3B_3F2B_5A11) | 1;
            state.clock = state.between(0.0, 60.0);
            state.until_blink = state.between(0.6, 4.0);
            state.until_saccade = state.between(0.2, 1.5);
        }
        // A long stall must not replay the blinks of a minute.
        let delta = if delta.is_finite() { delta.clamp(0.0, 0.25) } else { 0.0 };
        // Kept within an hour, so that the sway never loses precision.
        state.clock = (state.clock + delta) % 3600.0;
        state.energy += (opening - state.energy) * (1.0 - (-delta / 0.35).exp());
        state.nod += (brow - state.nod) * (1.0 - (-delta / NOD.1).exp());

        let paused = state.quiet >= PAUSE.1;
        state.quiet = if opening > PAUSE.0 { 0.0 } else { state.quiet + delta };
        let pauses = !paused && state.quiet >= PAUSE.1 && state.energy > PAUSE.0;
        if pauses && state.until_blink > 0.5 && state.random() < BLINKS_IN_PAUSES {
            state.until_blink = state.between(0.0, 0.12);
        }
        state.until_blink -= delta;
        if state.until_blink < -BLINK.iter().sum::<f32>() {
            // Now and then people blink twice.
            let twice = state.random() < 0.12;
            state.until_blink = if twice { 0.12 } else { state.between(1.8, 6.5) };
        }

        state.until_saccade -= delta;
        if state.until_saccade <= 0.0 {
            state.until_saccade = state.between(0.4, 2.6);
            state.gaze_from = state.gaze;
            // Mostly the eyes stay near what they look at; sometimes they wander off.
            let reach = if state.random() < 0.2 { 0.11 } else { 0.035 };
            state.gaze_to = Vec2::new(state.between(-reach, reach), state.between(-reach, reach) * 0.6);
            state.gaze = state.gaze_from;
        }
        let travel = state.gaze_to - state.gaze_from;
        let step = if travel == Vec2::ZERO { 0.0 } else { delta / SACCADE };
        let moved = state.gaze + travel * step;
        let arrived = (state.gaze_to - moved).dot(travel) <= 0.0;
        state.gaze = if arrived { state.gaze_to } else { moved };
    }

    /// Adds what lives to a pose.
    pub(super) fn show(&self, state: &LifeState, pose: &mut FacePose) {
        if self.blink {
            let lid = lid_weight(-state.until_blink);
            for (blink, wide) in [
                (FaceChannel::EyeBlinkLeft, FaceChannel::EyeWideLeft),
                (FaceChannel::EyeBlinkRight, FaceChannel::EyeWideRight),
            ] {
                pose.set(blink, pose.weight(blink).max(lid));
                // Lids that are torn open would leave a gap.
                pose.set(wide, pose.weight(wide) * (1.0 - lid));
            }
        }
        let look = if self.look.is_finite() { self.look } else { Vec2::ZERO };
        let gaze = look + if self.gaze { state.gaze } else { Vec2::ZERO };
        if gaze != Vec2::ZERO {
            look_at(gaze, pose);
        }
        if self.head {
            let t = state.clock;
            let lively = 1.0 + 2.5 * state.energy.clamp(0.0, 0.6);
            // Sums of incommensurable slow waves: never still, never the same twice.
            let wave = |a: f32, b: f32| (0.61 * (t * a).sin() + 0.39 * (t * b + 1.7).sin()) * lively;
            let sway = Vec3::new(wave(0.53, 1.31) * 0.016, wave(0.41, 1.07) * 0.026, wave(0.37, 0.83) * 0.012);
            let nod = state.energy.clamp(0.0, 0.6) * 0.03 + state.nod.clamp(0.0, 1.0) * NOD.0;
            pose.head_rotation *= Quat::from_euler(EulerRot::YXZ, sway.y, sway.x + nod, sway.z);
        }
    }
}

/// How far the lids are closed `since` seconds after a blink began.
fn lid_weight(since: f32) -> f32 {
    let [close, shut, open] = BLINK;
    if since <= 0.0 {
        0.0
    } else if since < close {
        ease(since / close)
    } else if since < close + shut {
        1.0
    } else {
        ease((1.0 - (since - close - shut) / open).max(0.0))
    }
}

/// Turns the gaze by these angles (x to the character's left, y up): the eyes and the shapes that belong to it.
fn look_at(gaze: Vec2, pose: &mut FacePose) {
    use FaceChannel::{
        EyeLookDownLeft, EyeLookDownRight, EyeLookInLeft, EyeLookInRight, EyeLookOutLeft, EyeLookOutRight,
        EyeLookUpLeft, EyeLookUpRight,
    };
    pose.left_eye += gaze;
    pose.right_eye += gaze;
    let mut add = |channel: FaceChannel, angle: f32| {
        let weight = &mut pose.weights[channel.index()];
        *weight = (*weight + (angle / FULL_LOOK).max(0.0)).min(1.0);
    };
    add(EyeLookOutLeft, gaze.x);
    add(EyeLookInRight, gaze.x);
    add(EyeLookInLeft, -gaze.x);
    add(EyeLookOutRight, -gaze.x);
    for (left, right, angle) in [(EyeLookUpLeft, EyeLookUpRight, gaze.y), (EyeLookDownLeft, EyeLookDownRight, -gaze.y)]
    {
        add(left, angle);
        add(right, angle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(life: FaceLife, seconds: f32) -> Vec<FacePose> {
        speak(life, seconds, |_| FacePose::REST)
    }

    /// What a face does that speaks as `speech` says for every time.
    fn speak(life: FaceLife, seconds: f32, speech: impl Fn(f32) -> FacePose) -> Vec<FacePose> {
        let mut state = LifeState::default();
        (0..(seconds * 60.0) as usize)
            .map(|frame| {
                life.advance(&mut state, Entity::PLACEHOLDER, 1.0 / 60.0, &speech(frame as f32 / 60.0));
                let mut pose = FacePose::REST;
                life.show(&state, &mut pose);
                pose
            })
            .collect()
    }

    #[test]
    fn blinks_come_as_often_as_people_do_and_close_fully() {
        let lids: Vec<f32> = live(FaceLife { seed: 7, ..Default::default() }, 120.0)
            .iter()
            .map(|p| p.weight(FaceChannel::EyeBlinkLeft))
            .collect();
        let blinks = lids.windows(2).filter(|w| w[0] < 0.95 && w[1] >= 0.95).count();
        assert!((18..=60).contains(&blinks), "{blinks} blinks in two minutes");
        let closed = lids.iter().filter(|lid| **lid > 0.5).count() as f32 / lids.len() as f32;
        assert!(closed < 0.1, "closed for {closed} of the time");
    }

    #[test]
    fn gaze_and_head_stay_small_and_never_freeze() {
        let poses = live(FaceLife { seed: 3, ..Default::default() }, 60.0);
        assert!(poses.iter().all(FacePose::is_finite));
        assert!(poses.iter().all(|pose| pose.left_eye.length() < 0.15));
        let turned = |pose: &FacePose| pose.head_rotation.angle_between(Quat::IDENTITY).to_degrees();
        assert!(poses.iter().map(turned).fold(0.0, f32::max) < 6.0);
        assert!(poses.iter().map(turned).fold(0.0, f32::max) > 0.5);
        let jumps = poses.windows(2).filter(|w| (w[0].left_eye - w[1].left_eye).length() > 0.002).count();
        assert!(jumps > 30, "{jumps} frames with moving eyes");
    }

    #[test]
    fn a_speaker_blinks_where_speech_pauses() {
        // Two seconds of speech, then one of silence.
        let said = |time: f32| {
            let mut pose = FacePose::REST;
            let speaking = time % 3.0 < 2.0;
            pose.set(FaceChannel::JawOpen, if speaking { 0.2 + 0.1 * (time * 25.0).sin() } else { 0.0 });
            pose
        };
        let lids: Vec<f32> = speak(FaceLife { seed: 7, ..Default::default() }, 600.0, said)
            .iter()
            .map(|pose| pose.weight(FaceChannel::EyeBlinkLeft))
            .collect();
        let begun: Vec<f32> = (1..lids.len())
            .filter(|frame| lids[frame - 1] == 0.0 && lids[*frame] > 0.0)
            .map(|frame| (frame as f32 / 60.0) % 3.0)
            .collect();
        let at_pause = begun.iter().filter(|time| (2.1..2.5).contains(*time)).count();
        assert!((90..=170).contains(&at_pause), "{at_pause} of 200 pauses");
        assert!(begun.len() > at_pause + 10, "and elsewhere too: {} blinks", begun.len());
    }

    #[test]
    fn the_head_nods_with_accents() {
        let accent = |time: f32| {
            let mut pose = FacePose::REST;
            pose.set(FaceChannel::BrowInnerUp, if (1.0..1.3).contains(&time) { 0.4 } else { 0.0 });
            pose
        };
        let life = FaceLife { seed: 3, ..Default::default() };
        let pitch = |pose: &FacePose| pose.head_rotation.to_euler(EulerRot::YXZ).1;
        let nod: Vec<f32> = speak(life.clone(), 3.0, accent)
            .iter()
            .zip(live(life, 3.0))
            .map(|(spoken, silent)| pitch(spoken) - pitch(&silent))
            .collect();
        assert!(nod[..60].iter().all(|angle| angle.abs() < 1e-5), "still before it");
        let greatest = nod.iter().copied().fold(0.0, f32::max).to_degrees();
        assert!((2.0..5.0).contains(&greatest), "{greatest} degrees");
        assert!(nod[150].abs() < 0.002, "and upright again: {}", nod[150]);
    }

    #[test]
    fn switched_off_means_rest() {
        for pose in live(FaceLife::none(), 10.0) {
            assert_eq!(pose, FacePose::REST);
        }
    }

    #[test]
    fn the_same_seed_moves_the_same_way() {
        let a = live(FaceLife { seed: 5, ..Default::default() }, 20.0);
        let b = live(FaceLife { seed: 5, ..Default::default() }, 20.0);
        let c = live(FaceLife { seed: 6, ..Default::default() }, 20.0);
        assert_eq!(a, b);
        assert_ne!(a, c);
    }

    #[test]
    fn looking_left_uses_the_shapes_of_both_eyes() {
        let mut pose = FacePose::REST;
        look_at(Vec2::new(FULL_LOOK / 2.0, 0.0), &mut pose);
        assert_eq!(pose.weight(FaceChannel::EyeLookOutLeft), 0.5);
        assert_eq!(pose.weight(FaceChannel::EyeLookInRight), 0.5);
        assert_eq!(pose.weight(FaceChannel::EyeLookInLeft), 0.0);
    }
}
