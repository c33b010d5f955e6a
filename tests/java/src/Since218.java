import io.openvidu.java.client.Connection;
import io.openvidu.java.client.ConnectionProperties;
import io.openvidu.java.client.ConnectionType;
import io.openvidu.java.client.OpenVidu;
import io.openvidu.java.client.Recording;
import io.openvidu.java.client.RecordingLayout;
import io.openvidu.java.client.RecordingProperties;
import io.openvidu.java.client.Session;
import io.openvidu.java.client.SessionProperties;
import io.openvidu.java.client.VideoCodec;
import java.util.Objects;

/** What the Java client can do since 2.18 (codecs, default recording properties, frame rates) and 2.20 (addresses of clients). */
public class Since218 {
    public static void main(String[] args) throws Exception {
        OpenVidu openvidu = new OpenVidu(args[0], args[1]);
        String camera = args[2];
        RecordingProperties usual = new RecordingProperties.Builder().name("usual").outputMode(Recording.OutputMode.COMPOSED)
                .recordingLayout(RecordingLayout.BEST_FIT).resolution("320x240").frameRate(10).hasAudio(false).build();
        Session session = openvidu.createSession(new SessionProperties.Builder().customSessionId("defaults")
                .forcedVideoCodec(VideoCodec.NONE).allowTranscoding(true).defaultRecordingProperties(usual).build());
        is(VideoCodec.NONE, session.getProperties().forcedVideoCodec());
        is(true, session.getProperties().isTranscodingAllowed());
        session.fetch();
        is("usual", session.getProperties().defaultRecordingProperties().name());
        is(10, session.getProperties().defaultRecordingProperties().frameRate());
        is(false, session.getProperties().defaultRecordingProperties().hasAudio());

        Connection gate = session.createConnection(
                new ConnectionProperties.Builder().type(ConnectionType.IPCAM).rtspUri(camera).onlyPlayWithSubscribers(true).build());
        is("127.0.0.1", gate.getIp());
        Recording recording = openvidu.startRecording("defaults", usual); // it always says all of them
        is("usual", recording.getName());
        is("320x240", recording.getResolution());
        is(10, recording.getFrameRate());
        is(false, recording.hasAudio());
        openvidu.stopRecording(recording.getId());
        session.close();

        Session individual = openvidu.createSession(new SessionProperties.Builder().customSessionId("individual")
                .defaultRecordingProperties(
                        new RecordingProperties.Builder().outputMode(Recording.OutputMode.INDIVIDUAL).ignoreFailedStreams(true).build())
                .build());
        individual.fetch();
        is(Recording.OutputMode.INDIVIDUAL, individual.getProperties().defaultRecordingProperties().outputMode());
        is(true, individual.getProperties().defaultRecordingProperties().ignoreFailedStreams());
        individual.close();
        System.out.println("done");
    }

    private static void is(Object expected, Object found) {
        if (!Objects.equals(expected, found)) {
            throw new AssertionError("expected " + expected + ", found " + found);
        }
    }
}
