//! PCA coefficients to differences of vertices, frame by frame and all at once.

use talkie::animation::geometry::PcaBasis;

use crate::support::{GoldenFile, GroupResult, Report};

pub fn run(file: &GoldenFile, report: &mut Report) -> GroupResult {
    let (shape, shapes) = file.array_f32("shapes_matrix")?;
    let (_, coefficients) = file.array_f32("coefficients")?;
    let (_, want) = file.array_f32("out_deltas")?;
    let basis = PcaBasis::new(shapes.to_vec(), shape[0])?;
    let mut got = vec![0.0; want.len()];
    for (coefficients, deltas) in
        coefficients.chunks_exact(basis.shape_count()).zip(got.chunks_exact_mut(basis.shape_len()))
    {
        basis.expand(coefficients, deltas)?;
    }
    report.compare("frame by frame", &got, want, 1e-5);
    let mut batch = vec![0.0; want.len()];
    basis.expand_batch(coefficients, &mut batch)?;
    report.equal("all at once as frame by frame", batch == got, true);
    Ok(())
}
