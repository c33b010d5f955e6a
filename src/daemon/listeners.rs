//! Who is told of events, as the configuration says. Errors name the property.

use super::start::Refused;
use crate::clock::Clock;
use crate::config::{Config, Problem, Webhook};
use crate::events::{BadTarget, CdrSettings, Error, Events, Settings, Target, WebhookSettings};

const ENDPOINT: &str = "OPENVIDU_WEBHOOK_ENDPOINT";
/// What waits for the endpoint of the webhook, in the state folder.
const JOURNAL: &str = "webhook.queue";

/// Starts them; needs a tokio runtime.
pub fn start(config: &Config, clock: Clock) -> Result<Events, Refused> {
    let cdr = config.cdr.as_ref().map(|cdr| CdrSettings { folder: config.cdr_path.clone(), file_bytes: cdr.file_bytes, files: cdr.files });
    let webhook = config.webhook.as_ref().map(|webhook| WebhookSettings {
        target: target(webhook),
        events: webhook.events.clone(),
        queue_bytes: webhook.queue_bytes,
        journal: config.state_path.join(JOURNAL),
    });
    Events::start(Settings { cdr, webhook }, clock).map_err(|error| refused(config, &error).into())
}

/// Would [`start`] post to the endpoint of `config`? What is not looked at are folders.
pub fn check(config: &Config) -> Result<(), Problem> {
    let checked = config.webhook.as_ref().map_or(Ok(()), |webhook| target(webhook).check());
    checked.map_err(|bad| refused(config, &Error::Target(bad)))
}

fn target(webhook: &Webhook) -> Target {
    Target { endpoint: webhook.endpoint.clone(), headers: webhook.headers.clone(), verify: webhook.verify }
}

fn refused(config: &Config, error: &Error) -> Problem {
    let endpoint = || config.webhook.as_ref().map(|webhook| webhook.endpoint.clone()).unwrap_or_default();
    match error {
        Error::Cdr { .. } => {
            let why = format!("the folder cannot be used: {error}; choose one this user may write, or set OPENVIDU_CDR=false");
            Problem::new("OPENVIDU_CDR_PATH", config.cdr_path.display(), why)
        }
        Error::Journal { .. } => Problem::new("VIDUCT_STATE_PATH", config.state_path.display(), format!("{error}")),
        Error::Target(BadTarget::Header(_)) => Problem::new("OPENVIDU_WEBHOOK_HEADERS", "", error.to_string()),
        Error::Target(BadTarget::Endpoint | BadTarget::Tls(_)) => Problem::new(ENDPOINT, endpoint(), error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Sources, load};
    use std::collections::BTreeMap;
    use std::path::Path;

    fn problem(folder: &Path, pairs: &[(&str, &str)]) -> String {
        let folder = folder.display().to_string();
        let all =
            [("VIDUCT_STATE_PATH", folder.as_str()), ("OPENVIDU_CDR_PATH", folder.as_str()), ("OPENVIDU_WEBHOOK_ENDPOINT", "http://h")];
        let env: BTreeMap<_, _> = all.iter().chain(pairs).map(|(name, value)| (name.to_string(), value.to_string())).collect();
        match start(&load(&Sources::of(&env)).unwrap().config, Clock::System) {
            Ok(_) => String::new(),
            Err(refused) => refused.to_string(),
        }
    }

    #[tokio::test]
    async fn what_cannot_be_told_names_its_property() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let inside = file.join("x").display().to_string();
        for (pairs, property) in [
            (vec![("OPENVIDU_CDR", "true"), ("OPENVIDU_CDR_PATH", inside.as_str())], "OPENVIDU_CDR_PATH="),
            (vec![("OPENVIDU_WEBHOOK", "true"), ("VIDUCT_STATE_PATH", inside.as_str())], "VIDUCT_STATE_PATH="),
            (vec![("OPENVIDU_WEBHOOK", "true"), ("OPENVIDU_WEBHOOK_ENDPOINT", "ftp://me:pw@h")], "OPENVIDU_WEBHOOK_ENDPOINT=***"),
            (vec![("OPENVIDU_WEBHOOK", "true"), ("OPENVIDU_WEBHOOK_HEADERS", r#"["A: \u0001pw"]"#)], "OPENVIDU_WEBHOOK_HEADERS=***"),
        ] {
            let problem = problem(folder.path(), &pairs);
            assert!(problem.starts_with(&format!("Property {property}")) && !problem.contains("pw"), "{problem}");
        }
        assert_eq!(problem(folder.path(), &[("OPENVIDU_WEBHOOK", "true"), ("OPENVIDU_CDR", "true")]), "");
    }
}
