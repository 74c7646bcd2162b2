//! Windows of accumulated sound: zeros before and after, strength, dropping, refusals.

use talkie::audio::AudioAccumulator;

use crate::support::{GoldenFile, GroupResult, Report, count, number, text};

pub fn run(file: &GoldenFile, report: &mut Report) -> GroupResult {
    let (_, sound) = file.array_f32("audio")?;
    let filled = || -> Result<AudioAccumulator, Box<dyn std::error::Error>> {
        let mut accumulator = AudioAccumulator::with_block(count(&file.json, "buffer_size")?);
        for block in sound.chunks(count(&file.json, "block_size")?) {
            accumulator.append(block)?;
        }
        Ok(accumulator)
    };
    let open = filled()?;
    let mut closed = filled()?;
    closed.close()?;
    let mut dropped = filled()?;
    dropped.close()?;
    let mut last_drop = 0;
    for step in file.json["drop_steps"].as_array().ok_or("no drop steps")? {
        last_drop = step["drop_before"].as_i64().ok_or("no sample")?;
        let succeeds = usize::from(dropped.drop_before(last_drop).is_ok());
        report.equal(&format!("drop before {last_drop}"), succeeds, count(step, "succeeds")?);
        report.equal(
            &format!("dropped before {last_drop}"),
            dropped.dropped_samples(),
            count(step, "nb_dropped")?.try_into()?,
        );
    }
    let after_drop = format!("after drop before {last_drop}");
    for case in file.cases()? {
        let name = format!("window {}", count(case, "index")?);
        let accumulator = match text(case, "state")? {
            "open" => &open,
            "closed" => &closed,
            state if state == after_drop => &dropped,
            unknown => return Err(format!("{name}: unknown state {unknown:?}").into()),
        };
        let start = case["start"].as_i64().ok_or("no start")?;
        let mut window = vec![f32::NAN; count(case, "length")?];
        let succeeds = accumulator.read(start, number(case, "inputStrength")?, &mut window).is_ok();
        report.equal(&format!("{name}: succeeds"), usize::from(succeeds), count(case, "succeeds")?);
        if succeeds {
            report.compare(&name, &window, file.array_f32(text(case, "output")?)?.1, 0.0);
        }
    }
    Ok(())
}
