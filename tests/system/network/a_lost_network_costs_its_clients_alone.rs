//! A cable is pulled: the box hears nothing of its clients any more, ends their media within 30 s (RFC 7675), and sends nothing
//! there afterwards. Clients elsewhere notice nothing but that.

use super::lab::{self, publishing};
use crate::house::PATIENCE;
use serde_json::json;
use std::time::Duration;
use viduct::clock::Clock;
use viduct_testkit::peer::Access;

/// RFC 7675 §5.1: consent expires after 30 s. A loaded machine gets a little more.
const EXPIRED: Duration = Duration::from_secs(45);
/// Packets that are no media: neighbours look for each other.
const CHATTER: u64 = 20;

#[test]
fn and_is_sent_nothing_any_more() {
    lab::run("a cable that is pulled", |lab| async move {
        let (office, yard) = (lab.namespace(), lab.namespace());
        lab.home.cable(("eth0", "10.0.1.1/24"), &office, ("eth0", "10.0.1.2/24"));
        lab.home.cable(("eth1", "10.0.2.1/24"), &yard, ("eth0", "10.0.2.2/24"));
        let house = lab.open().await;
        let session = house.session(json!({})).await;
        let (alice, bob) = (house.join(&session, "alice").await, house.join(&session, "bob").await);
        let wish = publishing(Access::Udp([10, 0, 2, 2].into()));
        let publisher = yard.client(&wish);
        let stream = alice.publish(&publisher, &wish).await;
        let lost = bob.watch_as(&stream, office.viewer(Access::Udp([10, 0, 1, 2].into()))).await;
        let carol = house.join(&session, "carol").await;
        let stays = carol.watch_as(&stream, yard.viewer(Access::Udp([10, 0, 2, 2].into()))).await;
        lost.wait_until("a picture", PATIENCE, |seen| seen.whole_frames() > 15).await;
        stays.wait_until("a picture", PATIENCE, |seen| seen.whole_frames() > 15).await;

        // nothing comes back from there; the box still may send, and does
        office.run("nft add table inet pulled");
        office.run("nft add chain inet pulled out { type filter hook output priority 0 ; policy drop ; }");
        let begin = Clock::System.now();
        let mut last = (sent(&lab), Clock::System.now());
        while last.1.elapsed() < Duration::from_secs(3) {
            assert!(begin.elapsed() < EXPIRED, "the box still sends after {EXPIRED:?}");
            Clock::System.sleep(Duration::from_millis(200)).await;
            for member in [&alice, &bob, &carol] {
                member.client.must("ping", json!({})).await;
            }
            let now = sent(&lab);
            if now > last.0 + CHATTER {
                last = (now, Clock::System.now());
            }
        }
        println!("the box gave up after {:?}", last.1 - begin);
        assert!(last.1 - begin > Duration::from_secs(5), "a short silence is no end");
        let before = stays.look().whole_frames();
        stays.wait_until("the others' picture goes on", PATIENCE, |seen| seen.whole_frames() > before + 30).await;
        assert_eq!(stays.look().frames.map(|frames| frames.gaps), Some(0));
    });
}

/// Packets that left the box towards the office.
fn sent(lab: &lab::Lab) -> u64 {
    let counters = lab.home.enter(|| std::fs::read_to_string("/proc/thread-self/net/dev")).expect("/proc is mounted");
    let line = counters.lines().find_map(|line| line.trim().strip_prefix("eth0:")).expect("an interface").to_owned();
    line.split_whitespace().nth(9).and_then(|packets| packets.parse().ok()).expect("a counter")
}
