//! The paths of releases before 2.16, as other names of today's (rest.md §1.2, §16). Pure.
//!
//! The answer is today's, which has all keys of the old ones but three; a request that came by an old path carries [`Era::Legacy`],
//! and whoever can be kinder to an old application looks at it.

use axum::extract::FromRequestParts;
use axum::http::Uri;
use axum::http::request::Parts;
use std::convert::Infallible;

/// How old an application is, as far as its path tells.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Era {
    #[default]
    Modern,
    /// It was written for a release before 2.16.
    Legacy,
}

/// Old beginning of a path → the one of today. A whole segment must fit.
pub const MOVED: &[(&str, &str)] = &[
    ("/api", "/openvidu/api"),
    ("/pro", "/openvidu/api"),
    ("/config", "/openvidu/api/config"),
    ("/cdr", "/openvidu/cdr"),
    ("/recordings", "/openvidu/recordings"),
    ("/layouts/custom", "/openvidu/layouts"),
    ("/accept-certificate", "/openvidu/accept-certificate"),
    ("/info", "/openvidu/info"),
];

/// Today's URI of an old one; `None` for any other.
pub fn modern(uri: &Uri) -> Option<Uri> {
    let (old, new) =
        MOVED.iter().find(|(old, _)| uri.path().strip_prefix(old).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))?;
    let path = format!("{new}{}", &uri.path()[old.len()..]);
    super::frame::with_path(uri, &path)
}

impl<S: Sync> FromRequestParts<S> for Era {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Era, Infallible> {
        Ok(parts.extensions.get().copied().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_paths_have_new_names() {
        for (old, new) in [
            ("/api/sessions", Some("/openvidu/api/sessions")),
            ("/api/sessions/S/connection?x=/api", Some("/openvidu/api/sessions/S/connection?x=/api")),
            ("/pro/media-nodes?load=true", Some("/openvidu/api/media-nodes?load=true")),
            ("/config", Some("/openvidu/api/config")),
            ("/config/openvidu-cdr", Some("/openvidu/api/config/openvidu-cdr")),
            ("/recordings/r/f.mp4", Some("/openvidu/recordings/r/f.mp4")),
            ("/layouts/custom/a/b.html", Some("/openvidu/layouts/a/b.html")),
            ("https://h:1/cdr", Some("https://h:1/openvidu/cdr")),
            ("/accept-certificate", Some("/openvidu/accept-certificate")),
            ("/info", Some("/openvidu/info")),
            ("/openvidu/api/sessions", None),
            ("/apiary", None),
            ("/layouts", None),
            ("/whep/s/t", None),
            ("/", None),
        ] {
            assert_eq!(modern(&old.parse().unwrap()).map(|uri| uri.to_string()).as_deref(), new, "{old}");
        }
    }
}
