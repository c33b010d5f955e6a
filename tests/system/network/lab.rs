//! Networks of one test: namespaces of the kernel, joined by virtual cables. They vanish with the last descriptor that holds them.
//!
//! The test and its daemon live in the namespace of the box; clients are made inside theirs ([`Namespace::enter`]) and keep their
//! sockets there. This needs the right to make namespaces; without it these tests are skipped by name.

use crate::house::{House, options};
use std::fs::File;
use std::future::Future;
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::Command;
use std::time::Duration;
use viduct_testkit::daemon::Options;
use viduct_testkit::material::Media;
use viduct_testkit::peer::{Access, Peer, Wish};

use nix::sched::{CloneFlags, setns, unshare};

/// A network of its own, with its interfaces, addresses and rules.
pub struct Namespace(OwnedFd);

impl Namespace {
    /// A namespace with nothing but its loopback interface.
    fn new() -> nix::Result<Namespace> {
        let made = std::thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET)?;
            Ok(Namespace::current())
        });
        let namespace = made.join().expect("it does not panic")?;
        namespace.run("ip link set lo up");
        Ok(namespace)
    }

    fn current() -> Namespace {
        Namespace(File::open("/proc/thread-self/ns/net").expect("/proc is mounted").into())
    }

    /// Does something inside, on a thread of its own; threads and processes started there stay inside.
    pub fn enter<T: Send>(&self, what: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let inside = scope.spawn(|| {
                setns(&self.0, CloneFlags::CLONE_NEWNET).expect("who makes namespaces may enter them");
                what()
            });
            inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Runs a command of ip(8), nft(8), … inside. Panics when it fails.
    pub fn run(&self, line: &str) {
        let mut words = line.split_whitespace();
        let program = words.next().expect("a command");
        let output = self.enter(|| Command::new(program).args(words).output()).unwrap_or_else(|e| panic!("{program} is needed: {e}"));
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Lays a cable to another namespace. Both ends are up and have these addresses (`10.0.1.1/24`).
    pub fn cable(&self, own: (&str, &str), other: &Namespace, others: (&str, &str)) {
        let descriptor = format!("/proc/{}/fd/{}", std::process::id(), other.0.as_raw_fd());
        self.run(&format!("ip link add {} type veth peer name {} netns {descriptor}", own.0, others.0));
        for (namespace, (name, address)) in [(self, own), (other, others)] {
            namespace.address(name, address);
            namespace.run(&format!("ip link set {name} up"));
        }
    }

    /// Gives an interface one more address, usable at once.
    pub fn address(&self, name: &str, address: &str) {
        let nodad = if address.contains(':') { " nodad" } else { "" };
        self.run(&format!("ip addr add {address} dev {name}{nodad}"));
    }

    /// A client inside: a viewer of sound and picture.
    pub fn viewer(&self, access: Access) -> Peer {
        self.client(&Wish::watch(true, true).over(access))
    }

    /// A client inside.
    pub fn client(&self, wish: &Wish) -> Peer {
        self.enter(|| Peer::new(wish))
    }
}

/// What publishers of these tests send.
pub fn publishing(access: Access) -> Wish {
    Wish::publish(&[Media::Opus, Media::Vp8]).over(access)
}

/// The box's own network, entered: tests and their daemon are in it.
pub struct Lab {
    pub home: Namespace,
}

impl Lab {
    /// One more network, not joined to anything.
    pub fn namespace(&self) -> Namespace {
        Namespace::new().expect("one was made already")
    }

    /// A daemon at home that offers its LAN addresses alone.
    pub async fn open(&self) -> House {
        House::of(self.options()).await
    }

    /// How it is started.
    pub fn options(&self) -> Options {
        options().env("VIDUCT_LOOPBACK_CANDIDATES", "false")
    }
}

/// Runs `test` in a network of its own, `what` it is about. Skips it by name where namespaces are not permitted; for root in CI
/// that is an error.
pub fn run<F: Future<Output = ()>>(what: &str, test: impl FnOnce(Lab) -> F + Send) {
    let home = match Namespace::new() {
        Ok(home) => home,
        Err(error) => {
            let refused = std::env::var("CI").is_ok_and(|ci| ci == "true") && nix::unistd::geteuid().is_root();
            assert!(!refused, "REFUSED: {what} would be skipped in CI: no network namespace ({error})");
            // not println: the harness shows nothing of a test that passes
            let line = format!("SKIPPED: {what} (no network namespace: {error}; root has them)\n");
            std::io::stdout().write_all(line.as_bytes()).expect("a console");
            return;
        }
    };
    // the scope keeps the namespace of the thread: whatever the runtime starts is inside
    let inside = Namespace(home.0.try_clone().expect("a descriptor"));
    home.enter(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        runtime.block_on(test(Lab { home: inside }));
        runtime.shutdown_timeout(Duration::from_secs(1));
    });
}
