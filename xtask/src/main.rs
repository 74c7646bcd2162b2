//! Development tasks: `cargo xtask demo | test | setup | bench | train | ci`.
//!
//! Depends on nothing, so that it starts in seconds. What the machine lacks is installed first, by name, and said.

use std::{
    env,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    sync::OnceLock,
};

mod bench;
mod demo;
mod document;
mod gpu;
mod onnxruntime;
mod packages;

const HELP: &str = "\
cargo xtask <task>

  demo [--headless]   two characters talk: in a window if there is a display, else as pictures and a video in target/demo
  test [ARGS..]       all tests; ARGS go to cargo test
  test --gpu [ARGS..] only the tests of the GPU, with one in software: installs ONNX Runtime's WebGPU plugin and SwiftShader
  setup               only install what the other tasks need
  bench [ARGS..]      all benchmarks, and the tables of crowds in docs/performance.md; with ARGS only what they name
  train [ARGS..]      makes the voice model from nothing; ARGS go to `talkie_train all`
  ci                  everything the continuous integration checks";

/// The features of the workspace that everything is built with. One set for all tasks: another would build half of the
/// workspace once more.
const FEATURES: &[&str] = &[
    "--features",
    "talkie/cli,bevy_talkie/asset_processor,bevy_talkie/bevy_kira_audio,bevy_talkie/bevy_seedling,bevy_talkie/inspector,\
     bevy_talkie/coreml,bevy_talkie/cuda,bevy_talkie/directml,bevy_talkie/openvino,bevy_talkie/tensorrt,bevy_talkie/webgpu",
];

/// Why a task stopped.
type Outcome = Result<(), String>;

fn main() -> ExitCode {
    if let Some(rustdoc) = env::var_os(document::RUSTDOC) {
        return document::run(&rustdoc);
    }
    let mut arguments = env::args().skip(1);
    let task = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    let outcome = match task.as_str() {
        "demo" => demo::run(rest.iter().any(|argument| argument == "--headless")),
        "test" => match rest.split_first() {
            Some((first, rest)) if first == "--gpu" => gpu::prepare().and_then(|gpu| gpu::test(&gpu, rest)),
            _ => test(&rest),
        },
        "setup" => setup(),
        "bench" => bench::run_all(&rest),
        "train" => train(&rest),
        "ci" => ci(),
        "" | "help" | "--help" | "-h" => {
            // Who reads it may have seen enough.
            let _ = writeln!(io::stdout(), "{HELP}");
            Ok(())
        }
        other => Err(format!("unknown task `{other}`\n\n{HELP}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("xtask: {reason}");
            ExitCode::FAILURE
        }
    }
}

/// Installs everything that building, testing and the demo need.
fn setup() -> Outcome {
    packages::install(&[packages::BUILD, packages::RENDER, packages::VIDEO])?;
    onnxruntime::install();
    Ok(())
}

fn test(arguments: &[String]) -> Outcome {
    packages::install(&[packages::BUILD, packages::RENDER])?;
    onnxruntime::install();
    // Unit, integration and documentation tests of every crate; examples are compiled on the way.
    cargo(&["test", "--workspace"], &[], arguments)
}

/// Speech, training, scores and bundle, as `crates/talkie_train/recipe.toml` says.
fn train(arguments: &[String]) -> Outcome {
    packages::install(&[packages::BUILD, packages::TRAIN])?;
    let mut command = cargo_command(&["run", "--release", "-p", "talkie_train"]);
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx512f") {
        command.args(["--features", "avx512"]);
    }
    run(command.args(["--", "all"]).args(arguments))
}

fn ci() -> Outcome {
    setup()?;
    packages::install(&[packages::SOUND])?;
    run(&mut cargo_command(&["fmt", "--all", "--check"]))?;
    // `cargo clippy` is this driver behind `cargo check`, which compiles every dependency once more. Behind `cargo build` it lints
    // what is built anyway.
    // In the same way the tests of the documentation make the documentation.
    let lints = Lints { driver: clippy_driver()?, documents: env::current_exe().map_err(|error| error.to_string())? };
    LINTS.get_or_init(|| lints);
    test(&[])?;
    match gpu::prepare() {
        Ok(gpu) => gpu::test(&gpu, &[])?,
        Err(reason) => eprintln!("xtask: no tests on a GPU in software: {reason}"),
    }
    cargo(&["build", "--workspace", "--examples", "--benches", "--bench", "crowd"], &[], &[])?;
    demo::first_line()
}

/// What looks at everything, with warnings denied, while it is built and tested.
static LINTS: OnceLock<Lints> = OnceLock::new();

struct Lints {
    /// The compiler that lints what it compiles.
    driver: PathBuf,
    /// This program, which documents what it tests.
    documents: PathBuf,
}

/// The compiler of clippy, which comes with the toolchain.
fn clippy_driver() -> Result<PathBuf, String> {
    let output = Command::new("rustc").args(["--print", "sysroot"]).current_dir(root()).output();
    let output = output.map_err(|error| format!("`rustc` cannot be started: {error}"))?;
    let sysroot = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    let driver = sysroot.join("bin").join(format!("clippy-driver{}", env::consts::EXE_SUFFIX));
    if driver.is_file() {
        Ok(driver)
    } else {
        Err(format!("{} is missing: rustup component add clippy", driver.display()))
    }
}

/// The root of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_owned()
}

/// Where cargo builds.
fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |folder| root().join(folder))
}

fn cargo_command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()).args(arguments);
    if let Some(Lints { driver, documents }) = LINTS.get() {
        command.env(document::RUSTDOC, env::var_os("RUSTDOC").unwrap_or_else(|| "rustdoc".into()));
        command.env("RUSTDOC", documents);
        // As `cargo clippy -- -D warnings` passes it on.
        command.env("RUSTC_WORKSPACE_WRAPPER", driver);
        command.env("CLIPPY_ARGS", ["-D", "warnings", ""].join("__CLIPPY_HACKERY__"));
    }
    command
}

/// Runs cargo with the features of the workspace; `more` goes before `--`, `passed_on` behind it.
fn cargo(arguments: &[&str], passed_on: &[&str], more: &[String]) -> Outcome {
    cargo_with(cargo_command(arguments), passed_on, more)
}

/// As [`cargo`], for a command that was begun elsewhere.
fn cargo_with(mut command: Command, passed_on: &[&str], more: &[String]) -> Outcome {
    command.args(FEATURES).args(more);
    if !passed_on.is_empty() {
        command.arg("--").args(passed_on);
    }
    run(&mut command)
}

/// Runs a command, shows it, and fails if it fails.
fn run(command: &mut Command) -> Outcome {
    let line: Vec<_> = core::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    let program = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    eprintln!("xtask: {program} {}", line[1..].join(" "));
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{program} {}` failed ({status})", line.get(1).map_or("", String::as_str))),
        Err(error) => Err(format!("`{program}` cannot be started: {error}")),
    }
}

/// Whether a program can be run and says that all is well.
fn succeeds(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}
