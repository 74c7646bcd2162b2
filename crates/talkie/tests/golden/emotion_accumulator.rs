//! Emotions over time: interpolation, what is not known yet, dropping, refusals.

use serde_json::Value;
use talkie::emotion::EmotionTimeline;

use crate::support::{GoldenFile, GroupResult, Report, count, integers, text};

pub fn run(file: &GoldenFile, report: &mut Report) -> GroupResult {
    for case in file.cases()? {
        match text(case, "name")? {
            name @ ("open" | "closed") => reads(file, name, case, report)?,
            "drop" => drops(file, case, report)?,
            "errors" => errors(case, report)?,
            unknown => return Err(format!("unknown kind of case {unknown:?}").into()),
        }
    }
    Ok(())
}

fn filled(file: &GoldenFile, keys_per_block: usize) -> Result<EmotionTimeline, Box<dyn std::error::Error>> {
    let (_, times) = file.array_i32("key_timestamps")?;
    let (shape, values) = file.array_f32("key_values")?;
    let mut timeline = EmotionTimeline::with_block(shape[1], keys_per_block);
    for (time, emotion) in times.iter().zip(values.chunks_exact(shape[1])) {
        timeline.push((*time).into(), emotion)?;
    }
    Ok(timeline)
}

fn reads(file: &GoldenFile, name: &str, case: &Value, report: &mut Report) -> GroupResult {
    let mut timeline = filled(file, 300)?;
    if name == "closed" {
        timeline.close()?;
    }
    let mut got = Vec::new();
    let mut succeeds = Vec::new();
    for time in integers(case, "read_timestamps")? {
        let mut emotion = vec![0.0; timeline.width()];
        succeeds.push(i64::from(timeline.sample(time, &mut emotion).is_ok()));
        got.extend(emotion);
    }
    report.equal(&format!("{name}: which reads succeed"), succeeds, integers(case, "read_succeeds")?);
    report.compare(name, &got, file.array_f32(text(case, "output")?)?.1, 1e-5);
    let statistics = vec![
        timeline.last_key().unwrap_or(i64::MIN),
        timeline.dropped_before().unwrap_or(i64::MIN),
        timeline.dropped_keys().try_into()?,
        timeline.is_empty().into(),
        timeline.is_closed().into(),
    ];
    let want = integers(case, "stats_last_accumulated_last_dropped_nb_dropped_empty_closed")?;
    report.equal(&format!("{name}: statistics"), statistics, want);
    Ok(())
}

fn drops(file: &GoldenFile, case: &Value, report: &mut Report) -> GroupResult {
    // The note of the case says how many keys are in a buffer.
    let note = text(case, "note")?;
    let keys_per_block = note.split(' ').find_map(|word| word.parse().ok()).ok_or("no buffer size in the note")?;
    let mut timeline = filled(file, keys_per_block)?;
    for step in case["steps"].as_array().ok_or("no steps")? {
        let time = step["drop_before"].as_i64().ok_or("no time")?;
        timeline.drop_before(time);
        let mut emotion = vec![0.0; timeline.width()];
        let mut reads = |time: i64| usize::from(timeline.sample(time, &mut emotion).is_ok());
        let got = [1, timeline.dropped_keys(), reads(time - 1), reads(time)];
        let want =
            ["succeeds", "nb_dropped", "read_one_before_succeeds", "read_at_succeeds"].map(|key| count(step, key));
        for (got, want) in got.into_iter().zip(want) {
            report.equal(&format!("drop before {time}"), got, want?);
        }
    }
    Ok(())
}

fn errors(case: &Value, report: &mut Report) -> GroupResult {
    let mut timeline = EmotionTimeline::new(1);
    for (key, expected) in case.as_object().ok_or("not an object")?.iter().filter(|(key, _)| *key != "name") {
        // The object lists its steps in the order of their names, which is not that of the operations: each is run on a
        // timeline of its own.
        timeline.reset();
        let mut first = || timeline.push(100, &[0.0]);
        let outcome = match key.as_str() {
            "close_empty_succeeds" => timeline.close(),
            "add_first" => first(),
            "add_same_timestamp_succeeds" => first().and_then(|()| timeline.push(100, &[0.0])),
            "add_earlier_succeeds" => first().and_then(|()| timeline.push(99, &[0.0])),
            "add_negative_after" => first().and_then(|()| timeline.push(-1, &[0.0])),
            unknown => return Err(format!("unknown step {unknown:?}").into()),
        };
        report.equal(key, u64::from(outcome.is_ok()), expected.as_u64().unwrap_or(u64::MAX));
    }
    Ok(())
}
