//! The rules of the house that no compiler holds: floors, rooms with exclusive guests, sizes, first lines, links, leftovers.
//!
//! Everything here reads text. `code` takes comments and string contents out first, so that words *about* a thing are not taken
//! for its use. Each check lists all it found; each reader of text is itself tested below.
//!
//! Reason for the size: one table and one function a rule, read from top to bottom.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Which process a room belongs to. The wings share the ground (floors 0 and 1); neither imports the other.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Wing {
    Ground,
    Daemon,
    Worker,
}

use Wing::{Daemon, Ground, Worker};

/// The floor table. Imports point down only; rooms on one floor do not know each other.
const FLOORS: &[(&str, u8, Wing)] = &[
    ("daemon", 6, Daemon),
    ("rest", 5, Daemon),
    ("signaling", 5, Daemon),
    ("whip", 5, Daemon),
    ("web", 5, Daemon),
    ("session", 4, Daemon),
    ("recording", 3, Daemon),
    ("cluster", 3, Daemon),
    ("events", 3, Daemon),
    ("state", 3, Daemon),
    ("keys", 3, Daemon),
    ("engine", 2, Daemon),
    ("jobs", 2, Daemon),
    ("worker", 2, Worker),
    ("wire", 1, Ground),
    ("hardware", 1, Ground),
    ("config", 1, Ground),
    ("openapi", 1, Ground),
    ("guard", 1, Daemon),
    ("layout", 1, Ground),
    ("disk", 1, Ground),
    ("mp4", 1, Ground),
    ("rtp", 1, Ground),
    ("ids", 0, Ground),
    ("clock", 0, Ground),
    ("causes", 0, Ground),
];

/// Rooms of one floor of which the first may know the second: the media messages carry RTP packets and name their codecs, as the
/// tables of elements do; a recording's file gets its name as any other file does; recordings and media nodes tell the world of
/// their steps.
const NEIGHBOURS: &[(&str, &str)] =
    &[("wire", "rtp"), ("hardware", "rtp"), ("mp4", "disk"), ("recording", "events"), ("cluster", "events")];

/// What may lie at the top.
const TOP: &[&str] =
    &["Cargo.toml", "Cargo.lock", "Makefile", "README.md", "LICENSE", "src", "yocto", "systemd", "hw", "tests", "images", "target"];

/// Lines of a file before its tests: more needs a reason in its first words, much more is not to be had.
const LINES_WITH_REASON: usize = 500;
const LINES_AT_MOST: usize = 900;
const MEDIAN_AT_MOST: usize = 200;

struct Source {
    /// Relative to the repository, with `/`.
    path: String,
    text: String,
}

impl Source {
    /// The room under `src` that it belongs to: `src/rest/mod.rs` → `rest`, `src/ids.rs` → `ids`.
    fn room(&self) -> Option<&str> {
        let inner = self.path.strip_prefix("src/")?.strip_suffix(".rs")?;
        inner.split('/').next()
    }

    /// The leading `//!` lines.
    fn preface(&self) -> String {
        self.text.lines().take_while(|line| line.starts_with("//!")).collect::<Vec<_>>().join("\n")
    }

    fn lines_before_tests(&self) -> usize {
        self.text.lines().take_while(|line| line.trim() != "#[cfg(test)]").count()
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file of the repository whose name ends in one of `endings`, without what was built or installed.
fn files(endings: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![root().to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the repository can be read") {
            let path = entry.expect("and so can its entries").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                if !["target", "node_modules", ".git"].contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                found.push(Source { path: relative(&path), text: fs::read_to_string(&path).unwrap_or_default() });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

/// A verdict: all that was found, and how much was looked at. Written past the test runner's capture, so that it is always seen.
fn settle(check: &str, looked_at: usize, found: Vec<String>) {
    let _ = writeln!(std::io::stderr(), "tidy: {check}: {looked_at} looked at, {} found", found.len());
    assert!(looked_at > 0, "{check}: there was nothing to look at");
    assert!(found.is_empty(), "{check}:\n  {}", found.join("\n  "));
}

// ---- reading Rust ----

/// The text with comments, and the contents of string and character literals, replaced by blanks; line breaks stay.
fn code(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut i = 0;
    while i < chars.len() {
        let end = literal_or_comment_end(&chars, i);
        if end > i {
            out.extend(chars[i..end].iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
            i = end;
        } else {
            out.push(chars[i]);
            i += 1;
        }
    }
    out
}

/// Where the comment or literal that begins at `i` ends; `i` itself if none begins there.
fn literal_or_comment_end(chars: &[char], i: usize) -> usize {
    let at = |n: usize| chars.get(n).copied().unwrap_or('\0');
    let find =
        |from: usize, what: &[char]| (from..chars.len()).find(|&n| chars[n..].starts_with(what)).map_or(chars.len(), |n| n + what.len());
    let in_word = i > 0 && (at(i - 1).is_alphanumeric() || at(i - 1) == '_');
    match at(i) {
        '/' if at(i + 1) == '/' => find(i, &['\n']).saturating_sub(1).max(i + 1),
        '/' if at(i + 1) == '*' => find(i + 2, &['*', '/']),
        'r' if !in_word && (at(i + 1) == '"' || at(i + 1) == '#') => {
            let hashes = chars[i + 1..].iter().take_while(|&&c| c == '#').count();
            if at(i + 1 + hashes) != '"' {
                return i; // a raw identifier
            }
            let mut closing = vec!['"'];
            closing.extend(std::iter::repeat_n('#', hashes));
            find(i + 2 + hashes, &closing)
        }
        '"' => {
            let mut n = i + 1;
            while n < chars.len() && chars[n] != '"' {
                n += if chars[n] == '\\' { 2 } else { 1 };
            }
            (n + 1).min(chars.len())
        }
        // A character, not a lifetime: 'x' or '\…'.
        '\'' if at(i + 2) == '\'' && at(i + 1) != '\\' => i + 3,
        '\'' if at(i + 1) == '\\' => find(i + 3, &['\'']),
        _ => i,
    }
}

/// All identifiers of the code.
fn words(code: &str) -> BTreeSet<&str> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).collect()
}

/// The paths that follow `crate::` (or `viduct::` in the binary): `crate::a::b` → `a::b`, `crate::{a, b::{c, d}}` → `a`, `b::{c, d}`.
fn crate_paths(code: &str) -> Vec<String> {
    let dense: String = code.split_whitespace().collect::<Vec<_>>().join(" ").replace(":: ", "::").replace(" ::", "::");
    let mut found = Vec::new();
    for prefix in ["crate::", "viduct::"] {
        for (start, _) in dense.match_indices(prefix) {
            if dense[..start].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let rest = &dense[start + prefix.len()..];
            match rest.strip_prefix('{') {
                Some(group) => found.extend(members(group)),
                None => found.push(rest.chars().take_while(|&c| c.is_alphanumeric() || c == '_' || c == ':').collect()),
            }
        }
    }
    found
}

/// The members of a `{…}` group whose opening brace is gone.
fn members(group: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut depth = 0;
    for c in group.chars() {
        match c {
            '}' if depth == 0 => break,
            ',' if depth == 0 => found.push(String::new()),
            _ => {
                depth += i32::from(c == '{') - i32::from(c == '}');
                found.last_mut().expect("there is always a member").push(c);
            }
        }
    }
    found.into_iter().map(|member| member.trim().to_string()).filter(|member| !member.is_empty()).collect()
}

/// The longest chain of `super::` in the code.
fn supers(code: &str) -> usize {
    let mut longest = 0;
    while code.contains(&"super::".repeat(longest + 1)) {
        longest += 1;
    }
    longest
}

// ---- the checks ----

/// Why `room` may not name `path`, if it may not.
fn refusal(room: &str, path: &str) -> Option<String> {
    let target = path.split("::").next().unwrap_or_default();
    let place = |name: &str| FLOORS.iter().find(|(room, ..)| *room == name);
    if room == target || ["lib", "main"].contains(&room) && target == "daemon" {
        return None;
    }
    let Some(&(_, floor, wing)) = place(target) else {
        // Macros and items of lib.rs itself are not rooms.
        return target.starts_with(|c: char| c.is_lowercase()).then(|| format!("{target} is not in the floor table"));
    };
    // The one door between the wings: the binary starts a worker.
    if ["main", "daemon"].contains(&room) && target == "worker" {
        return (path != "worker::run").then(|| "of the worker's wing only worker::run may be named here".to_string());
    }
    let (own_floor, own_wing) = match room {
        "lib" | "main" => (6, Daemon),
        _ => match place(room) {
            Some(&(_, floor, wing)) => (floor, wing),
            None => return Some(format!("the room {room} is not in the floor table")),
        },
    };
    if wing != Ground && own_wing != wing {
        return Some(format!("{target} belongs to the other wing"));
    }
    let below = floor < own_floor || NEIGHBOURS.contains(&(room, target));
    (!below).then(|| format!("{target} is on floor {floor}, {room} on floor {own_floor}"))
}

#[test]
fn imports_point_down() {
    let sources: Vec<Source> = files(&[".rs"]).into_iter().filter(|source| source.path.starts_with("src/")).collect();
    let mut looked_at = 0;
    let mut found = Vec::new();
    for source in &sources {
        let room = source.room().expect("it is under src");
        let code = code(&source.text);
        for path in crate_paths(&code) {
            looked_at += 1;
            if let Some(why) = refusal(room, &path) {
                found.push(format!("{}: {path}: {why}", source.path));
            }
        }
        // `super` must not climb out of the room: `src/a/mod.rs` and `src/a.rs` are one level deep, `src/a/b.rs` two.
        let inner = source.path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
        let depth = inner.split('/').count();
        let (product, tests) = code.split_at(code.find("#[cfg(test)]").unwrap_or(code.len()));
        if room != "lib" && (supers(product) >= depth || supers(tests) > depth) {
            found.push(format!("{}: super:: leaves the room; say crate::", source.path));
        }
    }
    settle("imports that point down", looked_at, found);
}

#[test]
fn exclusive_guests_stay_in_their_rooms() {
    let mut found = Vec::new();
    let sources: Vec<Source> = files(&[".rs"]).into_iter().filter(|source| source.path.starts_with("src/")).collect();
    for source in &sources {
        let code = code(&source.text);
        let room = source.room().expect("it is under src");
        let product = &code[..code.find("#[cfg(test)]").unwrap_or(code.len())];
        for word in words(product).iter().filter(|word| word.starts_with("serde") && room == "session") {
            found.push(format!("{}: {word}: JSON never enters src/session", source.path));
        }
        for word in words(&code) {
            let gstreamer = word == "gst" || word.starts_with("gst_") || word.starts_with("gstreamer") || word == "glib";
            if gstreamer && room != "worker" {
                found.push(format!("{}: {word}: GStreamer lives in src/worker alone", source.path));
            }
            if word == "str0m" && room != "engine" {
                found.push(format!("{}: {word}: str0m lives in src/engine alone", source.path));
            }
        }
    }
    settle("rooms with exclusive guests", sources.len(), found);
}

/// The only files that start processes: workers, and the daemon itself anew. Neither takes a word of its command line from a property
/// or a request; `tests/system/no_property_runs_a_program.rs` looks at what they make of hostile ones.
const STARTERS: &[&str] = &["src/jobs/process.rs", "src/daemon/restart.rs"];

#[test]
fn processes_are_started_in_two_places() {
    let sources: Vec<Source> = files(&[".rs"]).into_iter().filter(|source| source.path.starts_with("src/")).collect();
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| !source.path.contains("/tests/")) {
        let code = code(&source.text);
        let product = &code[..code.find("#[cfg(test)]").unwrap_or(code.len())];
        let dense: String = product.split_whitespace().collect();
        let starts = ["Command::new(", ".exec(", "posix_spawn", "libc::fork", "libc::system", "execv"];
        if starts.iter().any(|start| dense.contains(start)) && !STARTERS.contains(&source.path.as_str()) {
            found.push(format!("{}: starts a process; that is done in {STARTERS:?}", source.path));
        }
    }
    settle("processes", sources.len(), found);
}

#[test]
fn files_are_small_and_say_what_they_are() {
    let sources = files(&[".rs"]);
    let mut found = Vec::new();
    let mut lines: Vec<usize> = Vec::new();
    for source in &sources {
        let count = source.lines_before_tests();
        lines.push(count);
        if !source.text.starts_with("//! ") {
            found.push(format!("{}: does not begin with `//! `", source.path));
        }
        if count > LINES_AT_MOST {
            found.push(format!("{}: {count} lines, at most {LINES_AT_MOST}", source.path));
        } else if count > LINES_WITH_REASON && !source.preface().contains("Reason") {
            found.push(format!("{}: {count} lines, and its `//!` gives no \"Reason for the size\"", source.path));
        }
    }
    lines.sort_unstable();
    let median = lines.get(lines.len() / 2).copied().unwrap_or_default();
    if median >= MEDIAN_AT_MOST {
        found.push(format!("the median of all files is {median} lines, it should stay under {MEDIAN_AT_MOST}"));
    }
    let largest = lines.last().copied().unwrap_or_default();
    settle(&format!("Rust files (median {median} lines, largest {largest})"), sources.len(), found);
}

#[test]
fn nothing_is_left_undone() {
    let sources = files(&[".rs"]);
    let mut found = Vec::new();
    for source in &sources {
        let code = code(&source.text);
        for leftover in ["todo!(", "unimplemented!(", "dbg!(", "#[ignore"] {
            if code.contains(leftover) {
                found.push(format!("{}: {leftover}", source.path));
            }
        }
    }
    settle("files without leftovers", sources.len(), found);
}

#[test]
fn links_lead_somewhere() {
    let mut looked_at = 0;
    let mut found = Vec::new();
    for source in files(&[".md", ".rs"]) {
        let text = if source.path.ends_with(".md") { without_fences(&source.text) } else { docs(&source.text) };
        let folder = root().join(&source.path).parent().expect("a file lies in a folder").to_path_buf();
        for link in links(&text) {
            let target = link.split('#').next().unwrap_or_default();
            // Rust paths are rustdoc's to check.
            let elsewhere = link.contains("://") || link.starts_with("mailto:") || link.contains("::");
            let path = source.path.ends_with(".md") || target.contains('/') || target.contains('.');
            if elsewhere || target.is_empty() || !path {
                continue;
            }
            looked_at += 1;
            if !folder.join(target).exists() {
                found.push(format!("{}: {link}", source.path));
            }
        }
    }
    settle("relative links", looked_at, found);
}

/// The targets of `[…](target)`.
fn links(text: &str) -> Vec<String> {
    let ends = |rest: &str| rest.find([')', ' ', '\n']).unwrap_or(rest.len());
    text.match_indices("](").map(|(at, _)| &text[at + 2..]).map(|rest| rest[..ends(rest)].to_string()).collect()
}

fn without_fences(text: &str) -> String {
    text.split("```").step_by(2).collect()
}

fn docs(text: &str) -> String {
    let doc = |line: &str| line.trim_start().strip_prefix("//!").or(line.trim_start().strip_prefix("///")).map(str::to_string);
    text.lines().filter_map(doc).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_top_is_tidy() {
    let entries: Vec<String> = fs::read_dir(root())
        .expect("the repository can be read")
        .map(|entry| entry.expect("and so can its entries").file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.'))
        .collect();
    let found = entries.iter().filter(|name| !TOP.contains(&name.as_str())).cloned().collect();
    settle("entries at the top", entries.len(), found);
}

#[test]
fn npm_lock_files_name_no_servers() {
    let locks = files(&["package-lock.json"]);
    let mut found = Vec::new();
    for lock in &locks {
        if lock.text.contains("\"resolved\"") {
            found.push(format!("{}: records download addresses", lock.path));
        }
        let settings: PathBuf = root().join(&lock.path).with_file_name(".npmrc");
        if !fs::read_to_string(settings).unwrap_or_default().contains("omit-lockfile-registry-resolved=true") {
            found.push(format!("{}: the .npmrc beside it does not keep addresses out", lock.path));
        }
    }
    settle("npm lock files", locks.len(), found);
}

#[test]
fn no_path_of_one_machine() {
    // In two halves, so that this file does not find itself.
    let folders = [concat!("/wo", "rk/"), concat!("/ro", "ot/")];
    let sources = files(&[".rs", ".md", ".toml", ".mjs", ".js", ".html", ".css", ".json", ".sh", ".service", "Makefile", "run", "setup"]);
    let mut found = Vec::new();
    for source in &sources {
        for folder in folders.iter().filter(|folder| source.text.contains(*folder)) {
            found.push(format!("{}: {folder}", source.path));
        }
    }
    settle("files without machine paths", sources.len(), found);
}

// ---- the readers themselves ----

#[test]
fn comments_and_strings_are_no_code() {
    let text = "let a = \"gst \\\" x\"; // str0m\n/* serde */ let b = r#\"todo!(\"#; let c = '\"'; let d: &'static str = b;";
    let code = code(text);
    for absent in ["gst", "str0m", "serde", "todo"] {
        assert!(!code.contains(absent), "{absent} in {code}");
    }
    for present in ["let a =", "let b =", "let c =", "&'static str = b;"] {
        assert!(code.contains(present), "{present} not in {code}");
    }
    assert_eq!(code.lines().count(), text.lines().count());
}

#[test]
fn every_form_of_import_is_read() {
    let table: &[(&str, &[&str])] = &[
        ("use crate::rest::error;", &["rest::error"]),
        ("use crate::{ids, rtp::{codec, header}};", &["ids", "rtp::{codec, header}"]),
        ("let x = crate::session::Command::Close;", &["session::Command::Close"]),
        ("pub(crate) fn f() {}", &[]),
        ("use viduct::daemon;", &["daemon"]),
        ("use crate::{\n    clock,\n    wire,\n};", &["clock", "wire"]),
        ("my_crate::rest::x", &[]),
    ];
    for (text, expected) in table {
        assert_eq!(&crate_paths(text), expected, "{text}");
    }
}

#[test]
fn the_floor_table_refuses_and_allows() {
    let allowed = [
        ("rest", "session::Command"),
        ("session", "engine::api"),
        ("engine", "rtp"),
        ("worker", "wire::media"),
        ("main", "daemon"),
        ("main", "worker::run"),
        ("jobs", "jobs::api"),
        ("wire", "rtp::codec"),
    ];
    let refused = [
        ("session", "rest"),
        ("rest", "signaling"),
        ("engine", "jobs"),
        ("worker", "jobs"),
        ("jobs", "worker"),
        ("daemon", "worker::camera"),
        ("rtp", "engine"),
        ("rtp", "wire"),
        ("session", "unknown"),
    ];
    for (room, path) in allowed {
        assert_eq!(refusal(room, path), None, "{room} → {path}");
    }
    for (room, path) in refused {
        assert!(refusal(room, path).is_some(), "{room} → {path}");
    }
}

#[test]
fn links_are_found() {
    assert_eq!(links("see [a](b.md) and [c](../d.md#e \"title\")"), ["b.md", "../d.md#e"]);
    assert_eq!(supers("use super::super::x; super::y"), 2);
}
