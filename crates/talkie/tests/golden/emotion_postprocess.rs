//! The processing of a classifier's answers: every parameter over sequences of frames.

use serde_json::Value;
use talkie::emotion::{EmotionParameters, EmotionPostprocessor};

use crate::support::{GoldenFile, GroupResult, Report, count, integers, number, numbers, text};

pub fn run(file: &GoldenFile, report: &mut Report) -> GroupResult {
    defaults(file, report)?;
    for case in file.cases()? {
        let name = text(case, "name")?;
        let (input_shape, input) = file.array_f32(text(case, "input")?)?;
        let (output_shape, want) = file.array_f32(text(case, "output")?)?;
        let operations = case["operations"].as_array().ok_or("no operations")?;
        let [first, later @ ..] = &operations[..] else { return Err(format!("{name}: no operations").into()) };
        if text(first, "op")? != "init" {
            return Err(format!("{name}: begins with {:?}", text(first, "op")?).into());
        }
        let correspondence = integers(first, "emotionCorrespondence")?;
        let correspondence: Vec<_> = correspondence.into_iter().map(|output| usize::try_from(output).ok()).collect();
        let mut processor = EmotionPostprocessor::new(&correspondence, output_shape[1], parameters(first)?)?;
        let mut got = Vec::new();
        let mut run = 0;
        for (frame, logits) in input.chunks_exact(input_shape[1]).enumerate() {
            for operation in later {
                if count(operation, "before_frame")? != frame {
                    continue;
                }
                run += 1;
                match text(operation, "op")? {
                    "reset" => processor.reset(),
                    "set_params" => processor.set_parameters(parameters(operation)?)?,
                    unknown => return Err(format!("{name}: operation {unknown:?}").into()),
                }
            }
            got.extend(processor.process(logits)?);
        }
        report.equal(&format!("{name}: operations that were run"), run, later.len());
        report.compare(name, &got, want, 1e-5);
    }
    Ok(())
}

fn parameters(operation: &Value) -> Result<EmotionParameters, Box<dyn std::error::Error>> {
    let values = &operation["params"];
    Ok(EmotionParameters {
        beginning_emotion: numbers(operation, "beginningEmotion")?,
        preferred_emotion: numbers(operation, "preferredEmotion")?,
        ..scalars(values)?
    })
}

fn scalars(values: &Value) -> Result<EmotionParameters, Box<dyn std::error::Error>> {
    Ok(EmotionParameters {
        emotion_contrast: number(values, "emotionContrast")?,
        max_emotions: count(values, "maxEmotions")?,
        live_blend_coef: number(values, "liveBlendCoef")?,
        enable_preferred_emotion: count(values, "enablePreferredEmotion")? != 0,
        preferred_emotion_strength: number(values, "preferredEmotionStrength")?,
        live_transition_time: number(values, "liveTransitionTime")?,
        fixed_dt: number(values, "fixedDt")?,
        emotion_strength: number(values, "emotionStrength")?,
        ..EmotionParameters::default()
    })
}

fn defaults(file: &GoldenFile, report: &mut Report) -> GroupResult {
    report.equal("defaults", EmotionParameters::default(), scalars(&file.json["defaults"])?);
    Ok(())
}
