//! A head made of formulas, of the size and at the place of a human one.

use super::{Part, Vector};
use crate::names::{SKIN_POSES, TONGUE_POSES};

/// Where the lips meet.
const LIPS: f32 = 8.3;

/// Which lip a pull takes along.
#[derive(Clone, Copy, PartialEq)]
enum Lip {
    Both,
    Upper,
    Lower,
}

/// A bell-shaped pull at the skin: where on the sheet (x, y), how wide, and by how much its middle moves. What stands for a
/// pair is that of the left side.
struct Pull(&'static str, [f32; 2], [f32; 2], Vector, Lip);

#[rustfmt::skip]
const PULLS: [Pull; 32] = [
    Pull("eyeBlink", [3.1, 14.6], [1.6, 0.7], [0.0, -1.2, 0.0], Lip::Both),
    Pull("eyeLookDown", [2.9, 14.4], [1.4, 0.5], [0.0, -0.4, -0.1], Lip::Both),
    Pull("eyeLookIn", [2.5, 13.6], [1.2, 0.9], [-0.2, 0.0, 0.0], Lip::Both),
    Pull("eyeLookOut", [3.4, 13.6], [1.2, 0.9], [0.2, 0.0, 0.0], Lip::Both),
    Pull("eyeLookUp", [2.9, 14.9], [1.4, 0.6], [0.0, 0.3, 0.1], Lip::Both),
    Pull("eyeSquint", [3.4, 12.7], [1.5, 0.6], [-0.2, 0.4, 0.0], Lip::Both),
    Pull("eyeWide", [3.0, 15.1], [1.6, 0.5], [0.0, 0.4, 0.0], Lip::Both),
    Pull("jawForward", [0.0, 5.5], [5.0, 4.0], [0.0, -0.1, 0.9], Lip::Lower),
    Pull("jaw", [0.0, 5.5], [5.0, 4.0], [0.8, -0.1, 0.2], Lip::Lower),
    Pull("jawOpen", [0.0, 7.0], [5.0, 4.0], [0.0, -3.4, -1.9], Lip::Lower),
    Pull("mouthClose", [0.0, 7.5], [2.5, 0.8], [0.0, 2.6, 1.6], Lip::Lower),
    Pull("mouthFunnel", [0.0, 8.3], [2.2, 1.6], [0.0, 0.1, 1.0], Lip::Both),
    Pull("mouthPucker", [0.0, 8.3], [1.2, 0.8], [0.0, 0.0, 0.9], Lip::Both),
    Pull("mouth", [0.0, 8.3], [3.0, 1.5], [1.0, 0.1, 0.0], Lip::Both),
    Pull("mouthSmile", [2.9, 8.3], [1.5, 1.3], [0.7, 1.3, -0.5], Lip::Both),
    Pull("mouthFrown", [2.9, 8.2], [1.2, 1.0], [0.2, -0.7, 0.0], Lip::Both),
    Pull("mouthDimple", [3.2, 8.3], [0.9, 0.8], [0.5, 0.1, -0.6], Lip::Both),
    Pull("mouthStretch", [3.2, 7.8], [1.8, 1.4], [0.7, -0.4, -0.3], Lip::Both),
    Pull("mouthRollLower", [0.0, 7.7], [2.2, 0.6], [0.0, 0.3, -0.6], Lip::Lower),
    Pull("mouthRollUpper", [0.0, 8.9], [2.2, 0.6], [0.0, -0.4, -0.6], Lip::Upper),
    Pull("mouthShrugLower", [0.0, 7.2], [1.8, 1.2], [0.0, 0.6, 0.4], Lip::Lower),
    Pull("mouthShrugUpper", [0.0, 9.1], [1.8, 0.8], [0.0, 0.5, 0.1], Lip::Upper),
    Pull("mouthPress", [1.8, 8.3], [0.9, 0.5], [0.3, 0.1, -0.4], Lip::Both),
    Pull("mouthLowerDown", [1.1, 7.7], [0.9, 0.7], [0.1, -0.5, 0.0], Lip::Lower),
    Pull("mouthUpperUp", [1.1, 8.9], [0.9, 0.7], [0.1, 0.6, 0.0], Lip::Upper),
    Pull("browDown", [2.8, 16.4], [2.0, 0.9], [-0.3, -0.7, 0.1], Lip::Both),
    Pull("browInnerUp", [0.0, 16.3], [1.8, 1.0], [0.0, 0.6, 0.0], Lip::Both),
    Pull("browOuterUp", [4.4, 16.2], [1.7, 1.0], [0.0, 0.7, -0.1], Lip::Both),
    Pull("cheekPuff", [3.8, 8.5], [1.8, 1.8], [0.3, 0.0, 1.0], Lip::Both),
    Pull("cheekSquint", [3.9, 11.3], [1.6, 0.9], [0.0, 0.8, 0.1], Lip::Both),
    Pull("noseSneer", [1.2, 11.8], [0.9, 1.1], [-0.1, 0.5, 0.1], Lip::Both),
    Pull("tongueOut", [0.0, 6.2], [1.0, 0.5], [0.0, 0.0, 0.1], Lip::Lower),
];

impl Pull {
    /// What it does to a vertex; mirrored for the right side.
    fn at(&self, vertex: Vector, mirrored: bool) -> Vector {
        let &Self(_, centre, spread, [x, y, z], lip) = self;
        let side = if mirrored { -1.0 } else { 1.0 };
        if lip != Lip::Both && (lip == Lip::Lower) != (vertex[1] < LIPS) {
            return [0.0; 3];
        }
        let [across, along] = [(side * vertex[0] - centre[0]) / spread[0], (vertex[1] - centre[1]) / spread[1]];
        let strength = (-(across * across + along * along)).exp();
        [side * x * strength, y * strength, z * strength]
    }
}

pub(super) fn skin() -> Part {
    // A sheet bent round the head, with a nose.
    let vertex = |row: usize, column: usize| {
        let (x, y) = (-7.5 + 15.0 * column as f32 / 44.0, -1.0 + 25.0 * row as f32 / 59.0);
        let nose = 1.8 * (-(x / 1.2).powi(2) - ((y - 11.5) / 1.8).powi(2)).exp();
        [x, y, 13.8 - 0.12 * x * x - 0.03 * (y - 11.0).powi(2) + nose]
    };
    let neutral: Vec<Vector> = (0..60).flat_map(|row| (0..45).map(move |column| vertex(row, column))).collect();
    let pose = |name: &str| -> Vec<Vector> {
        let pulled = |name: &str, sides: &[bool]| {
            let pull = PULLS.iter().find(|pull| pull.0 == name)?;
            let sum = |vertex: &Vector| {
                sides.iter().fold([0.0; 3], |all, mirrored| {
                    let moved = pull.at(*vertex, *mirrored);
                    core::array::from_fn(|axis| all[axis] + moved[axis])
                })
            };
            Some(neutral.iter().map(sum).collect())
        };
        let left = name.strip_suffix("Left").and_then(|name| pulled(name, &[false]));
        let right = || name.strip_suffix("Right").and_then(|name| pulled(name, &[true]));
        let sides: &[bool] = if name == "cheekPuff" { &[false, true] } else { &[false] };
        left.or_else(right).or_else(|| pulled(name, sides)).unwrap_or_default()
    };
    let poses = SKIN_POSES.map(pose).into();
    Part::new(neutral, poses)
}

pub(super) fn tongue() -> Part {
    // From the root to the tip, flat at the edges.
    let vertex = |row: usize, column: usize| {
        let (across, along) = (-1.0 + 2.0 * column as f32 / 11.0, row as f32 / 19.0);
        [2.0 * across, 8.4 - 0.5 * across * across - 0.6 * along * along, 5.5 + 6.0 * along]
    };
    let neutral: Vec<Vector> = (0..20).flat_map(|row| (0..12).map(move |column| vertex(row, column))).collect();
    let pose = |name: &str| {
        let moved = |[x, _, z]: &Vector| -> Vector {
            let (across, along) = (x / 2.0, (z - 5.5) / 6.0);
            let (tip, end, back) = (along * along, along * along * along, (3.1 * along).sin());
            match name {
                "tongueTipUp" => [0.0, 1.9 * tip, -0.3 * tip],
                "tongueTipDown" => [0.0, -1.3 * tip, -0.7 * tip],
                "tongueTipLeft" => [1.3 * tip, 0.0, 0.2 * tip],
                "tongueTipRight" => [-1.3 * tip, 0.0, 0.2 * tip],
                "tongueRollUp" => [0.0, 3.5 * end, -2.8 * end],
                "tongueRollDown" => [0.0, -2.3 * end, -2.7 * end],
                "tongueRollLeft" => [0.3 * along, across * along, 0.0],
                "tongueRollRight" => [-0.3 * along, -across * along, 0.0],
                "tongueUp" => [0.0, 1.1 * back, -0.1 * back],
                "tongueDown" => [0.0, -0.7 * along, 0.0],
                "tongueLeft" => [1.4 * along, 0.0, 0.1 * along],
                "tongueRight" => [-1.4 * along, 0.0, 0.1 * along],
                "tongueIn" => [0.0, 0.1 * along, -1.2 * along],
                "tongueStretch" => [0.0, -0.2 * tip, 1.2 * tip],
                "tongueWide" => [0.3 * across, 0.0, 0.0],
                _ => [-0.4 * across * along, 0.1 * along, 0.0],
            }
        };
        neutral.iter().map(moved).collect()
    };
    let poses = TONGUE_POSES.map(pose).into();
    Part::new(neutral, poses)
}
