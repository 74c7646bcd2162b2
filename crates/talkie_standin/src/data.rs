//! The arrays of a bundle.

use std::path::Path;

use crate::{
    Error, SKIN_POSES, StandIn, TONGUE_POSES,
    arrays::Archive,
    head::{Head, Jaw, Part, Vector},
    network::bases,
    random::Random,
};

/// Shots of the database of implicit emotions and how many rows they have. The settings of a bundle choose a row of the first.
pub(crate) const SHOTS: [(&str, usize); 2] = [("p1_neutral", 60), ("g1c_joy", 40)];

/// `model_data*.npz`. A regression bundle has bases, and its neutral is called a mean.
pub(crate) fn model_data(
    path: &Path,
    options: &StandIn,
    head: &Head,
    jaw: &Jaw,
    with_bases: bool,
) -> Result<(), Error> {
    let mut archive = Archive::create(path)?;
    if with_bases {
        let [skin, tongue] = bases(options.skin_shapes, options.tongue_shapes, options.seed);
        for (name, part, basis, components) in [
            ("shapes_matrix_skin", &head.skin, skin, options.skin_shapes),
            ("shapes_matrix_tongue", &head.tongue, tongue, options.tongue_shapes),
        ] {
            let values = basis.shapes(part).flat_map(|shape| shape.into_iter().flatten());
            archive.floats(name, &[components, part.neutral.len(), 3], values)?;
        }
    }
    let [skin, tongue] =
        if with_bases { ["shapes_mean_skin", "shapes_mean_tongue"] } else { ["neutral_skin", "neutral_tongue"] };
    archive.vectors(skin, &head.skin.neutral)?;
    archive.vectors(tongue, &head.tongue.neutral)?;
    let lips = ["mouthLowerDownLeft", "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight"];
    archive.vectors("lip_open_pose_delta", &together(&head.skin, &lips))?;
    archive.vectors("eye_close_pose_delta", &together(&head.skin, &["eyeBlinkLeft", "eyeBlinkRight"]))?;
    archive.vectors("neutral_jaw", &jaw.neutral)?;
    archive.floats("saccade_rot_matrix", &[options.saccades, 2], saccades(options))?;
    archive.finish()
}

/// Several poses of the skin at once.
fn together(skin: &Part, names: &[&str]) -> Vec<Vector> {
    let poses = SKIN_POSES.iter().zip(&skin.poses).filter(|(name, _)| names.contains(name));
    let mut sum = vec![[0.0; 3]; skin.neutral.len()];
    for (_, pose) in poses {
        for (sum, moved) in sum.iter_mut().zip(pose) {
            (0..3).for_each(|axis| sum[axis] += moved[axis]);
        }
    }
    sum
}

/// Eyes that rest for a while, then jump: x and y in degrees for each thirtieth of a second.
fn saccades(options: &StandIn) -> impl Iterator<Item = f32> {
    let mut random = Random::new(options.seed ^ 0xe7e5);
    let (mut goal, mut look, mut rest) = ([0.0; 2], [0.0; 2], 0);
    (0..options.saccades).flat_map(move |_| {
        if rest == 0 {
            goal = [1.0 * random.uniform(), 1.5 * random.uniform()];
            rest = 8 + (10.0 * (random.uniform() + 1.0)) as usize;
        }
        rest -= 1;
        look = core::array::from_fn(|axis| look[axis] + 0.6 * (goal[axis] - look[axis]));
        look
    })
}

/// `bs_skin*.npz`.
pub(crate) fn skin_shapes(path: &Path, options: &StandIn, skin: &Part) -> Result<(), Error> {
    let mut archive = shapes(path, &SKIN_POSES, skin)?;
    let mask: Vec<i32> = skin.frontal(options.frontal_vertices).into_iter().map(|vertex| vertex as i32).collect();
    archive.integers("frontalMask", &mask)?;
    archive.finish()
}

/// `bs_tongue*.npz`.
pub(crate) fn tongue_shapes(path: &Path, tongue: &Part) -> Result<(), Error> {
    shapes(path, &TONGUE_POSES, tongue)?.finish()
}

fn shapes(path: &Path, names: &[&str], part: &Part) -> Result<Archive, Error> {
    let mut archive = Archive::create(path)?;
    let all: Vec<&str> = ["neutral"].into_iter().chain(names.iter().copied()).collect();
    archive.strings("poseNames", &all)?;
    archive.vectors("neutral", &part.neutral)?;
    names.iter().zip(&part.poses).try_for_each(|(name, pose)| archive.vectors(name, pose))?;
    Ok(archive)
}

/// `implicit_emo_db.npz`.
pub(crate) fn emotion_database(path: &Path, options: &StandIn) -> Result<(), Error> {
    let mut archive = Archive::create(path)?;
    archive.strings("emo_spec_names", &SHOTS.map(|(name, _)| name))?;
    let sizes = SHOTS.map(|(_, rows)| rows as i32);
    let starts = [0, sizes[0]];
    archive.integers("emo_spec_start", &starts)?;
    archive.integers("emo_spec_size", &sizes)?;
    let mut random = Random::new(options.seed ^ 0xdb);
    let width = options.implicit_emotion_len;
    let rows: usize = SHOTS.iter().map(|(_, rows)| rows).sum();
    // An emotion changes slowly from one frame of a shot to the next.
    let mut row = vec![0.0; width];
    let values = (0..rows).flat_map(move |_| {
        row.iter_mut().for_each(|value| *value = 0.9 * *value + 0.1 * random.uniform());
        row.clone()
    });
    archive.floats("emo_db", &[rows, width], values)?;
    archive.finish()
}
