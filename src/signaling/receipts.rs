//! Which notices a client has received: the door asks by WebSocket pings, which the other side's WebSocket answers by itself and in
//! order (RFC 6455 §5.5.2, §5.5.3), so that no client has to know. Pure; one question is out at a time, however much is said.

/// The receipts of one client.
#[derive(Default, Debug)]
pub struct Receipts {
    /// Number of the notice that was said last.
    said: u64,
    /// The number that was asked for, until it is answered.
    asked: Option<u64>,
    received: u64,
}

impl Receipts {
    /// A notice was written; its number among all messages.
    pub fn said(&mut self, number: u64) {
        self.said = number;
    }

    /// What to ask now: the payload of a ping.
    pub fn ask(&mut self) -> Option<[u8; 8]> {
        if self.asked.is_some() || self.said <= self.received {
            return None;
        }
        self.asked = Some(self.said);
        Some(self.said.to_be_bytes())
    }

    /// A pong came; the number up to which everything has been received, if it answers a question.
    pub fn answered(&mut self, payload: &[u8]) -> Option<u64> {
        let asked = self.asked.take_if(|asked| payload == asked.to_be_bytes())?;
        self.received = asked;
        Some(asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_question_at_a_time_until_all_is_received() {
        let mut receipts = Receipts::default();
        assert_eq!(receipts.ask(), None, "nothing was said");
        receipts.said(2);
        let first = receipts.ask().unwrap();
        receipts.said(3);
        receipts.said(7);
        assert_eq!(receipts.ask(), None, "the first is out");
        for odd in [&[][..], b"hello", &7u64.to_be_bytes()] {
            assert_eq!(receipts.answered(odd), None);
        }
        assert_eq!(receipts.answered(&first), Some(2));
        assert_eq!(receipts.answered(&first), None, "a pong nobody asked for");
        let second = receipts.ask().unwrap();
        assert_eq!(receipts.answered(&second), Some(7));
        assert_eq!(receipts.ask(), None);
    }
}
