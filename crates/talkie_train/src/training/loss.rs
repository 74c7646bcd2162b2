//! What counts as wrong.

use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};

use crate::teacher::{Lesson, MOTIONS, Motion};

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

/// How much a moment counts: closures are short and must not be missed, and the mouth must rest when nobody speaks.
pub fn moment_weight(lesson: &Lesson) -> f32 {
    let rounding = lesson.motion(Motion::Pucker) + lesson.motion(Motion::Funnel);
    let tuck = lesson.motion(Motion::RollLower) * (1.0 - lesson.closure);
    1.0 + 3.5 * lesson.closure + 1.2 * rounding + 1.5 * tuck + 0.5 * lesson.silence
}

/// Weighted squared error of the poses, of their change from frame to frame, and of the lip aperture.
#[derive(Debug, Clone)]
pub struct Loss {
    importance: Tensor<3>,
    aperture: Tensor<3>,
    velocity: f32,
}

/// Weight of the aperture's error against the other motions together.
const APERTURE_WEIGHT: f32 = 0.25;

impl Loss {
    /// The loss on a device; `velocity` weighs the error of the change.
    pub fn new(velocity: f32, device: &Device) -> Self {
        let row = |value: fn(Motion) -> f32| {
            let values: Vec<f32> = Motion::ALL.iter().map(|motion| value(*motion)).collect();
            Tensor::<3>::from_data(TensorData::new(values, [1, 1, MOTIONS]), device)
        };
        Self { importance: row(importance), aperture: row(aperture_factor), velocity }
    }

    /// The loss of a batch: `[batch, frames, motions]` twice, and the weight of every moment `[batch, frames, 1]`.
    pub fn of(&self, said: Tensor<3>, wanted: Tensor<3>, moments: Tensor<3>) -> Tensor<1> {
        let [_, frames, _] = said.dims();
        let error = said.clone() - wanted.clone();
        let pose = (error.clone().square() * self.importance.clone() * moments.clone()).mean();
        let change = error.clone().narrow(1, 1, frames - 1) - error.narrow(1, 0, frames - 1);
        let later = moments.clone().narrow(1, 1, frames - 1);
        let velocity = (change.square() * self.importance.clone() * later).mean();
        let aperture = (self.aperture_of(said) - self.aperture_of(wanted)).square() * moments;
        pose + velocity * self.velocity + aperture.mean() * APERTURE_WEIGHT
    }

    fn aperture_of(&self, motions: Tensor<3>) -> Tensor<3> {
        let one = |motion: Motion| motions.clone().narrow(2, motion as usize, 1);
        let jaw = relu(one(Motion::JawOpen) - one(Motion::Close));
        jaw + (motions.clone() * self.aperture.clone()).sum_dim(2)
    }
}
