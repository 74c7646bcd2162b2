//! The group `bvls`: bounded least squares alone.

use talkie::animation::blendshapes::{ActiveSet, BoundedSolver, Objective};

use crate::support::{GoldenFile, GroupResult, Report, count, text};

pub fn run(file: &GoldenFile, report: &mut Report) -> GroupResult {
    for case in file.cases()? {
        let (index, size) = (count(case, "index")?, count(case, "size")?);
        let array = |part: &str| -> Result<Vec<f64>, Box<dyn std::error::Error>> {
            Ok(file.array_f32(&format!("{part}_{index}"))?.1.iter().copied().map(f64::from).collect())
        };
        let mut x = vec![0.0; size];
        let mut solver = BoundedSolver::new(&array("A")?, size, Objective::Residual)?;
        solver.solve(&array("b")?, &array("lower")?, &array("upper")?, &mut ActiveSet::default(), &mut x)?;
        let got: Vec<f32> = x.iter().map(|x| *x as f32).collect();
        let label = format!("{index} ({}, {size})", text(case, "kind")?);
        report.compare(&label, &got, file.array_f32(&format!("out_x_{index}"))?.1, 2e-5);
    }
    Ok(())
}
