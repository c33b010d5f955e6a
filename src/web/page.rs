//! What the pages for people have in common: they are whole in themselves, so that they work on an island, and say by their policy
//! that they ask nobody else. Head and style stand in `page/`; each page adds its own.

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};

/// Text of a page: its title, and the files that follow the common style; the first of them begins inside of `<style>`.
macro_rules! page {
    ($title:literal, $($file:literal),+) => {
        concat!(
            include_str!("page/head.html"),
            "<title>", $title, "</title>\n<style>\n",
            include_str!("page/style.css"),
            $(include_str!($file)),+
        )
    };
}
pub(super) use page;

/// 200 with a page. `policy` says what it may load (Content Security Policy).
pub fn answer(page: &'static str, policy: &'static str) -> Response {
    let headers: [(HeaderName, HeaderValue); 3] = [
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (headers, Html(page)).into_response()
}

/// Fails unless `page` is whole and names no other host.
#[cfg(test)]
pub fn check(page: &str, tags: &[&str]) {
    assert!(page.starts_with("<!DOCTYPE html>") && page.trim_end().ends_with("</html>"));
    for tag in ["<title>", "</title>", "<style>", "</style>", "</head>", "<body>", "</body>"].iter().chain(tags) {
        assert_eq!(page.matches(tag).count(), 1, "{tag}");
    }
    assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("src="));
}
