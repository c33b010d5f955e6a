//! Every property that holds text is given what a shell would run, and the box works: nothing runs, no worker has a word of it on its
//! command line or in its environment. (`tests/tidy.rs` holds that processes are started in two places only.)

use crate::house::{House, PATIENCE, options};
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use viduct::config::value::Kind;
use viduct::config::{PROPERTIES, Property};
use viduct_testkit::camera::{Options, TestCamera};

/// What would show that something ran: these make a file.
const HOSTILE: &str = "$(touch ran)`touch ran`;touch ran|touch ran&touch ran #";
/// Without the state folder and the certificate, which have to be real, and the log filter, nothing starts.
const REAL: [&str; 4] = ["VIDUCT_STATE_PATH", "VIDUCT_CERTIFICATE_FILE", "VIDUCT_PRIVATE_KEY_FILE", "VIDUCT_LOG"];

/// A hostile value that passes the property's check; `None` for what holds numbers, words of a list, names and addresses.
fn hostile(property: &Property, folder: &Path) -> Option<String> {
    match property.kind {
        _ if REAL.contains(&property.name) => None,
        Kind::Text => Some(HOSTILE.into()),
        Kind::Path(_) => Some(folder.join(HOSTILE).join(property.name).display().to_string()),
        Kind::Url => Some(format!("http://127.0.0.1:9/{}", HOSTILE.replace(' ', "${IFS}"))),
        Kind::Uris => Some(format!("[\"ws://127.0.0.1:9/{}\"]", HOSTILE.replace(' ', "${IFS}"))),
        Kind::Headers => Some(format!("[\"X-Hostile: {HOSTILE}\"]")),
        _ => None,
    }
}

/// Command line and environment of a process, as its words.
fn words(pid: i32) -> (Vec<String>, Vec<String>) {
    let read = |file: &str| {
        let bytes = fs::read(format!("/proc/{pid}/{file}")).expect("the worker is alive");
        bytes.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).filter(|word| !word.is_empty()).collect()
    };
    (read("cmdline"), read("environ"))
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_its_value_is() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options();
    let mut set = BTreeSet::new();
    for property in PROPERTIES {
        if let Some(value) = hostile(property, folder.path()) {
            options = options.env(property.name, value);
            set.insert(property.name);
        }
    }
    for switch in ["OPENVIDU_RECORDING", "OPENVIDU_CDR", "OPENVIDU_WEBHOOK"] {
        options = options.env(switch, true);
    }
    println!("{} of {} properties hold hostile text: {set:?}", set.len(), PROPERTIES.len());
    assert!(set.contains("OPENVIDU_RECORDING_PATH") && set.contains("OPENVIDU_WEBHOOK_HEADERS"));
    let house = House::of(options).await;
    let camera = TestCamera::start(&Options::default()).unwrap();
    let session = house.session(json!({"customSessionId": "gate"})).await;
    let _alice = house.join(&session, "alice").await;
    house.camera(&session, &camera.url, false).await;
    house.record_some_time(&session, json!({"name": "visit", "resolution": "320x240"})).await;
    house.workers(2, PATIENCE).await;
    for pid in house.daemon.workers() {
        let (line, environment) = words(pid);
        assert_eq!(line[1..], ["worker"], "{line:?}");
        let names: Vec<&str> = environment.iter().filter_map(|pair| pair.split_once('=')).map(|(name, _)| name).collect();
        let known: Vec<_> = PROPERTIES.iter().filter(|property| names.contains(&property.name)).map(|property| property.name).collect();
        assert!(known.is_empty() && !environment.concat().contains("touch ran"), "{known:?}");
    }
    house.stop_recording("gate").await;
    assert_eq!(house.ended_recording("gate", PATIENCE).await["status"], "ready", "into a folder with such a name");
    let mut folders = vec![folder.path().to_owned(), fs::read_link(format!("/proc/{}/cwd", house.daemon.pid())).unwrap()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().flatten() {
            assert_ne!(entry.file_name(), "ran", "something ran in {}", folder.display());
            folders.extend(Some(entry.path()).filter(|path| path.is_dir()));
        }
    }
}
