//! `/openvidu/api/docs`: the API document for people.
//!
//! The page reads the document itself (`openapi.json` beside it) and renders it; it asks nobody else, and may not: its policy says so.

use super::page;
use axum::response::Response;

const PAGE: &str = page::page!("Viduct API", "docs/style.css", "docs/body.html", "docs/script.js", "docs/end.html");

/// What is in it, and the document.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// GET: 200.
pub async fn page() -> Response {
    page::answer(PAGE, POLICY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_whole_and_names_nobody_else() {
        page::check(PAGE, &["<script>", "</script>"]);
    }
}
