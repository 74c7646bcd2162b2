//! The whole path of the skin: PCA, animator, blendshape weights, frame by frame.

use std::{error::Error, sync::Arc};

use talkie::animation::{
    blendshapes::{BlendshapeConfig, BlendshapeData, BlendshapeSolver},
    geometry::{PcaBasis, SkinAnimator, SkinParameters, SkinShape},
};

use crate::{
    blendshape,
    support::{GoldenFile, GroupResult, Report, integers, number, numbers, text},
};

pub fn run(file: &GoldenFile, report: &mut Report) -> GroupResult {
    let array = |name: &str| file.array_f32(name).map(|(_, values)| values.to_vec());
    let (shape, shapes) = file.array_f32("shapes")?;
    let basis = PcaBasis::new(shapes.to_vec(), shape[0])?;
    let skin = SkinShape::new(array("neutral")?, array("lip_open_delta")?, array("eye_close_delta")?)?;
    let parameters: SkinParameters = serde_json::from_value(file.json["skin_parameters"].clone())?;
    let mut animator = SkinAnimator::new(Arc::new(skin), parameters)?;
    let dt = number(&file.json, "dt")?;
    let (_, coefficients) = file.array_f32("coefficients")?;
    let frames = coefficients.len() / basis.shape_count();
    let width = basis.shape_len();
    let mut deltas = vec![0.0; frames * width];
    let mut vertices = vec![0.0; frames * width];
    for (index, coefficients) in coefficients.chunks_exact(basis.shape_count()).enumerate() {
        let range = index * width..(index + 1) * width;
        basis.expand(coefficients, &mut deltas[range.clone()])?;
        animator.animate(&deltas[range.clone()], dt, &mut vertices[range])?;
    }
    report.compare("PCA deltas", &deltas, file.array_f32("out_deltas")?.1, 1e-5);
    report.compare("vertices", &vertices, file.array_f32("out_vertices")?.1, 5e-5);
    let mut solver = solver(file)?;
    let mut weights = vec![0.0; frames * solver.data().pose_count()];
    for (vertices, weights) in vertices.chunks_exact(width).zip(weights.chunks_exact_mut(solver.data().pose_count())) {
        solver.solve(vertices, weights)?;
    }
    let noise = f64::from(number(&file.json, "reference_vs_double_max_abs")?);
    report.compare("weights", &weights, file.array_f32("out_weights")?.1, (3.0 * noise).max(5e-5));
    Ok(())
}

fn solver(file: &GoldenFile) -> Result<BlendshapeSolver, Box<dyn Error>> {
    if text(&file.json, "activePoses")? != "all 1" {
        return Err("not all poses are active".into());
    }
    let array = |name: &str| file.array_f32(name).map(|(_, values)| values.to_vec());
    let mask = file.array_i32("mask")?.1.iter().map(|vertex| u32::try_from(*vertex)).collect::<Result<_, _>>()?;
    let poses = file.array_f32("pose_deltas")?.0[0];
    let names = (0..poses).map(|pose| format!("pose{pose}")).collect();
    let data = BlendshapeData::new(array("neutral")?, array("pose_deltas")?, Some(mask), names)?;
    let ids = |key: &str| -> Result<Vec<i32>, Box<dyn Error>> {
        Ok(integers(&file.json, key)?.into_iter().map(i32::try_from).collect::<Result<_, _>>()?)
    };
    let mut config = BlendshapeConfig::new(poses);
    config.cancel_poses = ids("cancelPoses")?;
    config.symmetry_poses = ids("symmetryPoses")?;
    config.multipliers = numbers(&file.json, "multipliers")?;
    config.offsets = numbers(&file.json, "offsets")?;
    let mut solver = BlendshapeSolver::new(Arc::new(data));
    solver.set_config(config)?;
    solver.set_parameters(blendshape::parameters(&file.json["solver_parameters"])?)?;
    solver.prepare()?;
    Ok(solver)
}
