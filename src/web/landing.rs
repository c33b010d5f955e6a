//! `/`: what a person sees who opens the box's address in a browser, and where to go from there. The same on every box of one version.

use super::page;
use axum::response::Response;

const PAGE: &str = page::page!("Viduct", "landing/style.css", "landing/body.html");

/// What is in it.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// GET: 200.
pub async fn page() -> Response {
    page::answer(PAGE, POLICY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_page_is_whole_and_leads_to_the_public_pages() {
        page::check(PAGE, &["<h1>", "</h1>"]);
        assert!(!PAGE.contains("<script"));
        let links: BTreeSet<&str> = PAGE.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        let public = ["/openvidu/accept-certificate", "/openvidu/api/docs", "/openvidu/api/openapi.json", "data:,"];
        assert_eq!(links.into_iter().collect::<Vec<_>>(), public);
    }
}
