//! A client of the stories: what the door would hear and say for it.

use super::*;

/// A joined client as its door sees it.
pub(super) struct Client {
    pub(super) session: SessionHandle,
    pub(super) joined: Joined,
    pub(super) socket: SocketId,
    pub(super) received: Inbox,
    pub(super) requests: i64,
    pub(super) replies: Vec<(RequestId, Result<Reply, Denied>)>,
    pub(super) notices: Vec<Notice>,
}

impl Client {
    /// The first message must be the reply to the join.
    pub(super) fn new(session: SessionHandle, socket: SocketId, mut received: Inbox) -> Result<Client, Denied> {
        let Outgoing::Reply { request: RequestId(1), result } = received.try_recv().expect("a join is answered") else {
            panic!("something overtook the join reply");
        };
        let Reply::Joined(joined) = result? else { panic!("no join reply") };
        let (replies, notices) = (Vec::new(), Vec::new());
        Ok(Client { session, joined: *joined, socket, received, requests: 1, replies, notices })
    }

    pub(super) fn id(&self) -> ConnectionId {
        self.joined.connection.clone()
    }

    /// Sends a request.
    pub(super) async fn start(&mut self, call: Call) -> RequestId {
        self.requests += 1;
        let request = RequestId(self.requests);
        // an error means that the session has ended; then there is no reply either
        let _ = self.session.send(Command::Call { connection: self.id(), socket: self.socket, request, call }).await;
        request
    }

    /// Sends a request and returns its reply.
    pub(super) async fn call(&mut self, house: &mut House, call: Call) -> Result<Reply, Denied> {
        let request = self.start(call).await;
        house.pump().await;
        self.reply_to(request).expect("the request was answered")
    }

    /// The reply to a request, if it has come.
    pub(super) fn reply_to(&mut self, request: RequestId) -> Option<Result<Reply, Denied>> {
        self.read();
        let mut found: Vec<_> = self.replies.iter().filter(|(to, _)| *to == request).map(|(_, result)| result.clone()).collect();
        assert!(found.len() <= 1, "{request:?} was answered twice");
        found.pop()
    }

    /// The notices since this was last called.
    pub(super) fn notices(&mut self) -> Vec<Notice> {
        self.read();
        std::mem::take(&mut self.notices)
    }

    pub(super) fn read(&mut self) {
        while let Ok(message) = self.received.try_recv() {
            match message {
                Outgoing::Reply { request, result } => self.replies.push((request, result)),
                Outgoing::Notice(notice) => self.notices.push(notice),
            }
        }
        self.received.confirm(self.received.taken());
    }

    /// Has the session dropped its outbox?
    pub(super) fn is_closed(&mut self) -> bool {
        self.read();
        self.received.is_closed()
    }

    /// The socket closes.
    pub(super) async fn detach(&mut self, house: &mut House) {
        let (connection, socket) = (self.id(), self.socket);
        let _ = self.session.send(Command::Detached { connection, socket }).await;
        house.pump().await;
    }

    /// The client comes back on a new socket; the reply must be the first thing it hears there.
    pub(super) async fn rejoin(&mut self, house: &mut House) -> Result<Reply, Denied> {
        let (outbox, received) = Outbox::channel();
        (self.socket, self.received) = (house.new_socket(), received);
        self.requests += 1;
        let (rpc, socket, request) = (self.joined.rpc.clone(), self.socket, RequestId(self.requests));
        let session = house.registry.find_by_rpc(&rpc).ok_or(Denied::UnknownClient)?;
        session.send(Command::Rejoin { rpc, socket, outbox, request }).await?;
        house.pump().await;
        match self.received.try_recv() {
            Ok(Outgoing::Reply { request: to, result }) if to == request => result,
            other => panic!("{other:?}"),
        }
    }
}
