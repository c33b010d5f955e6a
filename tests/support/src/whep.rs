//! A viewer over WHEP: an offer goes in by POST, the answer and a `Location` come back, DELETE ends it.

use crate::peer::Peer;
use crate::rest::{Client, Response};

/// A viewer that was taken.
#[derive(Debug)]
pub struct Whep {
    /// The media side.
    pub peer: Peer,
    /// Where DELETE ends it: a path.
    pub location: String,
    client: Client,
}

impl Whep {
    /// Watches `stream` of `session` with audio and video. `client` carries the credentials. Panics unless the server says 201.
    pub async fn watch(client: &Client, session: &str, stream: &str) -> Whep {
        let peer = Peer::viewer(true, true);
        match Self::offer(client, session, stream, peer).await {
            Ok(whep) => whep,
            Err(response) => panic!("WHEP refused: {} {}", response.status, response.text()),
        }
    }

    /// Offers for `peer`; gives the answer of a server that refuses.
    pub async fn offer(client: &Client, session: &str, stream: &str, mut peer: Peer) -> Result<Whep, Response> {
        peer.mark_offered();
        let response = client.post_as(&format!("/whep/{session}/{stream}"), "application/sdp", peer.offer()).await;
        if response.status != 201 {
            return Err(response);
        }
        assert_eq!(response.header("content-type"), "application/sdp");
        let location = response.header("location").to_owned();
        let path = match location.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]).to_owned(),
            None => location,
        };
        assert!(path.starts_with('/'), "a WHEP answer needs a Location");
        peer.answer(&response.text());
        Ok(Whep { peer, location: path, client: client.clone() })
    }

    /// Ends it.
    pub async fn end(&self) -> Response {
        self.client.delete(&self.location).await
    }
}
