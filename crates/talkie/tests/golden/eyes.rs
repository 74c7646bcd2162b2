//! The eyes: strengths, offsets, and saccades over time.

use talkie::animation::geometry::{EyeAnimator, EyeParameters};

use crate::{
    ranges::compare_ranges,
    support::{GoldenFile, GroupResult, Report, count, number, text},
};

pub fn run(file: &GoldenFile, report: &mut Report) -> GroupResult {
    compare_ranges(&file.json, EyeParameters::RANGES, report)?;
    let (_, saccades) = file.array_f32("saccade_rotations")?;
    let (_, rotations) = file.array_f32("input_rotations")?;
    let frame = |index: usize| rotations.chunks_exact(4).nth(index).ok_or("no such frame of rotations");
    for case in file.cases()? {
        let name = text(case, "name")?;
        let mut animator = None;
        let mut got = Vec::new();
        for step in case["sequence"].as_array().ok_or("no sequence")? {
            let parameters = || serde_json::from_value::<EyeParameters>(step["params"].clone());
            match (text(step, "op")?, &mut animator) {
                ("init", animator) => *animator = Some(EyeAnimator::new(saccades.into(), parameters()?)?),
                ("set_params", Some(animator)) => animator.set_parameters(parameters()?)?,
                ("reset", Some(animator)) => animator.reset(),
                ("compute", Some(animator)) => got.extend(animator.compute(frame(count(step, "index")?)?)?),
                ("advance", Some(animator)) => animator.advance(number(step, "dt")?)?,
                ("set_frame_index", Some(animator)) => animator.set_frame_index(count(step, "index")?),
                ("run", Some(animator)) => {
                    let (first, frames, dt) = (count(step, "first")?, count(step, "count")?, number(step, "dt")?);
                    for index in first..first + frames {
                        got.extend(animator.animate(frame(index)?, dt)?);
                    }
                }
                (unknown, _) => return Err(format!("{name}: operation {unknown:?}").into()),
            }
        }
        report.compare(name, &got, file.array_f32(text(case, "output")?)?.1, 1e-5);
    }
    Ok(())
}
