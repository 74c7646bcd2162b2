//! The lower teeth: the rigid motion of the jaw, near the origin, far from it, flat, and by itself.

use talkie::animation::geometry::{JawAnimator, TeethParameters, fit_rigid};

use crate::{
    ranges::compare_ranges,
    support::{GoldenFile, GroupResult, Report, text},
};

pub fn run(file: &GoldenFile, report: &mut Report) -> GroupResult {
    compare_ranges(&file.json, TeethParameters::RANGES, report)?;
    for case in file.cases()? {
        let name = text(case, "name")?;
        let arrays = case["arrays"].as_array().ok_or("no arrays")?.iter().filter_map(|array| array.as_str());
        match arrays.collect::<Vec<_>>()[..] {
            [neutral, deltas, parameters, output] if neutral.starts_with("neutral_jaw") => {
                let got = animated(file, neutral, deltas, parameters)?;
                compare(name, &got, file.array_f32(output)?.1, report);
            }
            [from, to, output] if from.starts_with("rigid") => {
                let (_, from) = file.array_f32(from)?;
                let (_, to) = file.array_f32(to)?;
                let got = to.chunks_exact(from.len()).map(|to| fit_rigid(from, to)).collect::<Result<Vec<_>, _>>()?;
                compare(name, got.as_flattened(), file.array_f32(output)?.1, report);
            }
            _ => return Err(format!("{name}: unknown kind of case").into()),
        }
    }
    Ok(())
}

fn animated(
    file: &GoldenFile,
    neutral: &str,
    deltas: &str,
    parameters: &str,
) -> Result<Vec<f32>, Box<dyn std::error::Error>> {
    let (_, neutral) = file.array_f32(neutral)?;
    let (_, deltas) = file.array_f32(deltas)?;
    let (_, parameters) = file.array_f32(parameters)?;
    let mut animator = JawAnimator::new(neutral.to_vec(), TeethParameters::default())?;
    let mut got = Vec::new();
    for row in parameters.chunks_exact(3) {
        animator.set_parameters(TeethParameters {
            lower_teeth_strength: row[0],
            lower_teeth_height_offset: row[1],
            lower_teeth_depth_offset: row[2],
        })?;
        for deltas in deltas.chunks_exact(neutral.len()) {
            got.extend(animator.animate(deltas)?);
        }
    }
    Ok(got)
}

/// Rotation and translation of matrices apart: they have tolerances of their own.
fn compare(case: &str, got: &[f32], want: &[f32], report: &mut Report) {
    let part = |of: &[f32], translation: bool| -> Vec<f32> {
        let matrices = of.chunks_exact(16).flat_map(|matrix| matrix.iter().enumerate());
        matrices.filter(|(index, _)| (*index >= 12) == translation).map(|(_, value)| *value).collect()
    };
    report.equal(&format!("{case}: values"), got.len(), want.len());
    report.compare(&format!("{case}: rotation"), &part(got, false), &part(want, false), 3e-5);
    let tolerance = if case == "far" { 1e-3 } else { 5e-5 };
    report.compare(&format!("{case}: translation"), &part(got, true), &part(want, true), tolerance);
}
