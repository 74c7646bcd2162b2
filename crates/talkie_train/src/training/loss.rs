//! What counts as wrong.

use burn::tensor::activation::{log_sigmoid, log_softmax, relu};
use burn::tensor::{Device, Tensor, TensorData};

use super::Target;
use crate::config::TrainingRecipe;
use crate::network::Answer;
use crate::teacher::{Lesson, MOTIONS, Motion, PHONES};

/// How much an error of each motion counts: what is small or rare on a face counts more per unit.
fn importance(motion: Motion) -> f32 {
    match motion {
        Motion::Funnel => 4.0,
        Motion::JawOpen | Motion::Close | Motion::Pucker | Motion::RollUpper => 3.0,
        Motion::Press | Motion::RollLower => 2.5,
        Motion::Smile | Motion::Dimple | Motion::Stretch | Motion::LowerDown | Motion::UpperUp => 2.0,
        Motion::TipUp | Motion::TongueUp | Motion::RollUp => 0.5,
        Motion::TongueWide | Motion::TongueNarrow | Motion::TongueDown | Motion::TongueIn | Motion::TipDown => 0.4,
        _ => 1.0,
    }
}

/// Factors of the lip aperture, as [`talkie::metrics`] defines it, beside jaw and closing.
fn aperture_factor(motion: Motion) -> f32 {
    match motion {
        Motion::LowerDown | Motion::UpperUp => 0.15,
        Motion::Funnel => 0.25,
        Motion::Press => -0.1,
        Motion::RollLower => -0.06,
        Motion::RollUpper => -0.04,
        _ => 0.0,
    }
}

/// Millimetres between the lips of the default character for each unit of a motion, both sides together, as a share of
/// those of the jaw (34 mm); the closing takes the jaw's away.
fn gap_factor(motion: Motion) -> f32 {
    match motion {
        Motion::JawOpen => 1.0,
        Motion::Close => -1.0,
        Motion::Funnel => 0.43,
        Motion::UpperUp | Motion::ShrugUpper => 0.135,
        Motion::LowerDown => 0.11,
        Motion::Press | Motion::Smile => -0.095,
        Motion::RollUpper => -0.125,
        Motion::RollLower => -0.11,
        Motion::ShrugLower => -0.145,
        _ => 0.0,
    }
}

/// How much a moment counts: closures are short and must not be missed, and the mouth must rest when nobody speaks.
pub fn moment_weight(lesson: &Lesson) -> f32 {
    let rounding = lesson.motion(Motion::Pucker) + lesson.motion(Motion::Funnel);
    let tuck = lesson.motion(Motion::RollLower) * (1.0 - lesson.closure);
    1.0 + 3.5 * lesson.closure + 1.2 * rounding + 1.5 * tuck + 2.5 * lesson.silence
}

/// How much it counts to keep the lips open during a phone: those that sound most like closed lips, or nearly close them,
/// are what a network confuses with P, B, M.
fn doubt(phone: &str) -> f32 {
    if matches!(phone, "F" | "V" | "W" | "N" | "NG" | "L" | "DH") { 3.0 } else { 1.0 }
}

/// Weighted squared error of the poses, of their change from frame to frame and of the opening of the lips, and the
/// cross-entropies of the closure and of the phone.
#[derive(Debug, Clone)]
pub struct Loss {
    importance: Tensor<3>,
    aperture: Tensor<3>,
    gap: Tensor<3>,
    /// Of every phone.
    doubts: Tensor<1>,
    velocity: f32,
    closure: f32,
    phones: f32,
}

/// Weight of each of both openings' errors against the motions together.
const APERTURE_WEIGHT: f32 = 0.25;
/// How much more a closed frame counts in the decision: they are rare.
const CLOSED_WEIGHT: f32 = 1.5;

impl Loss {
    /// The loss on a device.
    pub fn new(recipe: &TrainingRecipe, device: &Device) -> Self {
        let row = |value: fn(Motion) -> f32| {
            let values: Vec<f32> = Motion::ALL.iter().map(|motion| value(*motion)).collect();
            Tensor::<3>::from_data(TensorData::new(values, [1, 1, MOTIONS]), device)
        };
        Self {
            importance: row(importance),
            aperture: row(aperture_factor),
            gap: row(gap_factor),
            doubts: Tensor::from_data(
                TensorData::new(PHONES.iter().map(|phone| doubt(phone)).collect(), [PHONES.len()]),
                device,
            ),
            velocity: recipe.velocity,
            closure: recipe.closure,
            phones: recipe.phones,
        }
    }

    /// The loss of a batch.
    pub fn of(&self, said: Answer, wanted: Target) -> Tensor<1> {
        let Target { lessons, closures, phones, named: known, moments } = wanted;
        let [count, frames, _] = lessons.dims();
        let heard = moments.clone().clamp(0.0, 1.0);
        let doubts = self.doubts.clone().select(0, phones.clone().reshape([count * frames]));
        let doubts = doubts.reshape([count, frames, 1]);
        let decided: Tensor<3> = closures.clone() * log_sigmoid(said.closure.clone()) * (1.0 + CLOSED_WEIGHT)
            + (1.0 - closures) * doubts * log_sigmoid(-said.closure);
        let named: Tensor<3> = log_softmax(said.phones, 2).gather(2, phones);
        let error = said.motions.clone() - lessons.clone();
        let pose = (error.clone().square() * self.importance.clone() * moments.clone()).mean();
        let change = error.clone().narrow(1, 1, frames - 1) - error.clone().narrow(1, 0, frames - 1);
        let later = moments.clone().narrow(1, 1, frames - 1);
        let velocity = (change.square() * self.importance.clone() * later).mean();
        let aperture = self.aperture_of(said.motions) - self.aperture_of(lessons);
        let gap = (error * self.gap.clone()).sum_dim(2);
        let openings = ((aperture.square() + gap.square()) * moments).mean();
        pose + velocity * self.velocity + openings * APERTURE_WEIGHT
            - (decided * heard.clone()).mean() * self.closure
            - (named * heard * known).mean() * self.phones
    }

    fn aperture_of(&self, motions: Tensor<3>) -> Tensor<3> {
        let one = |motion: Motion| motions.clone().narrow(2, motion as usize, 1);
        let jaw = relu(one(Motion::JawOpen) - one(Motion::Close));
        jaw + (motions.clone() * self.aperture.clone()).sum_dim(2)
    }
}
