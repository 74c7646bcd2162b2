//! `talkie info`.

use std::path::PathBuf;

use talkie::{inference::Runtime, model::FaceModel};

use crate::{Failure, model_folder};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Folder of the bundle; default as for `animate`.
    bundle: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let folder = model_folder(arguments.bundle.as_deref())?;
    let runtime = Runtime::global()?;
    say!("engine      {} {}", runtime.backend(), runtime.version());
    say!("device      CPU, 1 thread");
    match runtime.library() {
        Some(library) => say!("library     {}", library.display()),
        None => say!("library     none needed"),
    }
    for attempt in runtime.passed_over() {
        say!("passed over {}: {}", attempt.path.display(), attempt.reason);
    }
    say!("bundle      {}", folder.display());
    let model = FaceModel::load_dir(&folder, Ok(runtime))?;
    let manifest = model.manifest();
    say!("name        {}", manifest.name);
    say!("kind        {:?}, format version {}", manifest.kind, manifest.version);
    say!(
        "hears       {} Hz mono, {} mel bands every {:.0} ms",
        manifest.sample_rate,
        manifest.features.log_mel.bands,
        manifest.frame_rate.seconds(1) * 1e3 / manifest.features.log_mel.views as f64
    );
    say!(
        "gives       {} poses per second of {} channels; looks {:.0} ms ahead, {:.1} ms with the window of its features",
        manifest.frame_rate.hertz(),
        manifest.channels.len(),
        manifest.frame_rate.seconds(manifest.look_ahead_frames as u64) * 1e3,
        manifest.look_ahead_seconds() * 1e3
    );
    say!("channels    {}", manifest.channels.join(" "));
    say!("license     {}", manifest.license);
    if !manifest.training.is_null() {
        say!("training    {}", serde_json::to_string_pretty(&manifest.training)?);
    }
    Ok(())
}
