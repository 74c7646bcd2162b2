//! `talkie info`.

use std::path::{Path, PathBuf};

use talkie::{
    animation::geometry::{EyeParameters, GeometryParameters, SkinParameters, TeethParameters, TongueParameters},
    inference::{Device, Network, NetworkSource, Runtime},
    model::{
        BundleError, EmotionModelOptions, FaceModel, ModelOptions,
        audio2face::{BundleFiles, BundleSource, EmotionBundle, FaceBundle, FaceInfo, Family, Identity},
    },
};

use crate::{Failure, model_folder};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Folder of the bundle; default as for `animate`.
    bundle: Option<PathBuf>,
    /// Where its network shall compute: auto, cpu, tensorrt, cuda, directml, coreml, openvino or webgpu; default: as TALKIE_DEVICE
    /// says.
    #[arg(long)]
    device: Option<Device>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let folder = model_folder(arguments.bundle.as_deref())?;
    let runtime = Runtime::global()?;
    say!("engine      {} {}", runtime.backend(), runtime.version());
    match runtime.library() {
        Some(library) => say!("library     {}", library.display()),
        None => say!("library     none needed"),
    }
    for attempt in runtime.passed_over() {
        say!("passed over {attempt}");
    }
    say!("bundle      {}", folder.display());
    match official_family(&folder)? {
        None => ours(&folder, runtime, arguments.device),
        Some(Family::Emotion) => emotion(&folder, runtime, arguments.device),
        Some(_) => face(&folder, runtime, arguments.device),
    }
}

/// Where a network computes, and why nowhere better.
pub(crate) fn say_device(network: &Network) -> Result<(), Failure> {
    match network.nodes_on_device() {
        Some((its, all)) => say!("device      {}, which computes {its} of {all} nodes", network.device()),
        None => say!("device      {}", network.device()),
    }
    for attempt in network.passed_over() {
        say!("passed over {attempt}");
    }
    Ok(())
}

/// Of which official family a bundle is; none if it is one of ours.
pub(crate) fn official_family(folder: &Path) -> Result<Option<Family>, BundleError> {
    let json = BundleSource::folder(folder).read("model.json")?;
    if !BundleFiles::recognises(&json) {
        return Ok(None);
    }
    Ok(Some(BundleFiles::parse(&json, &folder.join("model.json"))?.family))
}

fn ours(folder: &Path, runtime: &Runtime, device: Option<Device>) -> Result<(), Failure> {
    let options = ModelOptions { device, ..ModelOptions::default() };
    let model = FaceModel::load_dir_with(folder, &options, Ok(runtime))?;
    say_device(model.network())?;
    let Some(manifest) = model.manifest() else { return Ok(()) };
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

fn face(folder: &Path, runtime: &Runtime, device: Option<Device>) -> Result<(), Failure> {
    let mut source = BundleSource::folder(folder);
    let bundle = FaceBundle::load(&mut source)?;
    say!("kind        {}", bundle.info.described());
    match &bundle.info {
        FaceInfo::Regression { info, implicit_emotion } => {
            say!("hears       16000 Hz mono, windows of {} samples, {} before the pose", info.window, info.offset);
            say!(
                "gives       any number of poses per second; looks {:.0} ms ahead",
                (info.window - info.offset) as f64 / 16.0
            );
            say!(
                "emotion     {} implicit values, then {}",
                implicit_emotion.len(),
                named(&info.emotions, &info.default_emotion)
            );
            say!(
                "geometry    skin {} vertices in {} shapes, tongue {} in {}, jaw {} points",
                info.skin_vertices,
                info.skin_shapes,
                info.tongue_vertices,
                info.tongue_shapes,
                info.jaw_size / 3
            );
        }
        FaceInfo::Diffusion(info) => {
            let (frames, seconds) = (info.frames(), info.window as f64 / 16e3);
            say!("hears       16000 Hz mono, windows of {} samples, {} of silence first", info.window, info.padding);
            say!(
                "gives       {:.0} poses per second, {} of {frames} kept per window; looks up to {:.0} ms ahead",
                frames as f64 / seconds,
                info.centre_frames,
                1e3 * seconds * (info.centre_frames + info.right_frames) as f64 / frames as f64
            );
            say!(
                "denoises    in {} steps; {} layers of {} values remembered, {:.0} MB of noise",
                info.steps,
                info.gru_layers,
                info.gru_width,
                ((info.steps + 1) * frames * info.frame_len() * 4) as f64 / 1e6
            );
            say!("emotion     {}", named(&info.emotions, &info.default_emotion));
            say!(
                "geometry    skin {} vertices, tongue {}, jaw {} points",
                info.skin_size / 3,
                info.tongue_size / 3,
                info.jaw_size / 3
            );
        }
    }
    for identity in &bundle.identities {
        identity_lines(identity)?;
    }
    network_lines(&source, &bundle.files, runtime, device)
}

fn identity_lines(identity: &Identity) -> Result<(), Failure> {
    say!("identity    {}, input strength {}", identity.name, identity.config.input_strength);
    let GeometryParameters { skin, tongue, teeth, eyes } = &identity.config.parameters;
    let ranges = [SkinParameters::RANGES, TongueParameters::RANGES, TeethParameters::RANGES, EyeParameters::RANGES];
    let values = skin.values().chain(tongue.values()).chain(teeth.values()).chain(eyes.values());
    let named = ranges.concat().into_iter().zip(values).map(|(range, value)| format!("{} {value}", range.name));
    say!("            {}", named.collect::<Vec<_>>().join(", "));
    let Some(solvers) = &identity.solvers else {
        say!("            no blend shapes: other characters cannot be moved");
        return Ok(());
    };
    for (part, solver) in ["skin", "tongue"].iter().zip(solvers) {
        let (data, active) = (solver.data(), solver.active_poses().map_or(0, <[usize]>::len));
        let unknown = data.pose_names().iter().filter(|name| talkie::animation::FaceChannel::from_name(name).is_none());
        let unknown: Vec<_> = unknown.map(String::as_str).collect();
        say!(
            "            {part}: {} poses, {active} of them active, solved at {} vertices{}",
            data.pose_count(),
            data.mask().map_or(data.neutral().len() / 3, <[u32]>::len),
            if unknown.is_empty() { String::new() } else { format!("; shown nowhere: {}", unknown.join(" ")) }
        );
    }
    Ok(())
}

fn emotion(folder: &Path, runtime: &Runtime, device: Option<Device>) -> Result<(), Failure> {
    let mut source = BundleSource::folder(folder);
    let bundle = EmotionBundle::load(&mut source)?;
    say!("kind        Audio2Emotion");
    let options = EmotionModelOptions::default();
    say!("hears       16000 Hz mono, windows of any length; {} samples by default", options.window);
    for (name, output) in bundle.info.emotions.iter().zip(&bundle.config.correspondence) {
        let becomes = match output {
            None => "nothing".into(),
            Some(output) if bundle.config.outputs == talkie::emotion::FACE_EMOTIONS.len() => {
                talkie::emotion::FACE_EMOTIONS[*output].to_owned()
            }
            Some(output) => format!("output {output}"),
        };
        say!("emotion     {name} becomes {becomes}");
    }
    say!("processing  {}", serde_json::to_string(&bundle.config.parameters)?);
    network_lines(&source, &bundle.files, runtime, device)
}

/// The file of an official network, and the device that it finds when it is loaded.
fn network_lines(
    source: &BundleSource<'_>,
    files: &BundleFiles,
    runtime: &Runtime,
    device: Option<Device>,
) -> Result<(), Failure> {
    let path = match source.first_file(&files.network_candidates()) {
        Ok(path) => path,
        Err(error) => {
            say!("network     {error}");
            return Ok(());
        }
    };
    say!("network     {} (model.json names {})", path.display(), files.network);
    let device = device.or(runtime.device()).unwrap_or(Device::Auto);
    match Network::load_from(runtime, NetworkSource::File(&path), device, 1) {
        Ok(network) => say_device(&network)?,
        Err(error) => say!("device      none: {error}"),
    }
    Ok(())
}

fn named(names: &[String], defaults: &[f32]) -> String {
    let each = names.iter().zip(defaults).map(|(name, value)| match value {
        0.0 => name.clone(),
        value => format!("{name} ({value} by default)"),
    });
    each.collect::<Vec<_>>().join(" ")
}
