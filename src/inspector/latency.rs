//! How late a face is, and what it is busy with.

use bevy_egui::egui;

use super::{
    view::{heading, row, table},
    widget::FaceItem,
};
use crate::{
    inference::{FaceModel, InferenceStats},
    voice::{Latencies, LiveLatency, OutputLatency},
};

/// What is known of all voices together.
type Measured<'a> = (Option<&'a LiveLatency>, Option<&'a OutputLatency>, Option<&'a InferenceStats>);

pub(super) fn show(
    ui: &mut egui::Ui,
    face: &FaceItem<'_, '_>,
    model: Option<&FaceModel>,
    (live, output, stats): Measured<'_>,
) {
    egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        heading(ui, "This voice");
        voice(ui, face);
        heading(ui, "From the callback of a device to the face, all live voices");
        match live.filter(|live| !live.total.is_empty()) {
            Some(live) => self::live(ui, live),
            None => {
                ui.weak("no live voice has spoken yet");
            }
        }
        heading(ui, "Sound that is played");
        if let Some(output) = output {
            let how = if output.measured().is_some() { "the device says so" } else { "assumed, or set by the game" };
            ui.label(format!("is heard {:.0} ms after it was handed over ({how})", output.get().as_secs_f64() * 1e3));
        }
        heading(ui, "Network");
        match model {
            Some(model) => {
                let (ahead, rate) = (model.look_ahead_seconds() * 1e3, model.frame_rate().hertz());
                ui.label(format!("{}: {rate:.0} poses a second, waits for {ahead:.0} ms of sound", model.name()));
            }
            None => {
                ui.weak("not loaded");
            }
        }
        if let Some(stats) = stats.filter(|stats| stats.batches > 0) {
            ui.label(format!(
                "all models: {:.1} s animated in {} batches, real-time factor {:.4}",
                stats.seconds_animated,
                stats.batches,
                stats.real_time_factor()
            ));
        }
    });
}

fn voice(ui: &mut egui::Ui, face: &FaceItem<'_, '_>) {
    let voice = face.voice;
    table(ui, "voice", |ui| {
        row(ui, "state", |ui| {
            ui.label(match () {
                () if voice.is_paused() => "paused",
                () if voice.is_speaking() && voice.is_live() => "live",
                () if voice.is_speaking() => "speaks",
                () if voice.is_idle() => "silent",
                () => "getting ready",
            });
        });
        row(ui, "heard", |ui| {
            ui.label(format!("{:.2} s, {} lines wait", voice.heard_seconds(), voice.queued().len()));
        });
        if let Some(track) = voice.track() {
            row(ui, "animated ahead", |ui| {
                ui.label(format!("{:.0} ms", (track.end_seconds() - voice.heard_seconds()).max(0.0) * 1e3));
            });
        }
        if let Some(microphone) = face.microphone {
            row(ui, "microphone", |ui| {
                ui.label(format!(
                    "{:.0} dB, gate {}, {} frames dropped",
                    microphone.level().rms_db,
                    if microphone.is_gate_open() { "open" } else { "closed" },
                    microphone.dropped_frames()
                ));
            });
        }
    });
}

fn live(ui: &mut egui::Ui, live: &LiveLatency) {
    egui::Grid::new("live").num_columns(4).spacing([18.0, 4.0]).show(ui, |ui| {
        for title in ["", "50 %", "95 %", "99 %"] {
            ui.weak(title);
        }
        ui.end_row();
        let mut line = |name: &str, latencies: &Latencies| {
            ui.label(name);
            for part in [0.5, 0.95, 0.99] {
                ui.label(format!("{:.1} ms", latencies.percentile(part).as_secs_f64() * 1e3));
            }
            ui.end_row();
        };
        line("in all", &live.total);
        line("until computed", &live.computing);
        line("until shown", &live.showing);
    });
    ui.label(format!("{:.0} ms of sound wait for the networks", live.queued_seconds * 1e3));
}
