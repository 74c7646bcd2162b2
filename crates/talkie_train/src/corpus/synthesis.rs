//! Makes the corpus: a Python environment, the sentences, then every source's script until its minutes are there.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::config::{Recipe, Source};

/// Why no corpus came out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SynthesisError {
    /// A program cannot be started.
    #[error("cannot start {program}: {source}; `cargo xtask train` or your package manager installs it")]
    Start {
        /// Which program.
        program: String,
        /// Why not.
        source: std::io::Error,
    },
    /// A program failed.
    #[error("{program} failed with {status}: {said}")]
    Failed {
        /// Which program.
        program: String,
        /// How it ended.
        status: std::process::ExitStatus,
        /// Its last lines.
        said: String,
    },
    /// A folder cannot be made.
    #[error("cannot make {path}: {source}")]
    Folder {
        /// Which folder.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

fn run(program: &Path, arguments: &[&OsStr]) -> Result<(), SynthesisError> {
    let name = program.display().to_string();
    let output = Command::new(program)
        .args(arguments)
        .output()
        .map_err(|source| SynthesisError::Start { program: name.clone(), source })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).lines().rev().take(3).collect::<Vec<_>>().join(" | ");
    Err(SynthesisError::Failed { program: name, status: output.status, said })
}

/// A Python interpreter with the packages of `corpus/requirements.txt`, made on the first call in `FOLDER/python`.
///
/// # Errors
/// No Python 3, or packages that cannot be installed.
pub fn python(recipe: &Recipe) -> Result<PathBuf, SynthesisError> {
    let environment = recipe.folder.join("python");
    let interpreter = environment.join("bin").join("python");
    let ready = environment.join("ready");
    if !ready.exists() {
        std::fs::create_dir_all(&recipe.folder)
            .map_err(|source| SynthesisError::Folder { path: recipe.folder.clone(), source })?;
        run(Path::new("python3"), &["-m".as_ref(), "venv".as_ref(), environment.as_os_str()])?;
        let requirements = scripts().join("requirements.txt");
        let pip: [&OsStr; 6] = [
            "-m".as_ref(),
            "pip".as_ref(),
            "install".as_ref(),
            "--quiet".as_ref(),
            "-r".as_ref(),
            requirements.as_os_str(),
        ];
        run(&interpreter, &pip)?;
        std::fs::write(&ready, b"").map_err(|source| SynthesisError::Folder { path: ready.clone(), source })?;
    }
    Ok(interpreter)
}

/// Makes what is missing of the corpus of a recipe; every source goes on where it stopped.
///
/// # Errors
/// The first program that cannot be started or that fails.
pub fn make(recipe: &Recipe) -> Result<(), SynthesisError> {
    let interpreter = python(recipe)?;
    let sentences = recipe.folder.join("sentences.txt");
    if !sentences.exists() {
        let script = scripts().join("sentences.py");
        let seed = recipe.seed.to_string();
        let arguments: [&OsStr; 5] =
            [script.as_os_str(), "--out".as_ref(), sentences.as_os_str(), "--seed".as_ref(), seed.as_ref()];
        run(&interpreter, &arguments)?;
    }
    let bars = MultiProgress::new();
    for source in recipe.sources.iter().filter(|source| source.recordings.is_none()) {
        speak(recipe, source, &interpreter, &sentences, &bars)?;
    }
    Ok(())
}

fn speak(
    recipe: &Recipe,
    source: &Source,
    interpreter: &Path,
    sentences: &Path,
    bars: &MultiProgress,
) -> Result<(), SynthesisError> {
    let folder = recipe.items(&source.name);
    let log = recipe.folder.join(format!("{}.log", source.name));
    std::fs::create_dir_all(&folder).map_err(|cause| SynthesisError::Folder { path: folder.clone(), source: cause })?;
    let start = |shard: usize| -> Result<Child, SynthesisError> {
        let errors = std::fs::OpenOptions::new().create(true).append(true).open(&log);
        Command::new(interpreter)
            .arg(scripts().join(format!("{}.py", source.name)))
            .arg("--sentences")
            .arg(sentences)
            .arg("--out")
            .arg(&folder)
            .args(["--minutes", &source.minutes.to_string(), "--seed", &recipe.seed.to_string()])
            .args(["--shards", &source.shards.to_string(), "--shard", &shard.to_string()])
            .env("OMP_NUM_THREADS", "1")
            .stdout(Stdio::piped())
            .stderr(errors.map_or_else(|_| Stdio::null(), Stdio::from))
            .spawn()
            .map_err(|cause| SynthesisError::Start { program: interpreter.display().to_string(), source: cause })
    };
    let children: Vec<Child> = (0..source.shards.max(1)).map(start).collect::<Result<_, _>>()?;
    let style = ProgressStyle::with_template("{prefix:8} {bar:40} {pos}/{len} s of speech, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let watchers: Vec<_> = children
        .into_iter()
        .map(|mut child| {
            let bar = bars.add(ProgressBar::new(0).with_style(style.clone()).with_prefix(source.name.clone()));
            std::thread::spawn(move || {
                for line in
                    child.stdout.take().into_iter().flat_map(|out| BufReader::new(out).lines().map_while(Result::ok))
                {
                    let mut words = line.split(' ');
                    if words.next() == Some("progress") {
                        let mut number = || words.next().and_then(|word| word.parse::<f64>().ok()).unwrap_or(0.0);
                        let (have, wanted) = (number(), number());
                        bar.set_length(wanted as u64);
                        bar.set_position(have as u64);
                    }
                }
                bar.finish();
                child.wait()
            })
        })
        .collect();
    for watcher in watchers {
        let program = format!("corpus/{}.py", source.name);
        match watcher.join() {
            Ok(Ok(status)) if status.success() => {}
            Ok(Ok(status)) => {
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                let said = said.lines().rev().take(3).collect::<Vec<_>>().join(" | ");
                return Err(SynthesisError::Failed { program, status, said });
            }
            Ok(Err(cause)) => return Err(SynthesisError::Start { program, source: cause }),
            Err(_) => {
                let cause = std::io::Error::other("the thread that watched it failed");
                return Err(SynthesisError::Start { program, source: cause });
            }
        }
    }
    Ok(())
}
