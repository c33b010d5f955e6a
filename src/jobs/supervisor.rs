//! Owns all jobs: one task each. Commands start and stop them; when the commands end, all jobs end.

use super::api::{Command, Event};
use super::backoff::{Backoff, Pauses};
use super::counters::Counters;
use super::health::{Health, Warnings};
use super::job::{Job, Learnt};
use super::starting::Starting;
use crate::clock::Clock;
use crate::ids::JobId;
use crate::wire::control::{HEARTBEAT, ToWorker};
use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};

/// What the supervisor has to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The binary that is a worker when its first argument is `worker`: this one.
    pub program: PathBuf,
    pub pauses: Pauses,
    /// A process that has not said a word by then hangs, and is killed.
    pub first_word: Duration,
    /// A process that was heard to be alive and then is silent for so long hangs, and is killed.
    pub silence: Duration,
    pub counters: Counters,
}

impl Settings {
    /// Workers of `program` with the usual times.
    pub fn new(program: PathBuf, counters: Counters) -> Settings {
        // the first GStreamer after an installation looks at all its plug-ins, on a card that is slow
        let (first_word, silence) = (Duration::from_secs(30), 5 * HEARTBEAT);
        Settings { program, pauses: Pauses::default(), first_word, silence, counters }
    }
}

/// Starts the supervisor's task. It ends when `commands` is closed and every process is gone. Needs a tokio runtime.
pub fn start(clock: Clock, settings: Settings, commands: mpsc::Receiver<Command>, events: mpsc::Sender<Event>) -> JoinHandle<()> {
    let starting = Starting::default();
    let supervisor = Supervisor { clock, settings, starting, events, running: HashMap::new(), tasks: JoinSet::new() };
    tokio::spawn(supervisor.run(commands))
}

struct Supervisor {
    clock: Clock,
    settings: Settings,
    starting: Starting,
    events: mpsc::Sender<Event>,
    running: HashMap<JobId, Running>,
    tasks: JoinSet<JobId>,
}

/// How a job is reached.
struct Running {
    /// Dropped, it stops the job.
    _stop: oneshot::Sender<()>,
    messages: mpsc::Sender<ToWorker>,
}

/// Lines that may wait for one worker.
const MESSAGES: usize = 1024;

impl Supervisor {
    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        loop {
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => self.on_command(command),
                    None => break,
                },
                Some(ended) = self.tasks.join_next() => self.on_task_end(ended),
            }
        }
        self.running.clear();
        while let Some(ended) = self.tasks.join_next().await {
            self.on_task_end(ended);
        }
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Start { job, name, spec, media, permit } => {
                let (stop, stopped) = oneshot::channel();
                let (messages, told) = mpsc::channel(MESSAGES);
                // ids are never used twice, but should it happen, the new job replaces the old one
                if self.running.insert(job, Running { _stop: stop, messages }).is_some() {
                    tracing::error!("{job:?} was started twice");
                }
                let (settings, starting) = (self.settings.clone(), self.starting.clone());
                let (clock, events) = (self.clock, self.events.clone());
                let backoff = Backoff::new(settings.pauses);
                let (health, warnings, learnt) = (Health::default(), Warnings::default(), Learnt::default());
                let messages = told;
                let run =
                    Job { job, name, spec, media, permit, settings, starting, clock, events, messages, backoff, health, warnings, learnt };
                self.tasks.spawn(async move {
                    run.run(stopped).await;
                    job
                });
            }
            Command::Tell { job, message } => {
                let Some(running) = self.running.get(&job) else { return };
                // a job that is over has no use for it
                if let Err(mpsc::error::TrySendError::Full(message)) = running.messages.try_send(message) {
                    tracing::error!("{job:?} does not take what it is told; lost {message:?}");
                }
            }
            Command::Stop { job } => drop(self.running.remove(&job)),
        }
    }

    /// A job ends when it is stopped, and then its entry is gone, or when its worker has finished; a panic is a bug that ends one job only.
    fn on_task_end(&mut self, ended: Result<JobId, tokio::task::JoinError>) {
        if let Err(error) = ended {
            tracing::error!("a job's task died: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::api::Handle;
    use super::*;
    use crate::ids::SessionKey;
    use crate::rtp::Codec;
    use crate::wire::camera::CameraSpec;
    use crate::wire::control::{Failure, FailureKind, Spec};
    use crate::wire::media;
    use crate::wire::transcode::TranscodeSpec;
    use nix::errno::Errno;
    use nix::sys::signal::{Signal, killpg};
    use nix::sys::socket::{MsgFlags, recv};
    use nix::unistd::Pid;
    use std::fs;
    use std::io::{ErrorKind, Write};
    use std::net::TcpListener;
    use std::os::fd::{AsRawFd, OwnedFd};
    use std::os::unix::fs::PermissionsExt;
    use std::sync::{Arc, Mutex};
    use tempfile::TempDir;
    use tokio::time::timeout;

    const LONG: Duration = Duration::from_secs(20);

    /// A supervisor whose workers are a shell script: `$dir` is a folder of the test, `$try` counts the processes from 1,
    /// the sockets are moved to descriptors 3 and 4, the first line has been read.
    struct Bench {
        dir: TempDir,
        handle: Handle,
        events: mpsc::Receiver<Event>,
        task: JoinHandle<()>,
        feed: Option<OwnedFd>,
        camera: Option<TcpListener>,
    }

    fn job() -> JobId {
        JobId::new(SessionKey(1), 1)
    }

    /// The supervisor has a camera to run.
    fn bench(script: &str) -> Bench {
        let (dir, program) = worker_of(script);
        bench_of(dir, program)
    }

    fn worker_of(script: &str) -> (TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("worker.sh");
        let head = format!(
            "#!/bin/sh\ndir={}\n[ \"$1\" = worker ] || exit 9\nexec 3<&0 4>&1 </dev/null >&2\nread -r start <&3\necho \"$start\" > $dir/start\n\
             echo x >> $dir/tries\ntry=$(wc -l < $dir/tries)\nsay() {{ echo \"$1\" >&3; }}\n",
            dir.path().display()
        );
        fs::write(&program, head + script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        // a test that forks at this moment holds the file open for writing until it execs
        while std::process::Command::new(&program).status().is_err_and(|error| error.kind() == ErrorKind::ExecutableFileBusy) {}
        (dir, program)
    }

    fn bench_of(dir: TempDir, program: PathBuf) -> Bench {
        // no process is started for a camera that is not there
        let camera = TcpListener::bind("127.0.0.1:0").unwrap();
        let uri = format!("rtsp://user:s3cr3t@{}/x", camera.local_addr().unwrap());
        let spec = Spec::Camera(CameraSpec::parse(&uri, 100, true).unwrap().spec);
        bench_for(dir, program, spec, Some(camera))
    }

    fn bench_for(dir: TempDir, program: PathBuf, spec: Spec, camera: Option<TcpListener>) -> Bench {
        let [first, probe, longest, longest_hopeless] = [5, 5, 10, 20].map(Duration::from_millis);
        let pauses = Pauses { first, probe, longest, longest_hopeless, ..Pauses::default() };
        let (handle, commands) = Handle::channel();
        let (sender, events) = mpsc::channel(64);
        let silence = Duration::from_millis(500);
        let settings = Settings { pauses, first_word: Duration::from_secs(5), silence, ..Settings::new(program, handle.counters()) };
        let task = start(Clock::System, settings, commands, sender);
        let (feed, media) = media::pair().unwrap();
        handle.send(Command::Start { job: job(), name: "camera con_1".into(), spec, media, permit: None }).unwrap();
        Bench { dir, handle, events, task, feed: Some(feed), camera }
    }

    impl Bench {
        /// The next event: `None` for ready, the failure for down.
        async fn next(&mut self) -> Option<Failure> {
            loop {
                match self.event().await {
                    Event::Ready { .. } => return None,
                    Event::Down { failure, .. } => return Some(failure),
                    Event::Started { .. } => {}
                    other => panic!("{other:?}"),
                }
            }
        }

        /// The next event of any kind.
        async fn event(&mut self) -> Event {
            let event = timeout(LONG, self.events.recv()).await.expect("no event came").expect("the supervisor is gone");
            assert_eq!(event.job(), job());
            event
        }

        fn tell(&self, message: ToWorker) {
            self.handle.send(Command::Tell { job: job(), message }).unwrap();
        }

        fn file(&self, name: &str) -> String {
            fs::read_to_string(self.dir.path().join(name)).unwrap_or_default()
        }

        async fn end(self) {
            drop(self.handle);
            drop(self.events);
            timeout(LONG, self.task).await.expect("the supervisor does not end").unwrap();
        }
    }

    /// True when no process of the group is left.
    fn group_is_gone(group: &str) -> bool {
        killpg(Pid::from_raw(group.trim().parse().unwrap()), None) == Err(Errno::ESRCH)
    }

    #[tokio::test]
    async fn a_job_that_fails_is_run_again_with_the_same_media_socket() {
        let mut bench = bench(
            "say '{\"say\":\"ready\"}'\nprintf \"\\\\003\\\\00$try\" >&4\n\
             say '{\"say\":\"failed\",\"failure\":{\"kind\":\"noPackets\",\"text\":\"silent\"}}'\n",
        );
        for _ in 1..=3 {
            assert_eq!(bench.next().await, None);
            assert_eq!(bench.next().await.unwrap(), Failure { kind: FailureKind::NoPackets, text: "silent".into() });
        }
        let feed = bench.feed.take().unwrap();
        let mut buffer = [0; 16];
        for process in 1..=3 {
            let length = recv(feed.as_raw_fd(), &mut buffer, MsgFlags::empty()).unwrap();
            assert_eq!(buffer[..length], [3, process]);
        }
        assert!(bench.file("start").contains("\"password\":\"s3cr3t\""), "{}", bench.file("start"));
        bench.end().await;
    }

    #[tokio::test]
    async fn a_crash_is_told_with_its_signal() {
        let mut bench = bench("say '{\"say\":\"ready\"}'\nkill -SEGV $$\n");
        assert_eq!(bench.next().await, None);
        let failure = bench.next().await.unwrap();
        assert_eq!(failure.kind, FailureKind::Crashed);
        assert!(failure.text.contains("signal: 11"), "{failure}");
        bench.end().await;
    }

    #[tokio::test]
    async fn hardware_that_takes_its_process_along_twice_is_left_alone() {
        let (dir, program) = worker_of(
            "case \"$start\" in *'\"avoid\":[\"v4l2h264enc\"]'*) say '{\"say\":\"ready\"}'; read -r more <&3;; esac\n\
             say '{\"say\":\"uses\",\"elements\":[\"v4l2h264enc\",\"made up\"]}'\nkill -SEGV $$\n",
        );
        let spec = TranscodeSpec { to: Codec::H264, min_kbps: 1, max_kbps: 2, hardware: true, avoid: Vec::new() };
        let mut bench = bench_for(dir, program, Spec::Transcode(spec), None);
        for _ in 0..2 {
            assert!(bench.handle.counters().read().struck_out.is_empty());
            let failure = bench.next().await.expect("it crashes");
            assert_eq!(failure.kind, FailureKind::Crashed, "{failure}");
        }
        assert_eq!(bench.next().await, None, "the third is told to do without");
        assert_eq!(bench.handle.counters().read().struck_out, ["v4l2h264enc"].into());
        bench.end().await;
    }

    #[tokio::test]
    async fn what_was_learnt_of_a_camera_is_told_to_the_next_process() {
        let mut bench = bench(
            "say '{\"say\":\"sends\",\"transport\":\"udp\"}'\nsay '{\"say\":\"ready\"}'\n[ $try = 2 ] && read -r more <&3\n\
             say '{\"say\":\"failed\",\"failure\":{\"kind\":\"ended\",\"text\":\"x\"}}'\n",
        );
        for transport in ["tcp", "udp"] {
            assert_eq!(bench.next().await, None);
            let start = bench.file("start");
            assert!(start.contains(&format!("\"transport\":\"{transport}\"")), "{start}");
            if transport == "tcp" {
                assert!(bench.next().await.is_some());
            }
        }
        bench.end().await;
    }

    #[tokio::test]
    async fn nonsense_on_the_control_socket_ends_the_process() {
        let mut bench = bench("echo $$ > $dir/group\nsay nonsense\nexec sleep 1000\n");
        let failure = bench.next().await.unwrap();
        assert_eq!(failure.kind, FailureKind::Crashed);
        assert!(group_is_gone(&bench.file("group")));
        bench.end().await;
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_a_failure_like_others() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("nothing");
        let mut bench = bench_of(dir, program);
        for _ in 0..2 {
            assert_eq!(bench.next().await.unwrap().kind, FailureKind::Crashed);
        }
        bench.end().await;
    }

    #[tokio::test]
    async fn stop_ends_a_polite_worker_by_closing_its_socket() {
        let mut bench = bench("say '{\"say\":\"ready\"}'\nread -r more <&3\necho polite > $dir/end\n");
        assert_eq!(bench.next().await, None);
        bench.handle.send(Command::Stop { job: job() }).unwrap();
        let Bench { dir, handle, mut events, task, .. } = bench;
        drop(handle);
        timeout(LONG, task).await.unwrap().unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("end")).unwrap(), "polite\n");
        assert!(events.recv().await.is_none(), "an event after stop");
    }

    #[tokio::test]
    async fn a_worker_that_hangs_is_killed_with_all_it_started() {
        let mut bench = bench("trap '' TERM INT HUP\necho $$ > $dir/group\nsleep 1000 &\nsay '{\"say\":\"ready\"}'\nsleep 1000\n");
        assert_eq!(bench.next().await, None);
        let group = bench.file("group");
        assert!(!group_is_gone(&group));
        bench.handle.send(Command::Stop { job: job() }).unwrap();
        bench.end().await;
        // the orphan is reaped by init, a moment after the kill
        timeout(LONG, async {
            while !group_is_gone(&group) {
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("something of the worker survives");
    }

    #[tokio::test]
    async fn each_process_announces_itself_and_hears_what_it_is_told() {
        let mut bench = bench(
            "say '{\"say\":\"written\",\"part\":1,\"bytes\":2,\"durationMs\":3}'\nread -r line <&3\necho \"$line\" >> $dir/heard\n\
             [ $try = 1 ] && kill -KILL $$\nread -r line <&3\necho \"$line\" >> $dir/heard\nsay '{\"say\":\"finished\"}'\n",
        );
        for round in 1..=2 {
            assert!(matches!(bench.event().await, Event::Started { .. }), "round {round}");
            let Event::Written { written, .. } = bench.event().await else { panic!("no report") };
            assert_eq!((written.part, written.bytes, written.duration_ms), (1, 2, 3));
            bench.tell(ToWorker::RemoveSlot { slot: round });
            if round == 1 {
                assert!(matches!(bench.event().await, Event::Down { .. }));
            }
        }
        bench.tell(ToWorker::Stop);
        assert!(matches!(bench.event().await, Event::Finished { .. }));
        assert_eq!(bench.file("heard"), "{\"say\":\"removeSlot\",\"slot\":1}\n{\"say\":\"removeSlot\",\"slot\":2}\n{\"say\":\"stop\"}\n");
        assert_eq!(bench.file("tries").lines().count(), 2, "nothing runs after the end");
        bench.end().await;
    }

    #[tokio::test]
    async fn a_job_without_a_process_is_over_when_told_to_stop() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("nothing");
        let mut bench = bench_of(dir, program);
        assert!(matches!(bench.event().await, Event::Down { .. }));
        bench.tell(ToWorker::Stop);
        loop {
            match bench.event().await {
                Event::Finished { .. } => break,
                Event::Down { .. } => {}
                other => panic!("{other:?}"),
            }
        }
        bench.end().await;
    }

    #[tokio::test]
    async fn a_worker_without_a_word_is_killed() {
        let mut bench = bench("echo $$ > $dir/group\nexec sleep 1000\n");
        let failure = bench.next().await.unwrap();
        assert_eq!(failure.kind, FailureKind::Crashed, "{failure}");
        assert!(failure.text.contains("hangs"), "{failure}");
        bench.end().await;
    }

    #[tokio::test]
    async fn silent_cameras_do_not_keep_others_from_beginning() {
        let bench = bench("exec sleep 1000\n");
        let camera = bench.camera.as_ref().unwrap().local_addr().unwrap();
        for number in 2..=6 {
            let spec = Spec::Camera(CameraSpec::parse(&format!("rtsp://{camera}/{number}"), 100, true).unwrap().spec);
            let job = JobId::new(SessionKey(1), number);
            let (_, media) = media::pair().unwrap();
            bench.handle.send(Command::Start { job, name: format!("camera {number}"), spec, media, permit: None }).unwrap();
        }
        timeout(LONG, async {
            while bench.file("tries").lines().count() < 6 {
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("each has its turn");
        bench.end().await;
    }

    #[tokio::test]
    async fn a_worker_that_falls_silent_is_killed() {
        let mut bench = bench(
            "echo $$ > $dir/group\nsay '{\"say\":\"alive\"}'\nsay '{\"say\":\"ready\"}'\n[ $try = 1 ] && kill -STOP $$\nread -r more <&3\n",
        );
        assert_eq!(bench.next().await, None);
        let group = bench.file("group");
        let failure = bench.next().await.unwrap();
        assert_eq!(failure.kind, FailureKind::Crashed, "{failure}");
        assert!(failure.text.contains("hangs"), "{failure}");
        assert!(group_is_gone(&group));
        assert_eq!(bench.next().await, None);
        bench.end().await;
    }

    #[tokio::test]
    async fn a_camera_that_is_away_needs_no_process() {
        let mut bench = bench("echo $$ > $dir/group\nsay '{\"say\":\"ready\"}'\nread -r more <&3\n");
        assert_eq!(bench.next().await, None);
        let address = bench.camera.take().unwrap().local_addr().unwrap();
        let group = bench.file("group").trim().parse().unwrap();
        killpg(Pid::from_raw(group), Signal::SIGKILL).unwrap();
        assert_eq!(bench.next().await.unwrap().kind, FailureKind::Crashed);
        for _ in 0..20 {
            assert_eq!(bench.next().await.unwrap().kind, FailureKind::Refused);
        }
        assert_eq!(bench.file("tries").lines().count(), 1, "no process for a camera that is not there");
        bench.camera = Some(TcpListener::bind(address).unwrap());
        while bench.next().await.is_some() {}
        let counted = bench.handle.counters().read();
        assert_eq!((counted.started["camera"], counted.running["camera"]), (2, 1));
        assert!(counted.failed[&("camera", FailureKind::Refused)] >= 20);
        bench.end().await;
    }

    #[tokio::test]
    async fn a_forbidden_address_is_given_up() {
        let camera = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = camera.local_addr().unwrap().port();
        let (handle, commands) = Handle::channel();
        let (sender, mut events) = mpsc::channel(64);
        let task = start(Clock::System, Settings::new("nothing".into(), handle.counters()), commands, sender);
        let (_feed, media) = media::pair().unwrap();
        let spec = Spec::Camera(CameraSpec::parse(&format!("rtsp://localhost:{port}/x"), 100, false).unwrap().spec);
        handle.send(Command::Start { job: job(), name: "camera con_1".into(), spec, media, permit: None }).unwrap();
        let Some(Event::Down { failure, retry_in, .. }) = events.recv().await else { panic!("it is not told") };
        assert_eq!((failure.kind, retry_in), (FailureKind::Forbidden, None));
        handle.send(Command::Stop { job: job() }).unwrap();
        drop(handle);
        timeout(LONG, task).await.expect("a job that was given up can be stopped").unwrap();
        assert!(events.recv().await.is_none(), "nothing more happens");
    }

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn the_log_has_one_line_for_each_change_and_no_password() {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_max_level(tracing::Level::DEBUG);
        let _guard = tracing::subscriber::set_default(subscriber.with_writer(move || writer.clone()).finish());
        let mut bench = bench(
            "echo \"login with s3cr3t\" >&2\n\
             say '{\"say\":\"warning\",\"text\":\"odd camera\"}'\n\
             [ $try -lt 4 ] && say '{\"say\":\"failed\",\"failure\":{\"kind\":\"refused\",\"text\":\"cam:554\"}}' && exit\n\
             say '{\"say\":\"ready\"}'\nread -r more <&3\n",
        );
        for _ in 0..3 {
            assert_eq!(bench.next().await.unwrap().kind, FailureKind::Refused);
        }
        assert_eq!(bench.next().await, None);
        bench.end().await;
        let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let count = |text: &str| log.lines().filter(|line| line.contains(text)).count();
        assert_eq!(count("WARN"), 2, "{log}");
        assert_eq!(count("camera con_1: odd camera"), 1, "{log}");
        assert_eq!(count("camera con_1: connection refused: cam:554; retrying"), 1, "{log}");
        assert_eq!(count("camera con_1: media flows"), 1, "{log}");
        assert!(count("login with ***") >= 3 && !log.contains("s3cr3t"), "{log}");
    }
}
