//! `check-aof` beside Redis's tool: the same words, the same exit status, the same file afterwards.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::common::{frame, run};

fn line(text: &str) -> Vec<u8> {
    frame(&text.split(' ').map(str::as_bytes).collect::<Vec<_>>())
}

/// Runs a tool on files that it may change; gives its status, what it said, and the files afterwards.
fn outcome(
    mut tool: Command,
    args: &[&str],
    files: &[(&str, Vec<u8>)],
    input: &str,
) -> (Option<i32>, String, Vec<Vec<u8>>) {
    let folder = TempDir::new().expect("a folder");
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).expect("a file");
    }
    let output = run(
        tool.args(args).current_dir(folder.path()),
        input.as_bytes(),
        Duration::from_secs(20),
    );
    let read = |name: &str| fs::read(folder.path().join(name)).expect("the file");
    let after = files.iter().map(|(name, _)| read(name)).collect();
    let said = String::from_utf8_lossy(&output.stdout);
    // What Redis's tool says of the byte behind a line's end is chance.
    let said = said.lines().map(|line| match line.split_once("got: 00") {
        Some((before, _)) => format!("{before}got: 00\n"),
        None => format!("{line}\n"),
    });
    (output.status.code(), said.collect(), after)
}

#[track_caller]
fn compare(args: &[&str], files: &[(&str, Vec<u8>)], input: &str) {
    let mut ours = Command::new(env!("CARGO_BIN_EXE_oxidis"));
    ours.arg("check-aof");
    let ours = outcome(ours, args, files, input);
    let redis = outcome(Command::new("redis-check-aof"), args, files, input);
    let shown: Vec<String> = files
        .iter()
        .map(|(_, bytes)| bytes.escape_ascii().to_string())
        .collect();
    assert_eq!(ours, redis, "{args:?} on {shown:?}");
}

fn log() -> Vec<u8> {
    [
        b"#TS:1628217470\r\n".to_vec(),
        line("SET a 1"),
        b"#TS:1628217472\r\n".to_vec(),
        line("multi"),
        line("SET b 2"),
        line("EXEC"),
        b"#TS:1628217474\r\n".to_vec(),
        line("SET c 3"),
    ]
    .concat()
}

#[test]
fn single_files_are_judged_as_by_redis() {
    if !Path::new("/usr/bin/redis-check-aof").exists() {
        return;
    }
    let whole = log();
    compare(&["f"], &[("f", whole.clone())], "");
    compare(&["f"], &[("f", Vec::new())], "");
    for cut in (1..whole.len()).step_by(2) {
        compare(&["f"], &[("f", whole[..cut].to_vec())], "");
        compare(&["--fix", "f"], &[("f", whole[..cut].to_vec())], "y\n");
    }
    for bad in [
        &b"!!!"[..],
        b"*1\r\n$4\r\nEXEC\r\n",
        b"*1\r\n$5\r\nMULTI\r\n*1\r\n$5\r\nMULTI\r\n",
        b"*2\r\n$3\r\nGETx\r\n$1\r\nx\r\n",
        b"*1\r\n$-3\r\nGET\r\n",
        b"*1\r\n:3\r\nGET\r\n",
        b"*x\r\n",
        b"*-1\r\n",
        b"*1\r\n$9999999\r\nGET\r\n",
        b"*0\r\n",
        b"\r\n",
    ] {
        let file = [&whole[..], bad, &line("SET d 4")].concat();
        compare(&["f"], &[("f", file.clone())], "");
        compare(&["--fix", "f"], &[("f", file.clone())], "n\n");
        compare(&["--fix", "f"], &[("f", file)], "Y\n");
    }
    for second in ["1628217473", "1628217469", "1628217472", "1999999999", "x"] {
        let args = ["--truncate-to-timestamp", second, "f"];
        compare(&args, &[("f", whole.clone())], "");
    }
}

#[test]
fn manifests_are_judged_as_by_redis() {
    if !Path::new("/usr/bin/redis-check-aof").exists() {
        return;
    }
    let manifest = b"file a.base seq 1 type b\nfile a.1 seq 1 type i\nfile a.2 seq 2 type i\n";
    let files = |base: Vec<u8>, first: Vec<u8>, second: Vec<u8>| {
        [
            ("m", manifest.to_vec()),
            ("a.base", base),
            ("a.1", first),
            ("a.2", second),
        ]
    };
    let (whole, none) = (log(), Vec::new());
    let torn = whole[..whole.len() - 4].to_vec();
    for args in [
        &["m"][..],
        &["--fix", "m"],
        &["--truncate-to-timestamp", "1628217473", "m"],
    ] {
        for files in [
            files(whole.clone(), whole.clone(), whole.clone()),
            files(none.clone(), none.clone(), none.clone()),
            files(whole.clone(), none.clone(), torn.clone()),
            files(whole.clone(), torn.clone(), none.clone()),
            files(torn.clone(), whole.clone(), whole.clone()),
            files(line("SET a 1"), line("SET a 1"), whole.clone()),
        ] {
            compare(args, &files, "y\n");
        }
    }
}
