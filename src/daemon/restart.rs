//! POST restart: new values are checked as a start would check them and written to the file; then the same process begins anew.

use super::origin::Origin;
use super::{life, listeners, tls};
use crate::config::value::Raw;
use crate::config::{Config, Problem, revise};
use crate::disk;
use crate::rest::restart::{Changes, Refused};
use crate::rest::status::Life;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// Checks `changes` and writes them to the file. Errors: nothing has been written. Blocks.
pub fn write(origin: &Origin, changes: Changes) -> Result<(), Refused> {
    let path = origin.path.display();
    let text = origin.text().map_err(|refused| Refused::File(refused.to_string()))?;
    let present = origin.load(text.as_deref());
    let present = present.map_err(|wrong| Refused::File(format!("{path} is wrong and has to be mended first: {wrong}")))?;
    let news = changes.into_iter().filter(|(name, raw)| !says(&present.config, name, raw)).collect::<Changes>();
    let old = text.unwrap_or_default();
    let new = revise(&old, &news).map_err(Refused::File)?;

    let fresh = origin.load(Some(&new)).map_err(|wrong| Refused::Wrong(wrong.to_string()))?.config;
    for checked in [folders(&fresh), tls::check(&fresh), listeners::check(&fresh)] {
        checked.map_err(|problem| Refused::Wrong(problem.to_string()))?;
    }
    if new == old {
        return Ok(());
    }
    let unwritten = |error: disk::Error| {
        let why = format!("the configuration file {path} cannot be written ({error}: {}); let this user write its folder", error.source);
        Refused::File(why)
    };
    // a link stays a link
    let target = origin.path.canonicalize().unwrap_or_else(|_| origin.path.clone());
    if let Some(folder) = target.parent() {
        disk::create_folder(folder).map_err(unwritten)?;
    }
    disk::replace_private(&target, new.as_bytes()).map_err(unwritten)?;
    let names: Vec<_> = news.iter().map(|(name, _)| *name).collect();
    tracing::info!("{path}: POST restart has set {}", names.join(", "));
    let is_open = |mode: u32| mode & 0o004 != 0;
    if names.contains(&"OPENVIDU_SECRET") && fs::metadata(&target).is_ok_and(|file| is_open(file.mode())) {
        tracing::warn!("{path} holds the secret, and every user of this box can read it; take that right away with chmod o= {path}");
    }
    Ok(())
}

/// Is that the value already?
fn says(config: &Config, name: &str, raw: &Raw) -> bool {
    let given = crate::config::properties::find(name).and_then(|property| property.kind.read(raw).ok());
    let text = |value: &crate::config::Value| value.text().map(|text| text.trim_end_matches('/').to_owned());
    match (&given, config.value(name)) {
        // GET config ends some paths with a slash
        (Some(given), Some(present)) => given == present || (name.ends_with("_PATH") && text(given) == text(present)),
        _ => false,
    }
}

/// The folders that must be writable once their switches are on (events.md §7).
fn folders(config: &Config) -> Result<(), Problem> {
    for (switch, name) in [("OPENVIDU_RECORDING", "OPENVIDU_RECORDING_PATH"), ("OPENVIDU_CDR", "OPENVIDU_CDR_PATH")] {
        let on = config.value(switch).and_then(|value| value.switch()) == Some(true);
        let Some(path) = config.value(name).and_then(|value| value.text()).filter(|_| on) else { continue };
        writable(Path::new(path)).map_err(|error| {
            Problem::new(name, path, format!("the folder cannot be used ({error}: {}); choose one this user may write", error.source))
        })?;
    }
    Ok(())
}

fn writable(folder: &Path) -> Result<(), disk::Error> {
    disk::create_folder(folder)?;
    let probe = folder.join(".viduct-may-write");
    disk::replace_private(&probe, b"")?;
    // it is hidden and empty should it stay
    let _ = fs::remove_file(probe);
    Ok(())
}

/// Begins anew in this process: same arguments, same environment, same process id. Returns only when that fails.
pub fn again(life: Life) -> io::Error {
    let run = |program: &Path| {
        let mut args = std::env::args_os();
        let name = args.next().unwrap_or_default();
        let mut successor = Command::new(program);
        life::hand_on(life, &mut successor);
        successor.arg0(name).args(args).exec()
    };
    if let Ok(program) = std::env::current_exe() {
        tracing::debug!(error = %run(&program), "the file of this program is gone");
    }
    // this very program even when its file was removed
    run(Path::new("/proc/self/exe"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::args::Options;
    use std::path::PathBuf;
    use viduct_testkit::kills;

    struct Box {
        folder: tempfile::TempDir,
        origin: Origin,
    }

    impl Box {
        fn new(text: &str) -> Box {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("viduct.toml");
            fs::write(&path, text).unwrap();
            Box { folder, origin: Origin::new(&Options { config: Some(path), demo: false }, Vec::new()) }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn text(&self) -> String {
            fs::read_to_string(&self.origin.path).unwrap()
        }
    }

    fn text(text: impl ToString) -> Raw {
        Raw::Text(text.to_string())
    }

    #[test]
    fn what_is_new_is_written_and_what_is_not_is_not() {
        let house = Box::new("# mine\nOPENVIDU_RECORDING_PATH = \"/r\"\n");
        write(&house.origin, vec![("OPENVIDU_RECORDING_PATH", text("/r/")), ("OPENVIDU_CDR", Raw::Bool(false))]).unwrap();
        assert_eq!(house.text(), "# mine\nOPENVIDU_RECORDING_PATH = \"/r\"\n");
        write(&house.origin, vec![("OPENVIDU_SECRET", text("NEW"))]).unwrap();
        assert!(house.text().starts_with("# mine\n") && house.text().ends_with("[restart]\nOPENVIDU_SECRET = \"NEW\"\n"));
        assert!(house.origin.load(Some(&house.text())).unwrap().config.secret.unwrap().matches("NEW"));
    }

    #[test]
    fn what_a_start_would_refuse_is_refused_and_nothing_is_written() {
        let house = Box::new("HTTPS_PORT = 1\n");
        fs::write(house.path("file"), "").unwrap();
        let below = house.path("file").join("r");
        for (changes, named) in [
            (vec![("OPENVIDU_WEBHOOK", Raw::Bool(true))], "Property OPENVIDU_WEBHOOK_ENDPOINT="),
            (
                vec![("OPENVIDU_WEBHOOK", Raw::Bool(true)), ("OPENVIDU_WEBHOOK_ENDPOINT", text("ftp://me:pw@h/"))],
                "Property OPENVIDU_WEBHOOK_ENDPOINT=***: must be a URL of http or https",
            ),
            (vec![("OPENVIDU_PRO_CLUSTER_AUTOSCALING_MIN_LOAD", Raw::Int(99))], "must not be more than"),
            (
                vec![("OPENVIDU_RECORDING", Raw::Bool(true)), ("OPENVIDU_RECORDING_PATH", text(below.display()))],
                "Property OPENVIDU_RECORDING_PATH=",
            ),
            (vec![("OPENVIDU_CDR", Raw::Bool(true)), ("OPENVIDU_CDR_PATH", text(below.display()))], "Property OPENVIDU_CDR_PATH="),
        ] {
            let Err(Refused::Wrong(why)) = write(&house.origin, changes) else { panic!("{named}") };
            assert!(why.contains(named), "{why}");
            assert_eq!(house.text(), "HTTPS_PORT = 1\n");
        }
        let made = house.path("new/recordings");
        write(&house.origin, vec![("OPENVIDU_RECORDING", Raw::Bool(true)), ("OPENVIDU_RECORDING_PATH", text(made.display()))]).unwrap();
        assert!(made.is_dir() && fs::read_dir(made).unwrap().count() == 0);
    }

    #[test]
    fn a_file_that_cannot_be_written_or_is_wrong_is_named() {
        let house = Box::new("HTTPS_PORT = many\n");
        let Err(Refused::File(why)) = write(&house.origin, vec![]) else { panic!("it is wrong") };
        assert!(why.contains("viduct.toml") && why.contains("mended first"), "{why}");

        let path = PathBuf::from("/proc/viduct/viduct.toml");
        let origin = Origin { path, ..Origin::new(&Options::default(), Vec::new()) };
        let Err(Refused::File(why)) = write(&origin, vec![("OPENVIDU_CDR_PATH", text("/x"))]) else { panic!("it cannot be written") };
        assert!(why.contains("/proc/viduct/viduct.toml cannot be written"), "{why}");
        assert_eq!(write(&origin, vec![]), Ok(()), "nothing has to be written");
    }

    /// What the killed child does: POST restart sets numbers.
    #[test]
    fn restarting_child() {
        let Some(folder) = kills::child() else { return };
        let origin = Origin::new(&Options { config: Some(folder.join("viduct.toml")), demo: false }, Vec::new());
        let mut number = autostop(&origin);
        loop {
            number += 1;
            let change = Raw::Int(i64::try_from(number).unwrap());
            write(&origin, vec![("OPENVIDU_RECORDING_AUTOSTOP_TIMEOUT", change)]).unwrap();
            kills::acknowledge(number);
        }
    }

    fn autostop(origin: &Origin) -> u64 {
        let loaded = origin.load(origin.text().unwrap().as_deref()).unwrap();
        loaded.config.value("OPENVIDU_RECORDING_AUTOSTOP_TIMEOUT").unwrap().number().unwrap().unsigned_abs()
    }

    #[test]
    fn two_hundred_kills_lose_nothing_acknowledged() {
        let house = Box::new("# mine\nHTTPS_PORT = 1 # first\n");
        kills::rounds("daemon::restart::tests::restarting_child", house.folder.path(), 200, |acknowledged| {
            let written = autostop(&house.origin);
            assert!(written == acknowledged || written == acknowledged + 1, "{acknowledged} was acknowledged, {written} is written");
            assert!(house.text().starts_with("# mine\nHTTPS_PORT = 1 # first\n"));
        });
    }

    #[test]
    fn a_link_to_the_file_stays_one() {
        let house = Box::new("HTTPS_PORT = 1\n");
        let link = house.path("link.toml");
        std::os::unix::fs::symlink(&house.origin.path, &link).unwrap();
        let origin = Origin::new(&Options { config: Some(link.clone()), demo: false }, Vec::new());
        write(&origin, vec![("OPENVIDU_CDR_PATH", text("/x"))]).unwrap();
        assert!(link.is_symlink() && house.text().contains("/x"));
    }
}
