//! The tongue: strength, height and depth.

use talkie::animation::geometry::{TongueAnimator, TongueParameters};

use crate::{
    ranges::compare_ranges,
    support::{GoldenFile, GroupResult, Report},
};

pub fn run(file: &GoldenFile, report: &mut Report) -> GroupResult {
    compare_ranges(&file.json, TongueParameters::RANGES, report)?;
    let (_, neutral) = file.array_f32("neutral")?;
    let (_, deltas) = file.array_f32("input_deltas")?;
    let (_, parameters) = file.array_f32("params")?;
    let (_, want) = file.array_f32("out_vertices")?;
    let mut animator = TongueAnimator::new(neutral.into(), TongueParameters::default())?;
    let mut got = vec![0.0; want.len()];
    let mut frames = got.chunks_exact_mut(neutral.len());
    for row in parameters.chunks_exact(3) {
        let [tongue_strength, tongue_height_offset, tongue_depth_offset] = [row[0], row[1], row[2]];
        animator.set_parameters(TongueParameters { tongue_strength, tongue_height_offset, tongue_depth_offset })?;
        for deltas in deltas.chunks_exact(neutral.len()) {
            animator.animate(deltas, frames.next().ok_or("more frames than the reference has")?)?;
        }
    }
    report.equal("frames that were not computed", frames.len(), 0);
    report.compare("vertices", &got, want, 5e-5);
    Ok(())
}
