//! `talkie bind`.

use std::path::{Path, PathBuf};

use talkie::{
    animation::{FacePose, FaceRegion},
    audio::AudioClip,
    inference::Runtime,
    model::FaceModel,
    retarget::{Finding, FindingKind, RigProfile, bind, open_gltf, rig_of},
    transfer::Head,
};

use crate::{Failure, model_folder, of_checkout, transfer::template};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A character: glTF, GLB or VRM.
    file: PathBuf,
    /// Profiles of your own (RON), tried before the built-in ones.
    #[arg(long)]
    profile: Vec<PathBuf>,
    /// Tell shapes with unknown names, or none, by what they do: they are compared with those of a default character, laid upon this
    /// one. Visemes and other postures are measured in the same way.
    #[arg(long)]
    geometry: bool,
    /// Speak a line silently: measure how far the mouth opens, whether the lips meet and which shapes are clipped, and put gains into the
    /// profile that bring this character to where the other one is.
    #[arg(long, requires = "geometry")]
    range: bool,
    /// The line for `--range`. Default: `assets/voices/01_ada.ogg` of a checkout, with the default model.
    #[arg(long, requires = "range")]
    voice: Option<PathBuf>,
    /// The character to compare with (GLB). Default: `assets/characters/ada.glb` of a checkout.
    #[arg(long, requires = "geometry")]
    from: Option<PathBuf>,
    /// Write what was found by geometry as a profile (`.rig.ron`), for games and for `--profile`.
    #[arg(short, long, requires = "geometry")]
    output: Option<PathBuf>,
    /// Print everything as JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let bytes = std::fs::read(&arguments.file).map_err(|error| Failure::at(&arguments.file, error))?;
    let file = open_gltf(&bytes).map_err(|reason| Failure::at(&arguments.file, reason))?;
    let profiles = profiles(&arguments.profile)?;
    let profiles: Vec<&RigProfile> = profiles.iter().collect();
    let rig = rig_of(&file);
    let (_, mut report) = bind(&rig, &profiles);
    let mut range = None;
    if arguments.geometry {
        let template = template(arguments.from.as_deref())?;
        let head = Head::read(&file).map_err(|error| Failure::at(&arguments.file, error))?;
        let fit = template.fit(&head).map_err(|error| Failure::at(&arguments.file, error))?;
        let name = arguments.file.file_stem().unwrap_or_default().to_string_lossy();
        let mut found = fit.profile(&name, &report, &profiles);
        let bound = |profile: &RigProfile| bind(&rig, &[&[profile], profiles.as_slice()].concat());
        if arguments.range {
            let poses = line(arguments.voice.as_deref())?;
            let measured = fit.range(&mut bound(&found.profile).0, &rig, &poses);
            let measured = measured.ok_or_else(|| Failure::at(&arguments.file, "the line does not open its mouth"))?;
            measured.adjust(&mut found.profile);
            for (shape, share) in &measured.clipped {
                let what =
                    format!("`{shape}` is asked for more than it has in {:.0} % of a spoken line", share * 100.0);
                let remedy = "a smaller `gain`, or a wider `clamp`, of its rule in the profile".to_owned();
                found.questions.push(Finding { kind: FindingKind::Clipped, what, remedy });
            }
            range = Some(measured);
        }
        report = bound(&found.profile).1;
        for question in found.questions {
            report.find(question.kind, question.what, question.remedy);
        }
        if let Some(path) = &arguments.output {
            std::fs::write(path, found.profile.to_ron()?).map_err(|error| Failure::at(path, error))?;
        }
    }
    if arguments.json {
        let mut report = serde_json::to_value(&report)?;
        if let Some(range) = range {
            report["range"] = serde_json::to_value(range)?;
        }
        say!("{}", serde_json::to_string_pretty(&report)?);
        return Ok(());
    }
    say!("character   {}", arguments.file.display());
    say!("coverage    {:.0} % of the 52 ARKit channels move something", report.coverage() * 100.0);
    for region in [FaceRegion::Mouth, FaceRegion::Eyes, FaceRegion::Brows] {
        let by = report.profiles.iter().find(|(other, _)| *other == region);
        say!("{:<12}{}", region.to_string(), by.map_or("no profile knows its shapes", |(_, name)| name));
    }
    if let Some(range) = range {
        say!("opening     {:.1} mm at most, {:.1} mm on the other", range.opening_mm, range.wanted_opening_mm);
        say!("closing     {:+.1} mm beside the other, {:.1} mm too deep at worst", range.closed_mm, range.overlap_mm);
        say!("gains       jaw {:.2}, mouthClose {:.2} besides", range.jaw_gain, range.close_gain);
    }
    for bound in &report.shapes {
        let mix: Vec<String> = bound.mix.iter().map(|(channel, factor)| format!("{factor} {channel}")).collect();
        let how = if bound.fitted { "fitted, shows" } else { "follows" };
        say!("shape       {} / {}: {how} {}", bound.mesh, bound.shape, mix.join(" + "));
    }
    for joint in &report.joints {
        let idle = joint.idle.map(|reason| format!(" (not driven: {reason})")).unwrap_or_default();
        say!("joint       {}: {}{idle}", joint.joint, joint.node);
    }
    for (mesh, shape) in &report.unknown {
        say!("unknown     {mesh} / {shape}");
    }
    for finding in &report.findings {
        say!("{:<12}{}", finding.kind.to_string(), finding.what);
        if !finding.remedy.is_empty() {
            say!("            remedy: {}", finding.remedy);
        }
    }
    if report.can_speak() { Ok(()) } else { Err(Failure("nothing opens the mouth of this character".into())) }
}

/// The profiles of these files, and after them the built-in ones.
pub(crate) fn profiles(own: &[PathBuf]) -> Result<Vec<RigProfile>, Failure> {
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).map_err(|error| Failure::at(path, error))?;
        RigProfile::parse(&text).map_err(|error| Failure::at(path, error))
    };
    let mut profiles = own.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    profiles.extend(RigProfile::builtin().iter().cloned());
    Ok(profiles)
}

/// What the default model makes of a line, 25 poses a second.
fn line(named: Option<&Path>) -> Result<Vec<FacePose>, Failure> {
    let usual = || of_checkout("assets/voices", "01_ada.ogg").map(|folder| folder.join("01_ada.ogg"));
    let path = named.map(Path::to_owned).or_else(usual);
    let path = path.ok_or_else(|| Failure("no voice line found: name one with --voice".into()))?;
    let bytes = std::fs::read(&path).map_err(|error| Failure::at(&path, error))?;
    let sound = AudioClip::decode(bytes).map_err(|error| Failure::at(&path, error))?;
    let track = FaceModel::load_dir(model_folder(None)?, Runtime::global())?.animate(&sound)?;
    let moments = (0..).map(|frame| f64::from(frame) / 25.0).take_while(|moment| *moment < track.end_seconds());
    Ok(moments.map(|moment| track.sample_seconds(moment)).collect())
}
