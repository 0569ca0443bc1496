//! Other programs that tests run: node, npm, redis-cli.

use std::io::{Read, Seek, SeekFrom, Write};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::tempfile;

/// True where the program is installed. Where it is not, says that the test is skipped; on a build machine (the
/// environment variable `CI` is set) that fails it, since nothing would be tested there.
#[track_caller]
pub fn installed(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        assert!(
            std::env::var_os("CI").is_none(),
            "{program} is not installed"
        );
        // Past the test runner's capture, so that it is seen although the test passes.
        let _ = writeln!(std::io::stderr(), "skipped: {program} is not installed");
    }
    found
}

/// Runs a program to its end and returns what it printed; kills it when the limit has passed and fails the test.
#[track_caller]
pub fn run(command: &mut Command, input: &[u8], limit: Duration) -> Output {
    let (mut stdin, mut stdout, mut stderr) = (file(), file(), file());
    stdin
        .write_all(input)
        .and_then(|()| stdin.rewind())
        .expect("a temporary file takes the input");
    let handle = |file: &std::fs::File| Stdio::from(file.try_clone().expect("a second handle"));
    let child = command
        .stdin(stdin)
        .stdout(handle(&stdout))
        .stderr(handle(&stderr))
        .spawn();
    let mut child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let deadline = Instant::now() + limit;
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            break Some(status);
        }
        if Instant::now() > deadline {
            child.kill().expect("a child can be killed");
            child.wait().expect("a child can be waited for");
            break None;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let read = |file: &mut std::fs::File| {
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(0))
            .and_then(|_| file.read_to_end(&mut bytes))
            .expect("what was written");
        bytes
    };
    let (stdout, stderr) = (read(&mut stdout), read(&mut stderr));
    let Some(status) = status else {
        panic!(
            "{command:?} still ran after {limit:?}:\n{}{}",
            stdout.escape_ascii(),
            stderr.escape_ascii()
        );
    };
    Output {
        status,
        stdout,
        stderr,
    }
}

fn file() -> std::fs::File {
    tempfile().expect("a temporary file")
}
