//! Documentation that is made while it is tested.
//!
//! `cargo doc` checks every dependency first, although `cargo test` has built them all. For the tests of a crate's documentation cargo
//! calls `rustdoc` with everything that it needs for the documentation, too: where this program stands in for `rustdoc`, it lets
//! that be written, with warnings denied, before it is tested.

use std::{
    env,
    ffi::{OsStr, OsString},
    process::{Command, ExitCode},
};

use crate::target;

/// Names the real `rustdoc`, and says with it that this program stands in for it.
pub(crate) const RUSTDOC: &str = "TALKIE_XTASK_RUSTDOC";

/// What only tests need, with a value that follows.
const OF_TESTS: &[&str] =
    &["--test-run-directory", "--test-runtool", "--test-runtool-arg", "--test-builder", "--test-args"];

pub(crate) fn run(rustdoc: &OsStr) -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--test") {
        let mut documentation = Command::new(rustdoc);
        let mut given = arguments.iter();
        while let Some(argument) = given.next() {
            if OF_TESTS.iter().any(|flag| argument == flag) {
                given.next();
            } else if argument != "--test" {
                documentation.arg(argument);
            }
        }
        documentation.args(["-D", "warnings", "--out-dir"]).arg(target().join("doc"));
        if !succeeds(&mut documentation) {
            return ExitCode::FAILURE;
        }
    }
    if succeeds(Command::new(rustdoc).args(&arguments)) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn succeeds(command: &mut Command) -> bool {
    match command.status() {
        Ok(status) => status.success(),
        Err(error) => {
            eprintln!("xtask: rustdoc cannot be started: {error}");
            false
        }
    }
}
