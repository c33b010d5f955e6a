//! `/openvidu/accept-certificate`: the public page a person opens once to accept a self-signed certificate (rest.md §15).

use axum::response::Html;

/// GET: 200, without credentials.
pub async fn page() -> Html<&'static str> {
    Html(PAGE)
}

const PAGE: &str = "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>Certificate accepted</title></head>\n\
    <body><p>Your browser now accepts the certificate of this box. You can close this page.</p></body>\n</html>\n";
