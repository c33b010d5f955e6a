import io.openvidu.java.client.Connection;
import io.openvidu.java.client.ConnectionProperties;
import io.openvidu.java.client.ConnectionType;
import io.openvidu.java.client.KurentoOptions;
import io.openvidu.java.client.MediaMode;
import io.openvidu.java.client.OpenVidu;
import io.openvidu.java.client.OpenViduHttpException;
import io.openvidu.java.client.OpenViduRole;
import io.openvidu.java.client.Publisher;
import io.openvidu.java.client.Recording;
import io.openvidu.java.client.RecordingLayout;
import io.openvidu.java.client.RecordingMode;
import io.openvidu.java.client.RecordingProperties;
import io.openvidu.java.client.Session;
import io.openvidu.java.client.SessionProperties;
import io.openvidu.java.client.TokenOptions;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Scanner;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;

/**
 * Every public call of the Java client since 2.16, against a real daemon: {@code java Exchange.java URL SECRET CAMERA}.
 *
 * <p>Clients with media are the business of whoever started it: a line {@code publish TOKEN} asks for one, and the answer on the
 * standard input is the id of its stream. Ends with a line {@code done}, or with an exception that says what was not so.
 */
public class Exchange {
    private static final long ENDING_MS = 60_000;
    private final OpenVidu openvidu;
    private final String url;
    private final String camera;
    private final Scanner answers = new Scanner(System.in);

    private Exchange(String url, String secret, String camera) {
        this.openvidu = new OpenVidu(url, secret);
        this.url = url;
        this.camera = camera;
    }

    public static void main(String[] args) throws Exception {
        Exchange exchange = new Exchange(args[0], args[1], args[2]);
        exchange.strangersAreRefused();
        exchange.sessions();
        exchange.connections();
        exchange.clients();
        exchange.recordings();
        System.out.println("done");
    }

    private void strangersAreRefused() throws Exception {
        refused(401, () -> new OpenVidu(url, "WRONG").createSession());
        refused(401, () -> new OpenVidu(url, "WRONG").fetch());
    }

    private void sessions() throws Exception {
        Session random = openvidu.createSession();
        is(true, random.getSessionId().startsWith("ses_"));
        is(true, Math.abs(System.currentTimeMillis() - random.createdAt()) < 3_600_000);
        Session custom = openvidu.createSession(named("custom"));
        is("custom", custom.getSessionId());
        is(MediaMode.ROUTED, custom.getProperties().mediaMode());
        is(RecordingMode.MANUAL, custom.getProperties().recordingMode());
        is("custom", openvidu.createSession(named("custom")).getSessionId()); // 409 is success to it
        openvidu.fetch();
        is(false, openvidu.fetch()); // the same twice: nothing has changed
        is(false, custom.fetch());
        List<String> ids = openvidu.getActiveSessions().stream().map(Session::getSessionId).collect(Collectors.toList());
        is(true, ids.containsAll(Arrays.asList("custom", random.getSessionId())));
        is(false, random.isBeingRecorded());
        random.close();
        refused(404, random::fetch);
        refused(404, random::createConnection);
        refused(404, () -> { random.close(); return null; });
        refused(400, () -> openvidu.createSession(named("two words")));
        custom.close();
        openvidu.fetch();
        is(true, openvidu.getActiveSessions().isEmpty());
    }

    private void connections() throws Exception {
        Session session = openvidu.createSession(named("connections"));
        Connection plain = session.createConnection();
        is("pending", plain.getStatus());
        is(OpenViduRole.PUBLISHER, plain.getRole());
        is(true, plain.getToken().startsWith("wss://"));
        is(null, plain.activeAt());
        KurentoOptions options = new KurentoOptions.Builder().videoMaxRecvBandwidth(900).allowedFilters(new String[] {"ZBarFilter"}).build();
        Connection moderator = session.createConnection(new ConnectionProperties.Builder().type(ConnectionType.WEBRTC)
                .role(OpenViduRole.MODERATOR).data("of the server").record(false).kurentoOptions(options).build());
        is("of the server", moderator.getServerData());
        is(OpenViduRole.MODERATOR, moderator.getRole());
        is(false, moderator.record());

        Connection changed = session.updateConnection(moderator.getConnectionId(),
                new ConnectionProperties.Builder().role(OpenViduRole.SUBSCRIBER).record(true).build());
        is(OpenViduRole.SUBSCRIBER, changed.getRole());
        is(true, changed.record());
        is("of the server", changed.getServerData());
        is(false, session.fetch());
        refused(404, () -> session.updateConnection("con_NOBODY", new ConnectionProperties.Builder().role(OpenViduRole.MODERATOR).build()));

        Connection gate = session.createConnection(camera(camera));
        is("active", gate.getStatus());
        is(ConnectionType.IPCAM, gate.getType());
        is("IPCAM", gate.getPlatform());
        is(camera, gate.getRtspUri());
        is(false, gate.adaptativeBitrate());
        is(true, gate.onlyPlayWithSubscribers());
        is(150, gate.getNetworkCache());
        is(null, gate.getToken());
        Publisher publisher = gate.getPublishers().get(0);
        is("IPCAM", publisher.getTypeOfVideo());
        is(true, publisher.hasVideo());
        refused(400, () -> session.createConnection(camera("nonsense")));
        refused(405, () -> { session.forceUnpublish(publisher); return null; });

        is(true, session.generateToken().contains("token=tok_"));
        String token = session.generateToken(new TokenOptions.Builder().role(OpenViduRole.SUBSCRIBER).data("by token").kurentoOptions(options).build());
        session.fetch();
        List<Connection> byToken = session.getConnections().stream().filter(c -> token.equals(c.getToken())).collect(Collectors.toList());
        is("by token", byToken.get(0).getServerData());
        is(5, session.getConnections().size());
        is(1, session.getActiveConnections().size());

        session.forceDisconnect(plain);
        session.forceDisconnect(gate.getConnectionId());
        // with its only participant the session is gone (rest.md §4.6)
        refused(404, session::fetch);
        refused(400, () -> { session.forceDisconnect("con_NOBODY"); return null; });
    }

    private void clients() throws Exception {
        Session session = openvidu.createSession(named("clients"));
        session.createConnection(camera(camera)); // so that the session outlives its clients
        Connection connection = session.createConnection();
        String stream = publish(connection);
        is(true, session.fetch());
        Connection active = session.getConnection(connection.getConnectionId());
        is("active", active.getStatus());
        is("the test", active.getClientData());
        is(true, active.activeAt() >= active.createdAt());
        Publisher publisher = active.getPublishers().get(0);
        is(stream, publisher.getStreamId());
        is(true, publisher.hasAudio() && publisher.isAudioActive() && publisher.hasVideo() && publisher.isVideoActive());
        is("CAMERA", publisher.getTypeOfVideo());

        session.forceUnpublish(publisher);
        refused(404, () -> { session.forceUnpublish(stream); return null; });
        is(false, session.fetch()); // the client took it out by itself
        is(0, session.getConnection(connection.getConnectionId()).getPublishers().size());
        session.forceDisconnect(connection.getConnectionId());
        refused(404, () -> { session.forceDisconnect(connection.getConnectionId()); return null; });
        is(false, session.fetch());
        is(1, session.getActiveConnections().size());
        session.close();
    }

    private void recordings() throws Exception {
        refused(404, () -> openvidu.startRecording("nobody"));
        refused(404, () -> openvidu.getRecording("nobody"));
        refused(404, () -> openvidu.stopRecording("nobody"));
        refused(404, () -> { openvidu.deleteRecording("nobody"); return null; });
        Session session = openvidu.createSession(named("films"));
        refused(406, () -> openvidu.startRecording("films"));
        session.createConnection(camera(camera));
        refused(400, () -> openvidu.startRecording("films", "two words"));
        refused(422, () -> openvidu.startRecording("films", film("film", "5000x5000")));
        Recording started = openvidu.startRecording("films", film("film", "320x240"));
        is(Recording.Status.started, started.getStatus());
        is("films", started.getId());
        is("film", started.getName());
        is("films", started.getSessionId());
        is("320x240", started.getResolution());
        is(RecordingLayout.BEST_FIT, started.getRecordingLayout());
        is(Recording.OutputMode.COMPOSED, started.getOutputMode());
        is(true, started.hasAudio() && started.hasVideo());
        refused(409, () -> openvidu.startRecording("films"));
        refused(409, () -> { openvidu.deleteRecording("films"); return null; });
        session.fetch();
        is(true, session.isBeingRecorded());
        Recording stopped = openvidu.stopRecording("films");
        is(true, Arrays.asList(Recording.Status.stopped, Recording.Status.ready).contains(stopped.getStatus()));
        Recording ready = ended("films");
        is(Recording.Status.ready, ready.getStatus());
        is(true, ready.getSize() > 0 && ready.getDuration() > 0 && ready.getUrl().endsWith("/openvidu/recordings/films/film.mp4"));
        refused(404, () -> openvidu.stopRecording("films"));
        is("films", openvidu.listRecordings().stream().map(Recording::getId).collect(Collectors.joining(" ")));
        openvidu.deleteRecording("films");
        is(true, openvidu.listRecordings().isEmpty());
        session.close();
    }

    /** Waits until a recording has ended. */
    private Recording ended(String id) throws Exception {
        for (long begin = System.currentTimeMillis(); System.currentTimeMillis() - begin < ENDING_MS; Thread.sleep(50)) {
            Recording recording = openvidu.getRecording(id);
            if (recording.getStatus() == Recording.Status.ready || recording.getStatus() == Recording.Status.failed) {
                return recording;
            }
        }
        throw new AssertionError("recording " + id + " has not ended within " + ENDING_MS + " ms");
    }

    /** Has a client of this connection join and publish; gives its stream. */
    private String publish(Connection connection) {
        System.out.println("publish " + connection.getToken());
        return answers.nextLine();
    }

    private static SessionProperties named(String id) {
        return new SessionProperties.Builder().customSessionId(id).mediaMode(MediaMode.ROUTED).recordingMode(RecordingMode.MANUAL).build();
    }

    private static ConnectionProperties camera(String uri) {
        return new ConnectionProperties.Builder().type(ConnectionType.IPCAM).rtspUri(uri).data("gate").adaptativeBitrate(false)
                .onlyPlayWithSubscribers(true).networkCache(150).build();
    }

    private static RecordingProperties film(String name, String resolution) {
        return new RecordingProperties.Builder().name(name).outputMode(Recording.OutputMode.COMPOSED)
                .recordingLayout(RecordingLayout.BEST_FIT).resolution(resolution).hasAudio(true).hasVideo(true).build();
    }

    /** The call must fail with this status. */
    static void refused(int status, Callable<?> call) throws Exception {
        try {
            call.call();
        } catch (OpenViduHttpException refusal) {
            is(status, refusal.getStatus());
            return;
        }
        throw new AssertionError("this should have been refused with " + status);
    }

    static void is(Object expected, Object found) {
        if (!Objects.equals(expected, found)) {
            throw new AssertionError("expected " + expected + ", found " + found);
        }
    }
}
