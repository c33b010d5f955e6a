//! `/openvidu/api/docs`: the API document for people. One page with all it needs in it, so that it works on an island.
//!
//! The page reads the document itself (`openapi.json` beside it) and renders it; it asks nobody else, and may not: its policy says so.

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{Html, IntoResponse};

const PAGE: &str = concat!(
    include_str!("docs/page.html"),
    include_str!("docs/style.css"),
    include_str!("docs/body.html"),
    include_str!("docs/script.js"),
    "</script>\n</body>\n</html>\n"
);

/// What the page may load (Content Security Policy): what is in it, and the document.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// GET: 200.
pub async fn page() -> impl IntoResponse {
    let headers: [(HeaderName, HeaderValue); 3] = [
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (headers, Html(PAGE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_whole_and_names_nobody_else() {
        assert!(PAGE.starts_with("<!DOCTYPE html>") && PAGE.trim_end().ends_with("</html>"));
        for tag in ["<style>", "</style>", "<body>", "</body>", "<script>", "</script>"] {
            assert_eq!(PAGE.matches(tag).count(), 1, "{tag}");
        }
        assert!(!PAGE.contains("http://") && !PAGE.contains("https://") && !PAGE.contains("src="));
    }
}
