//! The groups `blendshape_small`, `blendshape_large` and `blendshape_tongue`: the whole solver through sequences.

use std::{error::Error, sync::Arc};

use serde_json::Value;
use talkie::animation::blendshapes::{BlendshapeConfig, BlendshapeData, BlendshapeParameters, BlendshapeSolver};

use crate::support::{GoldenFile, GroupResult, Report, count, integers, number, numbers, text};

/// The least that weights may be off, as the README of the files has it.
const WEIGHTS: f64 = 5e-5;
/// The most, where the reference stopped before it had reached its optimum: as the README of the files has it.
const STOPPED_EARLY: f64 = 2e-2;

pub fn run(file: &GoldenFile, report: &mut Report) -> GroupResult {
    for case in file.cases()? {
        let name = text(case, "name")?;
        let noise = f64::from(number(case, "reference_vs_double_max_abs")?);
        let tolerance = (3.0 * noise).clamp(WEIGHTS, STOPPED_EARLY);
        if 3.0 * noise > 1e-3 {
            report.remark(format!(
                "{name}: the reference stopped {noise:.1e} from its optimum, {tolerance:.1e} is allowed"
            ));
        }
        let mut run = Run { file, solver: None, scale: 1.0, weights: Vec::new() };
        for step in case["sequence"].as_array().ok_or("a case without a sequence")? {
            run.step(step).map_err(|error| format!("{name}: {step}: {error}"))?;
        }
        let (_, want) = file.array_f32(text(case, "output")?)?;
        report.compare(&format!("{name}: weights"), &run.weights, want, tolerance);
        if let Value::Object(_) = &case["intermediates_after_last_prepare"] {
            compare_intermediates(&mut run, name, &case["intermediates_after_last_prepare"], report)?;
        }
    }
    if file.has("out_eval_pose") {
        compare_evaluated_poses(file, report)?;
    }
    Ok(())
}

struct Run<'a> {
    file: &'a GoldenFile,
    solver: Option<BlendshapeSolver>,
    /// What the vertices of the shapes were multiplied by.
    scale: f32,
    weights: Vec<f32>,
}

impl Run<'_> {
    fn step(&mut self, step: &Value) -> GroupResult {
        let operation = text(step, "op")?;
        if operation == "set_data" {
            self.scale = scale(step)?;
            self.solver = Some(BlendshapeSolver::new(Arc::new(data(self.file, step["mask"].as_str(), self.scale)?)));
            return Ok(());
        }
        let solver = self.solver.as_mut().ok_or("no data yet")?;
        match operation {
            "set_config" => solver.set_config(config(&step["config"], solver.data().pose_count())?)?,
            "set_params" => solver.set_parameters(parameters(&step["params"])?)?,
            "set_multipliers" => solver.set_multipliers(&numbers(step, "values")?)?,
            "set_offsets" => solver.set_offsets(&numbers(step, "values")?)?,
            "prepare" => solver.prepare()?,
            "reset" => solver.reset(),
            "solve" => {
                let (_, targets) = self.file.array_f32(text(step, "targets")?)?;
                let (first, frames, scale) = (count(step, "first")?, count(step, "count")?, scale(step)?);
                let mut weights = vec![0.0; solver.data().pose_count()];
                let width = solver.data().neutral().len();
                let chosen =
                    targets.get(first * width..(first + frames) * width).ok_or("more frames than there are")?;
                for target in chosen.chunks_exact(width) {
                    let target: Vec<f32> = target.iter().map(|value| value * scale).collect();
                    solver.solve(&target, &mut weights)?;
                    self.weights.extend_from_slice(&weights);
                }
            }
            unknown => return Err(format!("unknown operation {unknown:?}").into()),
        }
        Ok(())
    }
}

fn scale(step: &Value) -> Result<f32, Box<dyn Error>> {
    if step["scale"].is_null() { Ok(1.0) } else { number(step, "scale") }
}

fn data(file: &GoldenFile, mask: Option<&str>, scale: f32) -> Result<BlendshapeData, Box<dyn Error>> {
    let scaled = |name: &str| -> Result<Vec<f32>, Box<dyn Error>> {
        Ok(file.array_f32(name)?.1.iter().map(|value| value * scale).collect())
    };
    let mask = match mask {
        Some(name) => {
            Some(file.array_i32(name)?.1.iter().map(|vertex| u32::try_from(*vertex)).collect::<Result<_, _>>()?)
        }
        None => None,
    };
    let poses = file.array_f32("deltas")?.0.first().copied().unwrap_or_default();
    let names = (0..poses).map(|pose| format!("pose{pose}")).collect();
    Ok(BlendshapeData::new(scaled("neutral")?, scaled("deltas")?, mask, names)?)
}

fn config(given: &Value, poses: usize) -> Result<BlendshapeConfig, Box<dyn Error>> {
    let mut config = BlendshapeConfig::new(poses);
    let ids = |key: &str| -> Result<Vec<i32>, Box<dyn Error>> {
        Ok(integers(given, key)?.into_iter().map(i32::try_from).collect::<Result<_, _>>()?)
    };
    for key in given.as_object().ok_or("no configuration")?.keys() {
        match key.as_str() {
            "activePoses" => config.active_poses = ids(key)?.into_iter().map(|active| active != 0).collect(),
            "cancelPoses" => config.cancel_poses = ids(key)?,
            "symmetryPoses" => config.symmetry_poses = ids(key)?,
            "multipliers" => config.multipliers = numbers(given, key)?,
            "offsets" => config.offsets = numbers(given, key)?,
            unknown => return Err(format!("unknown part of a configuration {unknown:?}").into()),
        }
    }
    Ok(config)
}

pub fn parameters(given: &Value) -> Result<BlendshapeParameters, Box<dyn Error>> {
    let mut parameters = BlendshapeParameters::default();
    for key in given.as_object().ok_or("no parameters")?.keys() {
        let value = number(given, key)?;
        match key.as_str() {
            "L1Reg" => parameters.strength_l1_regularization = value,
            "L2Reg" => parameters.strength_l2_regularization = value,
            "SymmetryReg" => parameters.strength_symmetry = value,
            "TemporalReg" => parameters.strength_temporal_smoothing = value,
            "templateBBSize" => parameters.template_bb_size = value,
            "tolerance" => parameters.tolerance = value,
            unknown => return Err(format!("unknown parameter {unknown:?}").into()),
        }
    }
    Ok(parameters)
}

/// What the reference had computed on the way. A matrix may be off by a hundred-thousandth of its largest entry.
fn compare_intermediates(run: &mut Run, case: &str, given: &Value, report: &mut Report) -> GroupResult {
    let solver = run.solver.as_mut().ok_or("no data")?;
    let unprepared = "not prepared";
    for key in given.as_object().into_iter().flat_map(|object| object.keys()) {
        let label = format!("{case}: {key}");
        match key.as_str() {
            "scaleFactor" => {
                let want = number(given, key)?;
                let got = solver.scale().ok_or(unprepared)? as f32;
                report.compare(&label, &[got], &[want], 1e-6 * f64::from(want));
            }
            "activePoses" => report.equal(&label, solver.active_poses().map(<[_]>::len), Some(count(given, key)?)),
            "vertex_floats_used" => {
                let (deltas, poses) = solver.active_deltas().zip(solver.active_poses()).ok_or(unprepared)?;
                report.equal(&label, deltas.len() / poses.len(), count(given, key)?);
            }
            "cancel_pairs_in_active_indices" => {
                let want: Vec<[usize; 2]> = serde_json::from_value(given[key].clone())?;
                report.equal(&label, solver.cancel_pairs().ok_or(unprepared)?, &want[..]);
            }
            "A_matrix" => {
                let got: Vec<f32> =
                    solver.system_matrix().ok_or(unprepared)?.iter().map(|value| *value as f32).collect();
                let (_, want) = run.file.array_f32(text(given, key)?)?;
                report.compare(&label, &got, want, 1e-5 * largest(want));
            }
            "DeltaT_times_target_minus_neutral_of_targets_0" => {
                let width = solver.data().neutral().len();
                let (_, targets) = run.file.array_f32("targets")?;
                let target: Vec<f32> =
                    targets.get(..width).ok_or("no target")?.iter().map(|value| value * run.scale).collect();
                let mut products = vec![0.0; solver.active_poses().ok_or(unprepared)?.len()];
                solver.right_hand_side(&target, &mut products)?;
                let got: Vec<f32> = products.iter().map(|value| *value as f32).collect();
                let (_, want) = run.file.array_f32(text(given, key)?)?;
                report.compare(&label, &got, want, 1e-5 * largest(want));
            }
            unknown => report.fail(case, format!("unknown intermediate {unknown:?}")),
        }
    }
    Ok(())
}

fn largest(values: &[f32]) -> f64 {
    values.iter().fold(0.0, |most, value| f64::max(most, value.abs().into()))
}

fn compare_evaluated_poses(file: &GoldenFile, report: &mut Report) -> GroupResult {
    let data = data(file, None, 1.0)?;
    let (_, weights) = file.array_f32("eval_weights")?;
    let (_, want) = file.array_f32("out_eval_pose")?;
    let mut vertices = vec![0.0; data.neutral().len()];
    let mut got = Vec::new();
    for weights in weights.chunks_exact(data.pose_count()) {
        data.evaluate_pose(weights, &mut vertices)?;
        got.extend_from_slice(&vertices);
    }
    report.compare("evaluated poses", &got, want, 5e-5);
    Ok(())
}
