//! SIGHUP: the file is read again, and what can be applied without disturbing anybody is applied.

use super::origin::Origin;
use super::start::{Refused, Tls};
use super::state::State;
use super::{log, tls};
use crate::config::Config;

/// What a reload came to.
pub struct Fresh {
    pub config: Config,
    /// The certificate files were read again, too.
    pub tls: Tls,
    /// Text of the file.
    pub text: Option<String>,
}

/// Reads everything again and says in the log what changes. Errors: everything stays as it is. Blocks.
pub fn read(origin: &Origin, state: &State, present: &Config) -> Result<Fresh, Refused> {
    let text = origin.text()?;
    let loaded = origin.load(text.as_deref())?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let (config, changed, waiting) = present.reloaded(&loaded.config);
    log::filter(&config.log)?;
    let tls = Tls(tls::acceptor(&config, state, &origin.lan)?);
    log::change(&config.log)?;
    let names = if changed.is_empty() { "nothing changed".to_owned() } else { format!("now in force: {}", changed.join(", ")) };
    tracing::info!("configuration and certificate were read again; {names}");
    for name in waiting {
        tracing::warn!("{name} has changed, but needs a restart to take effect");
    }
    Ok(Fresh { config, tls, text })
}
