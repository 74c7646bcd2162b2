//! The skin: every parameter, smoothing over time, and the mask of the lower face.

use std::sync::Arc;

use talkie::animation::geometry::{SkinAnimator, SkinParameters, SkinShape};

use crate::{
    ranges::compare_ranges,
    support::{GoldenFile, GroupResult, Report, count, number, text},
};

pub fn run(file: &GoldenFile, report: &mut Report) -> GroupResult {
    compare_ranges(&file.json, SkinParameters::RANGES, report)?;
    let array = |name: &str| file.array_f32(name).map(|(_, values)| values.to_vec());
    let shape = Arc::new(SkinShape::new(array("neutral")?, array("lip_open_delta")?, array("eye_close_delta")?)?);
    let (_, deltas) = file.array_f32("input_deltas")?;
    let width = shape.neutral().len();
    for case in file.cases()? {
        let name = text(case, "name")?;
        let mut animator = None;
        let mut got = Vec::new();
        for step in case["sequence"].as_array().ok_or("no sequence")? {
            let parameters = || serde_json::from_value::<SkinParameters>(step["params"].clone());
            match (text(step, "op")?, &mut animator) {
                ("init", animator) => *animator = Some(SkinAnimator::new(Arc::clone(&shape), parameters()?)?),
                ("set_params", Some(animator)) => animator.set_parameters(parameters()?)?,
                ("reset", Some(animator)) => animator.reset(),
                ("animate", Some(animator)) => {
                    let (first, frames, dt) = (count(step, "first")?, count(step, "count")?, number(step, "dt")?);
                    for deltas in deltas.chunks_exact(width).skip(first).take(frames) {
                        let start = got.len();
                        got.resize(start + width, 0.0);
                        animator.animate(deltas, dt, &mut got[start..])?;
                    }
                }
                (unknown, _) => return Err(format!("{name}: operation {unknown:?}").into()),
            }
        }
        let (_, want) = file.array_f32(text(case, "output")?)?;
        report.compare(name, &got, want, 5e-5);
    }
    masks(file, &shape, report)
}

fn masks(file: &GoldenFile, shape: &Arc<SkinShape>, report: &mut Report) -> GroupResult {
    let (_, rows) = file.array_f32("face_mask_level_softness")?;
    let mut animator = SkinAnimator::new(Arc::clone(shape), SkinParameters::default())?;
    let mut got = Vec::new();
    for row in rows.chunks_exact(2) {
        let (face_mask_level, face_mask_softness) = (row[0], row[1]);
        animator.set_parameters(SkinParameters { face_mask_level, face_mask_softness, ..Default::default() })?;
        got.extend(animator.face_mask());
    }
    report.compare("face mask", &got, file.array_f32("out_face_mask")?.1, 1e-5);
    Ok(())
}
