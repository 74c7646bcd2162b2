//! Windows, frames and how many of them can be computed, in whole numbers.

use serde_json::Value;
use talkie::{
    audio::Received,
    model::{Window, WindowLayout, WindowSchedule},
};

use crate::support::{GoldenFile, GroupResult, Report, count, text};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

pub fn run(file: &GoldenFile, report: &mut Report) -> GroupResult {
    let models = file.json["models"].as_array().ok_or("no models")?;
    let mut schedules = Vec::new();
    for model in models {
        let schedule = schedule(model)?;
        schedules.push(schedule);
        compare(model, &schedule, report)?;
    }
    for row in rows(&file.json, "executions")? {
        let [Some(model), Some(samples), Some(closed), emotion, Some(emotions_closed), Some(read), Some(want)] =
            row[..]
        else {
            return Err(format!("executions: a row of {row:?}").into());
        };
        let schedule = schedules.get(usize::try_from(model)?).ok_or("no such model")?;
        let known_until = if emotions_closed != 0 { i64::MAX } else { emotion.unwrap_or(i64::MIN) };
        let got = schedule.available(received(samples, closed), Some(known_until), read.try_into()?);
        report.equal(&format!("executions {row:?}"), i64::try_from(got)?, want);
    }
    Ok(())
}

fn schedule(model: &Value) -> Outcome<WindowSchedule> {
    let whole = |key: &str| model[key].as_i64().ok_or_else(|| format!("no whole number {key:?}"));
    Ok(WindowSchedule::new(WindowLayout {
        size: whole("windowSize")?,
        start_offset: whole("startOffset")?,
        target_offset: whole("targetOffset")?,
        stride_numerator: whole("strideNum")?,
        stride_denominator: whole("strideDenom")?,
        frames: whole("framesPerStride")?.try_into()?,
    })?)
}

fn compare(model: &Value, schedule: &WindowSchedule, report: &mut Report) -> GroupResult {
    let name = text(model, "name")?;
    let per_frame = schedule.per_frame();
    for (key, schedule) in [("windows_per_inference", schedule), ("windows_per_frame", &per_frame)] {
        for row in whole_rows(model, key)? {
            let Window { start, target, end } = schedule.window(row[0].try_into()?);
            report.equal(&format!("{name}: {key}"), vec![row[0], start, target, end], row);
        }
    }
    for row in whole_rows(model, "available")? {
        let [read, samples, closed, inferences, frames] = row[..] else { return Err("not five columns".into()) };
        let received = received(samples, closed);
        let read = u64::try_from(read)?;
        let case = format!("{name}: available {row:?}");
        report.equal(&case, schedule.available(received, None, read), inferences.try_into()?);
        let frames_read = read * u64::from(schedule.layout().frames);
        report.equal(&case, per_frame.available(received, None, frames_read), frames.try_into()?);
    }
    report.equal(name, schedule.frames_before_sound(), count(model, "frames_before_audio")? as u64);
    for row in whole_rows(model, "total_frames_for_samples")? {
        let case = format!("{name}: total frames of {row:?}");
        report.equal(&case, schedule.total_frames(Received::Closed(row[0])), row[1].try_into()?);
        report.equal(&case, schedule.total_frames(Received::Open(row[0])), 0);
    }
    for row in whole_rows(model, "frame_timestamps_in_samples")? {
        report.equal(&format!("{name}: time of frame {}", row[0]), schedule.frame_time(row[0].try_into()?), row[1]);
    }
    Ok(())
}

fn received(samples: i64, closed: i64) -> Received {
    if closed != 0 { Received::Closed(samples) } else { Received::Open(samples) }
}

/// Rows of whole numbers or nulls; at least one.
fn rows(value: &Value, key: &str) -> Outcome<Vec<Vec<Option<i64>>>> {
    let rows = value[key].as_array().filter(|rows| !rows.is_empty()).ok_or_else(|| format!("no rows {key:?}"))?;
    let row = |row: &Value| row.as_array().map(|row| row.iter().map(Value::as_i64).collect());
    rows.iter().map(row).collect::<Option<_>>().ok_or_else(|| format!("{key:?} is not a table").into())
}

fn whole_rows(value: &Value, key: &str) -> Outcome<Vec<Vec<i64>>> {
    let whole = |row: Vec<Option<i64>>| row.into_iter().collect::<Option<Vec<_>>>();
    rows(value, key)?.into_iter().map(whole).collect::<Option<_>>().ok_or_else(|| format!("a null in {key:?}").into())
}
