//! Defaults and ranges of parameters.

use serde_json::Value;
use talkie::animation::geometry::ParameterRange;

use crate::support::{GroupResult, Report, number};

/// Compares `parameter_ranges` of a file with ours, parameter by parameter.
pub fn compare_ranges(json: &Value, ours: &[ParameterRange], report: &mut Report) -> GroupResult {
    let theirs = json["parameter_ranges"].as_object().ok_or("no parameter_ranges")?;
    report.equal("number of parameters", ours.len(), theirs.len());
    for (name, theirs) in theirs {
        let Some(ours) = ours.iter().find(|ours| ours.official_name == name) else {
            report.fail(name, "there is no such parameter");
            continue;
        };
        let want = [number(theirs, "default")?, number(theirs, "minimum")?, number(theirs, "maximum")?];
        report.equal(name, [ours.default, ours.minimum, ours.maximum], want);
    }
    Ok(())
}
