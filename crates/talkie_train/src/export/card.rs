//! The model card: what people should know before they use the weights.

use core::fmt::Write as _;

use crate::config::{Recipe, Variant};
use crate::corpus::RATE;
use crate::training::Progress;

/// The card of a model as Markdown. `scores` maps the name of a test set to figures.
pub fn model_card(
    recipe: &Recipe,
    variant: &Variant,
    progress: &Progress,
    scores: &serde_json::Value,
    bytes: usize,
) -> String {
    let network = &recipe.network;
    let total: f64 = progress.minutes.iter().sum();
    let frame_ms = 1000.0 * recipe.features.hop as f64 / RATE;
    let mut card = format!(
        "# {}, `{}`\n\nSpeech to facial animation: log-mel features of 16 kHz mono sound in, {} face channels at {:.0} poses a second \
         out.\nCausal dilated convolutions ({} channels, dilations {:?}), {:.0} ms of look-ahead ({:.1} ms of sound beyond a \
         pose's moment,\nanalysis window included), {:.1} MB (matrices in half precision), state kept outside the graph.\nLicence: \
         MIT OR Apache-2.0. Made by `talkie_train` with its `recipe.toml`.\n\n## Data\n\n{:.1} hours of speech.\n\n\
         | source | minutes | what it is | licence |\n|---|---|---|---|\n",
        recipe.name,
        variant.name,
        super::channel_names().len(),
        1000.0 / frame_ms,
        network.channels,
        network.dilations,
        variant.look_ahead as f64 * frame_ms,
        variant.look_ahead as f64 * frame_ms + 500.0 * recipe.features.span() as f64 / RATE,
        bytes as f64 / 1e6,
        total / 60.0,
    );
    // Writing into a string cannot fail.
    for (source, minutes) in recipe.sources.iter().zip(&progress.minutes) {
        let _ = writeln!(card, "| {} | {minutes:.1} | {} | {} |", source.name, source.origin, source.licence);
    }
    let best = progress.best();
    let start = variant.from.as_ref().map_or(String::new(), |from| format!(" from the weights of `{from}`"));
    let _ = writeln!(
        card,
        "\nSentences: quotations of Debian's `fortunes`, filtered, and generated ones dense in closures, tucks and rounding\n\
         (`crates/talkie_train/corpus/sentences.py`). When each phone is spoken, say flite, espeak-ng and \
         festival\nthemselves, and for the others a forced alignment (`corpus/align.py`); constant delays are measured on the sound\n\
         (`talkie_train check`). A teacher of dominance functions (Cohen and Massaro 1993) turns phones into the motion to learn.\n\
         Noise, babble, rooms, microphones, codecs, overload, levels, breath and changes of voice up to a whisper are added on the fly.\n\n## Training\n\n{} steps{start} of {} sequences of {:.0} s, {}{}{}; kept: the running\n\
         mean of the weights at step {}, loss on held-out speech {}.\n\n## Figures\n",
        progress.step,
        recipe.training.batch,
        recipe.training.frames as f64 * recipe.features.hop as f64 / RATE,
        duration(progress.seconds),
        if progress.hardware.is_empty() { "" } else { " on " },
        progress.hardware,
        best.map_or(progress.step, |best| best.step),
        best.map_or("unknown".into(), |best| format!("{:.4}", best.held_out)),
    );
    if scores.as_object().is_none_or(serde_json::Map::is_empty) {
        card.push_str("Not measured.\n");
    } else {
        card.push_str(
            "Measured by `talkie_train eval` with the definitions of `talkie::metrics`: the truth is an alignment of phones, not a\n\
             captured face. No set was learned from.",
        );
        if let Some(count) = scores.pointer("/people/n") {
            let of = |key: &str| count.get(key).and_then(serde_json::Value::as_f64).unwrap_or(0.0);
            let _ = write!(
                card,
                " `people`: {:.0} recordings of people, {:.0} s, {:.0} bilabials;\nthe best of {} networks of this run was chosen on \
                 them, so they flatter a little.",
                of("clips"),
                of("seconds"),
                of("bilabials"),
                progress.validation.len(),
            );
        }
        card.push_str("\n\n");
        card.push_str(&crate::report::table(scores));
    }
    card.push_str(
        "\n## Limits\n\nEnglish phones first: those of other languages count as the nearest English ones. The \
         motion is\nthat of a rule, not of actors: no style, no emotion, no asymmetry; above the cheeks only the accents of the brows \
         (blinks, nods\nand gaze are another layer). Singing and shouting were not trained on. Several voices at once give the motion of the louder one.\n",
    );
    card
}

/// How long learning took, in the unit that reads best.
fn duration(seconds: f64) -> String {
    if seconds < 120.0 { format!("{seconds:.0} seconds") } else { format!("{:.0} minutes", seconds / 60.0) }
}
