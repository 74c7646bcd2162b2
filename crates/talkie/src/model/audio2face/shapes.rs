//! `bs_*_config.json` and `bs_*.npz`: the blend shapes that vertices are turned into.

use std::{path::Path, sync::Arc};

use serde::Deserialize;

use super::{
    arrays::{Arrays, Length},
    files::parse_json,
};
use crate::{
    animation::blendshapes::{
        BlendshapeConfig, BlendshapeData, BlendshapeError, BlendshapeParameters, BlendshapeSolver,
    },
    model::BundleError,
};

/// What stands before the poses in `poseNames`.
const NEUTRAL: &str = "neutral";

#[derive(Deserialize)]
struct File {
    blendshape_params: Parameters,
}

#[derive(Deserialize)]
#[expect(non_snake_case, reason = "the names are those of the file")]
struct Parameters {
    strengthL1regularization: f32,
    strengthL2regularization: f32,
    strengthSymmetry: f32,
    strengthTemporalSmoothing: f32,
    templateBBSize: Option<f32>,
    numPoses: usize,
    bsSolveActivePoses: Vec<i32>,
    bsSolveCancelPoses: Vec<i32>,
    bsSolveSymmetryPoses: Vec<i32>,
    bsWeightMultipliers: Vec<f32>,
    bsWeightOffsets: Vec<f32>,
}

/// Reads the blend shapes of a part of `vertices` vertices and makes a solver of them, ready to be cloned. `bytes` are those of
/// the configuration and of the arrays, with their paths for messages.
pub(super) fn solver(
    (config, config_path): (&[u8], &Path),
    (data, data_path): (Vec<u8>, &Path),
    vertices: usize,
) -> Result<BlendshapeSolver, BundleError> {
    let File { blendshape_params: file } = parse_json(config, config_path)?;
    let wrong = |key, found: String, expected: String| BundleError::Value {
        path: config_path.to_owned(),
        key,
        found,
        expected,
    };
    for (key, count) in [
        ("bsSolveActivePoses", file.bsSolveActivePoses.len()),
        ("bsSolveCancelPoses", file.bsSolveCancelPoses.len()),
        ("bsSolveSymmetryPoses", file.bsSolveSymmetryPoses.len()),
        ("bsWeightMultipliers", file.bsWeightMultipliers.len()),
        ("bsWeightOffsets", file.bsWeightOffsets.len()),
    ] {
        if count != file.numPoses {
            return Err(wrong(key, format!("{count} values"), format!("{}, as numPoses says", file.numPoses)));
        }
    }
    let data = shapes(data, data_path, vertices)?;
    if data.pose_count() != file.numPoses {
        let expected = format!("{}, as many as {} has", data.pose_count(), data_path.display());
        return Err(wrong("numPoses", file.numPoses.to_string(), expected));
    }
    let defaults = BlendshapeParameters::default();
    let parameters = BlendshapeParameters {
        strength_l1_regularization: file.strengthL1regularization,
        strength_l2_regularization: file.strengthL2regularization,
        strength_symmetry: file.strengthSymmetry,
        strength_temporal_smoothing: file.strengthTemporalSmoothing,
        template_bb_size: file.templateBBSize.unwrap_or(defaults.template_bb_size),
        ..defaults
    };
    let config = BlendshapeConfig {
        active_poses: file.bsSolveActivePoses.iter().map(|active| *active != 0).collect(),
        cancel_poses: file.bsSolveCancelPoses,
        symmetry_poses: file.bsSolveSymmetryPoses,
        multipliers: file.bsWeightMultipliers,
        offsets: file.bsWeightOffsets,
    };
    let mut solver = BlendshapeSolver::new(Arc::new(data));
    solver
        .set_parameters(parameters)
        .and_then(|()| solver.set_config(config))
        .and_then(|()| solver.prepare())
        .map_err(|error| wrong("blendshape_params", error.to_string(), "a problem that can be solved".into()))?;
    Ok(solver)
}

fn shapes(bytes: Vec<u8>, path: &Path, vertices: usize) -> Result<BlendshapeData, BundleError> {
    let mut arrays = Arrays::open(path, bytes)?;
    let mut names = arrays.strings("poseNames")?;
    if names.len() < 2 || names[0] != NEUTRAL {
        let found = format!("{} names, first {:?}", names.len(), names[0]);
        return Err(arrays.wrong("poseNames", found, format!("{NEUTRAL:?} and at least one pose")));
    }
    names.remove(0);
    let shape = [Length::Is(vertices), Length::Is(3)];
    let neutral = arrays.floats(NEUTRAL, &shape)?.values;
    let mut deltas = Vec::with_capacity(names.len() * neutral.len());
    for name in &names {
        deltas.extend(arrays.floats(name, &shape)?.values);
    }
    let mask = match arrays.has("frontalMask") {
        false => None,
        true => {
            let indices = arrays.integers("frontalMask")?;
            let outside =
                indices.iter().position(|index| usize::try_from(*index).map_or(true, |index| index >= vertices));
            if let Some(at) = outside {
                let found = format!("{} at index {at}", indices[at]);
                return Err(arrays.wrong("frontalMask", found, format!("vertices from 0 to {}", vertices - 1)));
            }
            Some(indices.into_iter().map(|index| index as u32).collect())
        }
    };
    BlendshapeData::new(neutral, deltas, mask, names).map_err(|error| {
        let array = if matches!(error, BlendshapeError::PoseName(_)) { "poseNames" } else { NEUTRAL };
        arrays.wrong(array, format!("unusable ({error})"), "shapes that can be solved for".into())
    })
}
