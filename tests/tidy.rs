//! The house rules, enforced over `src/`: bounds on files and functions, the layering of folders, where `unsafe` may
//! live, and words that must not stay. A bound is never relaxed here to make one file pass; split the file instead.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

const FILE_LINES: usize = 1_000;
const FUNCTION_LINES: usize = 70;
/// 95 functions of 100 are at most this long.
const MOST_FUNCTIONS_LINES: usize = 45;
const MEDIAN_FUNCTION_LINES: usize = 8;
/// Below this many functions a median says little.
const FUNCTIONS_FOR_STATISTICS: usize = 300;

/// Functions that are a table in all but name and may be longer: file, function, reason.
const LONG_TABLES: &[(&str, &str, &str)] = &[];

/// The only files that may hold `unsafe`, each with its reason.
const UNSAFE_FILES: &[(&str, &str)] = &[
    (
        "src/structures/table/segment.rs",
        "cache-line buckets of tagged pointers: two misses a lookup instead of four",
    ),
    (
        "src/structures/table/bucket.rs",
        "eight slots are compared at once, and prefetched",
    ),
    (
        "src/keyspace/hint.rs",
        "looking at buckets without their lock, to prefetch; kept readable by epochs",
    ),
    (
        "src/keyspace/entry.rs",
        "header, key and short value in one allocation of variable length",
    ),
    (
        "src/keyspace/entry/view.rs",
        "reads of what `entry.rs` lays out",
    ),
    (
        "src/keyspace/entry/change.rs",
        "writes to what `entry.rs` lays out",
    ),
    (
        "src/structures/table/element.rs",
        "what a table asks of the allocations that its slots own",
    ),
    (
        "src/structures/table/record.rs",
        "length, a fixed head and the texts of a member or field in one allocation",
    ),
    (
        "src/structures/text.rs",
        "bits of a long string set where they are, without taking its bytes apart and together",
    ),
    (
        "src/resp/put.rs",
        "heads and short strings of replies as words, behind one look at the room: a third of the instructions",
    ),
    (
        "src/base/alloc.rs",
        "counts what the allocator hands out, for `used_memory`",
    ),
    (
        "src/base/aside.rs",
        "leaving a stack with a script on it, so that its worker can see to others",
    ),
    (
        "src/server/connection/suspended.rs",
        "keeping what a suspended batch uses for as long as it is suspended",
    ),
    (
        "src/scripting/vm/machine.rs",
        "Lua's C interface: a call through the safe one costs more than what the script does",
    ),
    (
        "src/scripting/vm/collector.rs",
        "the pace of Lua's collector; see `machine.rs`",
    ),
    (
        "src/scripting/vm/proven.rs",
        "the globals of proven scripts, filled at each call; see `machine.rs`",
    ),
    (
        "src/scripting/vm/convert.rs",
        "values between Lua's stack and replies; see `machine.rs`",
    ),
    (
        "src/scripting/vm/guards.rs",
        "functions that Lua calls in place of its own; see `machine.rs`",
    ),
    (
        "src/scripting/vm/patterns.rs",
        "functions that Lua calls in place of its own, for patterns; see `machine.rs`",
    ),
    (
        "src/scripting/vm/api.rs",
        "functions that Lua calls: `redis.call` and its like; see `machine.rs`",
    ),
    (
        "src/scripting/vm/registration.rs",
        "`redis.register_function`, which Lua calls; see `machine.rs`",
    ),
    (
        "src/scripting/vm/sandbox.rs",
        "furnishing an interpreter with these functions; see `machine.rs`",
    ),
    (
        "src/scripting/lib/stack.rs",
        "functions that raise errors as Lua's own do, at any depth: what the callbacks of `mlua` cannot",
    ),
    (
        "src/base/title.rs",
        "the process's title is shown where the kernel has put the arguments",
    ),
    (
        "src/observe/crash.rs",
        "handlers of fatal signals, which may do nothing but call the system",
    ),
    (
        "src/main.rs",
        "finding room for the process's title before there is a second thread",
    ),
    (
        "src/structures/bits.rs",
        "loops compiled for wide registers are called once the processor is known to have them",
    ),
];

const FORBIDDEN_WORDS: &[&str] = &["TODO", "FIXME", "XXX"];
const FORBIDDEN_MACROS: &[&str] = &["todo!", "unimplemented!", "dbg!"];

/// Which top-level module may import which. Rows stand from top to bottom: a row names only rows below it, so imports
/// point downward and no cycle can form. Services (replication to observe) do not see each other but as named here.
const LAYERS: &[(&str, &[&str])] = &[
    ("main", EVERYTHING),
    ("lib", EVERYTHING),
    ("server", EVERYTHING),
    (
        "console",
        &["commands", "config", "observe", "resp", "base"],
    ),
    ("tools", &["cli", "persistence", "config", "base"]),
    ("cli", &["config", "base"]),
    ("commands", EVERYTHING),
    ("engine", EVERYTHING),
    (
        "replication",
        &[
            "persistence",
            "journal",
            "observe",
            "config",
            "keyspace",
            "structures",
            "resp",
            "base",
        ],
    ),
    (
        "cluster",
        &[
            "observe",
            "config",
            "keyspace",
            "structures",
            "resp",
            "base",
        ],
    ),
    (
        "persistence",
        &[
            "journal",
            "observe",
            "config",
            "keyspace",
            "structures",
            "resp",
            "base",
        ],
    ),
    (
        "journal",
        &[
            "observe",
            "config",
            "keyspace",
            "structures",
            "resp",
            "base",
        ],
    ),
    (
        "scripting",
        &[
            "observe",
            "config",
            "keyspace",
            "structures",
            "resp",
            "base",
        ],
    ),
    ("acl", &["config", "keyspace", "structures", "resp", "base"]),
    ("pubsub", &["keyspace", "structures", "resp", "base"]),
    ("tracking", &["keyspace", "structures", "resp", "base"]),
    (
        "observe",
        &["config", "keyspace", "structures", "resp", "base"],
    ),
    ("config", &["keyspace", "structures", "resp", "base"]),
    ("keyspace", &["structures", "base"]),
    ("structures", &["base"]),
    ("resp", &["base"]),
    ("base", &[]),
];

/// In `LAYERS`: whatever stands below the row.
const EVERYTHING: &[&str] = &["*"];

// ---- The rules

#[test]
fn files_open_with_a_module_comment_and_stay_short() {
    check(|source, report| {
        if !source.text.starts_with("//!") {
            report.add(1, "opens without a `//!` comment");
        }
        let lines = source.text.lines().count();
        if lines > FILE_LINES {
            report.add(lines, &format!("{lines} lines, the bound is {FILE_LINES}"));
        }
    });
}

#[test]
fn functions_stay_short() {
    check(|source, report| {
        for function in functions(&source.code) {
            let is_table = LONG_TABLES
                .iter()
                .any(|(file, name, _)| *file == source.path && *name == function.name);
            if function.lines > FUNCTION_LINES && !is_table {
                let text = format!(
                    "`{}` has {} lines, the bound is {FUNCTION_LINES}",
                    function.name, function.lines
                );
                report.add(function.line, &text);
            }
        }
    });
}

#[test]
fn most_functions_are_very_short() {
    let mut lengths: Vec<usize> = sources()
        .iter()
        .flat_map(|source| functions(without_tests(&source.code)))
        .map(|function| function.lines)
        .collect();
    if lengths.len() < FUNCTIONS_FOR_STATISTICS {
        return;
    }
    lengths.sort_unstable();
    let (median, most) = (
        lengths[lengths.len() / 2],
        lengths[lengths.len() * 95 / 100],
    );
    assert!(
        median <= MEDIAN_FUNCTION_LINES,
        "the median function has {median} lines"
    );
    assert!(
        most <= MOST_FUNCTIONS_LINES,
        "one function of 20 has more than {most} lines"
    );
}

#[test]
fn imports_point_downward() {
    check(|source, report| {
        let importer = top_module(&source.path);
        let Some(row) = LAYERS.iter().position(|(name, _)| *name == importer) else {
            report.add(1, &format!("module `{importer}` has no row in LAYERS"));
            return;
        };
        for (line, imported) in imports(source) {
            if imported != importer && !may_import(row, &imported) {
                report.add(line, &format!("`{importer}` may not import `{imported}`"));
            }
        }
    });
}

#[test]
fn unsafe_stays_in_listed_files() {
    check(|source, report| {
        if UNSAFE_FILES.iter().any(|(file, _)| *file == source.path) {
            return;
        }
        for at in words(&source.code, "unsafe") {
            report.add(
                line_of(&source.code, at),
                "`unsafe` outside the listed files",
            );
        }
    });
}

#[test]
fn nothing_is_left_unfinished() {
    check(|source, report| {
        for word in FORBIDDEN_WORDS {
            for at in words(&source.text, word) {
                report.add(line_of(&source.text, at), &format!("{word} must not stay"));
            }
        }
        for name in FORBIDDEN_MACROS {
            for (at, _) in source.code.match_indices(name) {
                if !source.code[..at].ends_with(is_word) {
                    report.add(line_of(&source.code, at), &format!("{name} must not stay"));
                }
            }
        }
        for (at, _) in source.text.match_indices('\t') {
            report.add(line_of(&source.text, at), "tab");
        }
    });
}

// ---- Rules about the rules

/// A directive that nobody reads belongs to those that are accepted without effect, where its description says so.
#[test]
fn directives_are_read() {
    const TABLE: &str = "src/config/served.rs";
    let sources = sources();
    let table = sources.iter().find(|source| source.path == TABLE);
    let table = &table.expect("the table of directives").code;
    let rows = table.split("row!(").skip(1);
    let fields = rows.filter_map(|row| row.split(',').nth(1)).map(str::trim);
    let fields: Vec<&str> = fields.filter(|field| !field.starts_with('$')).collect();
    assert!(fields.len() > 100);
    let is_read = |field: &str| {
        let reads =
            |source: &Source| words(&source.code, field).any(|at| source.code[..at].ends_with('.'));
        let mut others = sources.iter().filter(|source| source.path != TABLE);
        others.any(reads)
    };
    let unread: Vec<&str> = fields.into_iter().filter(|field| !is_read(field)).collect();
    assert!(unread.is_empty(), "{unread:?}");
}

#[test]
fn layers_name_only_rows_below() {
    for (row, (name, allowed)) in LAYERS.iter().enumerate() {
        for imported in allowed.iter().filter(|imported| **imported != "*") {
            assert!(
                is_below(row, imported),
                "{name}: {imported} is not a row below"
            );
        }
    }
}

#[test]
fn scanner_tells_code_from_text() {
    let masked =
        mask("a('{', \"}\\\"{\", r#\"\"{\"#, b'\\'', &'a str) // {\n/* { /* */ { */ b 'x'");
    assert_eq!(
        masked.matches('{').count() + masked.matches('}').count(),
        0,
        "{masked}"
    );
    assert!(
        masked.contains("&'a str") && masked.contains(" b "),
        "{masked}"
    );
    assert_eq!(masked.lines().count(), 2);
}

#[test]
fn scanner_measures_functions() {
    let code = "fn one() -> [u8; 2] { x }\ntrait T { fn none(&self); }\ntype F = fn(u8);\nfn three()\n{\n}\n";
    let found: Vec<_> = functions(code)
        .into_iter()
        .map(|f| (f.name, f.line, f.lines))
        .collect();
    assert_eq!(
        found,
        [("one".to_owned(), 1, 1), ("three".to_owned(), 4, 3)]
    );
    assert_eq!(
        functions(without_tests(
            "fn a() {}\n#[cfg(test)]\nmod tests {\nfn b() {}\n}"
        ))
        .len(),
        1
    );
}

#[test]
fn scanner_finds_imports() {
    let text = "use crate::{base::clock, engine::{call, x}};\nuse crate::resp;\nfn f() { super::super::server::x(); super::y() }";
    let source = Source {
        path: "src/keyspace/shard.rs".into(),
        text: text.into(),
        code: mask(text),
    };
    let found: Vec<_> = imports(&source).into_iter().map(|(_, name)| name).collect();
    assert_eq!(found, ["base", "engine", "resp", "server"]);
}

// ---- Reading the sources

struct Source {
    /// With forward slashes, from the package's root.
    path: String,
    text: String,
    /// `text` with comments, strings and characters blanked; same length, same lines.
    code: String,
}

#[derive(Default)]
struct Report {
    path: String,
    text: String,
}

impl Report {
    fn add(&mut self, line: usize, what: &str) {
        writeln!(self.text, "{}:{line}: {what}", self.path).expect("a String takes every write");
    }
}

fn check(rule: impl Fn(&Source, &mut Report)) {
    let mut report = Report::default();
    for source in sources() {
        report.path.clone_from(&source.path);
        rule(&source, &mut report);
    }
    assert!(report.text.is_empty(), "\n{}", report.text);
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    collect(&root.join("src"), &mut paths);
    paths.sort();
    assert!(!paths.is_empty(), "no sources under {}", root.display());
    paths.into_iter().map(|path| read(root, &path)).collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for item in fs::read_dir(folder).expect("a source folder can be listed") {
        let path = item.expect("a source folder can be listed").path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

fn read(root: &Path, path: &Path) -> Source {
    let text =
        fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let relative = path.strip_prefix(root).expect("collected below the root");
    let path = relative
        .to_str()
        .expect("source paths are ASCII")
        .replace('\\', "/");
    Source {
        path,
        code: mask(&text),
        text,
    }
}

// ---- A scanner just good enough for formatted Rust

/// Blanks comments and literals, so that what is left can be searched for braces and names.
fn mask(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match literal_end(text.as_bytes(), at) {
            Some(end) => end.min(bytes.len()),
            None => {
                at += 1;
                continue;
            }
        };
        for byte in bytes[at..end].iter_mut().filter(|byte| **byte != b'\n') {
            *byte = b' ';
        }
        at = end;
    }
    String::from_utf8(bytes).expect("literals are blanked whole, so no character is cut")
}

/// Where the comment, string or character that starts at `at` ends; `None` where nothing of the kind starts.
fn literal_end(text: &[u8], at: usize) -> Option<usize> {
    let rest = &text[at..];
    let in_word = at > 0 && is_word(text[at - 1] as char);
    match rest {
        [b'/', b'/', ..] => Some(
            rest.iter()
                .position(|byte| *byte == b'\n')
                .map_or(text.len(), |length| at + length),
        ),
        [b'/', b'*', ..] => Some(at + block_comment_length(rest)),
        [b'"', ..] => Some(at + quoted_length(rest, b'"')),
        [b'r', b'"' | b'#', ..] if !in_word || matches!(text[at - 1], b'b' | b'c') => {
            raw_length(rest).map(|n| at + n)
        }
        [b'\'', b'\\', ..] => Some(at + quoted_length(rest, b'\'')),
        [b'\'', ..] => {
            let character = std::str::from_utf8(&rest[1..rest.len().min(5)])
                .unwrap_or_else(|error| {
                    std::str::from_utf8(&rest[1..=error.valid_up_to()]).unwrap_or("")
                })
                .chars()
                .next()?;
            let close = 1 + character.len_utf8();
            (rest.get(close) == Some(&b'\'')).then_some(at + close + 1)
        }
        _ => None,
    }
}

fn block_comment_length(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at + 1 < rest.len() {
        match &rest[at..at + 2] {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn quoted_length(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

fn raw_length(rest: &[u8]) -> Option<usize> {
    let hashes = rest[1..].iter().take_while(|byte| **byte == b'#').count();
    if rest.get(1 + hashes) != Some(&b'"') {
        return None;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    let body = &rest[2 + hashes..];
    let end = body
        .windows(close.len())
        .position(|window| window == close.as_bytes());
    Some(end.map_or(rest.len(), |end| 2 + hashes + end + close.len()))
}

struct Function {
    name: String,
    line: usize,
    lines: usize,
}

/// Every function with a body, inner ones too.
fn functions(code: &str) -> Vec<Function> {
    let mut found = Vec::new();
    for at in words(code, "fn") {
        let rest = code[at + 2..].trim_start();
        let name: String = rest.chars().take_while(|c| is_word(*c)).collect();
        let Some(open) = (!name.is_empty()).then(|| body_start(code, at)).flatten() else {
            continue;
        };
        let line = line_of(code, at);
        found.push(Function {
            name,
            line,
            lines: line_of(code, block_end(code, open)) - line + 1,
        });
    }
    found
}

/// The `{` of the function declared at `at`; `None` for a declaration that ends with `;`.
fn body_start(code: &str, at: usize) -> Option<usize> {
    let mut depth = 0;
    for (offset, character) in code[at..].char_indices() {
        match character {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            ';' if depth == 0 => return None,
            '{' if depth == 0 => return Some(at + offset),
            _ => {}
        }
    }
    None
}

/// The brace that closes the one at `open`.
fn block_end(code: &str, open: usize) -> usize {
    let mut depth = 0;
    for (offset, character) in code[open..].char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return open + offset;
        }
    }
    code.len()
}

/// The code before the test module, which stands last in a file.
fn without_tests(code: &str) -> &str {
    code.find("#[cfg(test)]\nmod ")
        .map_or(code, |at| &code[..at])
}

/// Top-level modules that a file names, with the line.
fn imports(source: &Source) -> Vec<(usize, String)> {
    let code = &source.code;
    let mut found = Vec::new();
    for at in words(code, "crate") {
        for name in names_after(&code[at + "crate".len()..]) {
            found.push((line_of(code, at), name));
        }
    }
    let depth = module_depth(&source.path);
    let climb = "super::".repeat(depth);
    for (at, _) in code.match_indices(&climb).filter(|_| depth > 0) {
        // Inside an inline module the climb ends one level lower: only names of layers are of interest here.
        for name in names_after(&code[at + climb.len() - 2..]) {
            if LAYERS.iter().any(|(layer, _)| *layer == name) {
                found.push((line_of(code, at), name));
            }
        }
    }
    found.retain(|(_, name)| name.starts_with(|c: char| c.is_ascii_lowercase()));
    found
}

/// The first names of the path or the group of paths that follows: `::a::b` gives a, `::{a::b, c}` gives a and c.
fn names_after(rest: &str) -> BTreeSet<String> {
    let Some(rest) = rest.strip_prefix("::") else {
        return BTreeSet::new();
    };
    let first = |path: &str| {
        path.trim_start()
            .chars()
            .take_while(|c| is_word(*c))
            .collect::<String>()
    };
    if !rest.starts_with('{') {
        return BTreeSet::from([first(rest)]);
    }
    let group = &rest[1..block_end(rest, 0)];
    let mut depth = 0;
    let paths = group.split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    });
    paths.map(first).filter(|name| !name.is_empty()).collect()
}

/// How many `super::` lead from the file's module to the crate's root.
fn module_depth(path: &str) -> usize {
    let parts = path
        .trim_start_matches("src/")
        .trim_end_matches(".rs")
        .split('/');
    parts
        .filter(|part| !matches!(*part, "mod" | "lib" | "main"))
        .count()
}

fn top_module(path: &str) -> String {
    let path = path.trim_start_matches("src/");
    path.split('/')
        .next()
        .expect("split gives one part at least")
        .trim_end_matches(".rs")
        .to_owned()
}

fn may_import(row: usize, imported: &str) -> bool {
    let allowed = LAYERS[row].1;
    allowed.contains(&imported) || (allowed == EVERYTHING && is_below(row, imported))
}

fn is_below(row: usize, name: &str) -> bool {
    LAYERS[row + 1..].iter().any(|(below, _)| *below == name)
}

/// Positions of a whole word.
fn words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_whole = move |at: &usize| {
        !text[..*at].ends_with(is_word) && !text[at + word.len()..].starts_with(is_word)
    };
    text.match_indices(word).map(|(at, _)| at).filter(is_whole)
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at.min(text.len())].matches('\n').count() + 1
}
