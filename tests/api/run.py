"""Starts the daemon, plants a few things, and lets schemathesis ask whatever the API document allows, and what it does not.

Ends with the line `N passed, N failed`; the daemon's log is in target/api-tests. See README.md.
"""

import base64
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
TARGET = os.environ.get("CARGO_TARGET_DIR") or os.path.join(HERE, "../../target")
BINARY = os.environ.get("VIDUCT") or os.path.join(TARGET, "release/viduct")
TOOLS = os.path.join(TARGET, "api-tools/bin")
RESULTS = os.path.join(TARGET, "api-tests")
SECRET = "api-tests"
# s: what the whole run may take; far more than it does on a machine of its own
LIMIT = 600
# s: one answer, on a busy machine; the slowest operations have deadlines of their own below it
ANSWER = 30
UNASKED = ["restart", "openSignaling", "followEvents"]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Box:
    """The daemon under test."""

    def __init__(self, state):
        self.port = free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.trust = ssl._create_unverified_context()
        environment = os.environ | {
            "OPENVIDU_SECRET": SECRET,
            "DOMAIN_OR_PUBLIC_IP": "127.0.0.1",
            "HTTPS_PORT": str(self.port),
            "VIDUCT_MEDIA_PORT": "0",
            "VIDUCT_STATE_PATH": state,
            "OPENVIDU_RECORDING": "true",
            "OPENVIDU_RECORDING_PATH": os.path.join(state, "recordings"),
            "OPENVIDU_CDR": "true",
            "OPENVIDU_CDR_PATH": os.path.join(state, "cdr"),
            "VIDUCT_LOOPBACK_CANDIDATES": "true",
            "VIDUCT_CAMERA_ALLOW_LOOPBACK": "true",
        }
        self.log = open(os.path.join(RESULTS, "daemon.log"), "w")
        self.process = subprocess.Popen([BINARY], env=environment, stdout=self.log, stderr=self.log)

    def ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        credentials = base64.b64encode(f"OPENVIDUAPP:{SECRET}".encode()).decode()
        headers = {"Authorization": f"Basic {credentials}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/openvidu/api/{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=ANSWER, context=self.trust) as answer:
            text = answer.read()
            return json.loads(text) if text else None

    def is_well(self, seconds):
        """Does it say that it is, within so many seconds?"""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                return self.ask("GET", "health") == {"status": "UP"}
            except OSError:
                time.sleep(0.1)
        return False

    def plant(self):
        """What the requests may be about; gives the identifiers by the names of the document's variables."""
        doomed = [f"Doomed_{n}" for n in range(20)]
        for session in ["Room_1", *doomed]:
            self.ask("POST", "sessions", {"customSessionId": session})
        camera = {"type": "IPCAM", "rtspUri": "rtsp://127.0.0.1:9/live"}
        camera = self.ask("POST", "sessions/Room_1/connection", camera)
        browsers = [self.ask("POST", "sessions/Room_1/connection", {}) for _ in range(5)]
        self.ask("POST", "recordings/start", {"session": "Room_1"})
        recording = self.ask("POST", "recordings/stop/Room_1")
        keys = [self.ask("POST", "keys", {"name": f"Key_{n}", "scope": "recordings"})["name"] for n in range(10)]
        return {
            "session": ["Room_1"],
            "doomed": doomed,
            "connection": [camera["id"], *(browser["id"] for browser in browsers)],
            "stream": [camera["publishers"][0]["streamId"]],
            "recording": [recording["id"]],
            "node": [node["id"] for node in self.ask("GET", "media-nodes")["content"]],
            "file": [f"{recording['name']}.mp4"],
            "key": keys,
        }

    def stop(self):
        """Gives what it ended with."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return "no end within 30 s"
        finally:
            self.log.close()


def fuzz(box, world):
    """Did every answer keep what the document promises?"""
    command = [
        os.path.join(TOOLS, "st"),
        *("--config-file", os.path.join(HERE, "schemathesis.toml")),
        *("run", f"{box.url}/openvidu/api/openapi.json"),
        *("--url", box.url),
        *("--auth", f"OPENVIDUAPP:{SECRET}"),
        *("--tls-verify", "false"),
        *("--request-timeout", str(ANSWER)),
        *("--phases", "examples,coverage,fuzzing"),
        *("--max-examples", os.environ.get("API_CASES", "10")),
        *("--seed", os.environ.get("API_SEED", "1")),
        *("--generation-database", "none"),
        *("--generation-with-security-parameters", "false"),
        *("--suppress-health-check", "all"),
        *("--warnings", "off"),
        "--continue-on-failure",
        "--no-color",
    ]
    for operation in UNASKED:
        command += ["--exclude-operation-id", operation]
    environment = os.environ | {"SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": HERE, "PYTHONDONTWRITEBYTECODE": "1"}
    environment["VIDUCT_WORLD"] = json.dumps(world)
    begun = time.monotonic()
    try:
        run = subprocess.run(command, env=environment, cwd=RESULTS, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return f"schemathesis did not end within {LIMIT} s"
    print(f"schemathesis: {time.monotonic() - begun:.0f} s")
    return None if run.returncode == 0 else f"schemathesis ended with {run.returncode}"


def valid(box):
    """Is the document what the OpenAPI specification says a document is?"""
    with urllib.request.urlopen(f"{box.url}/openvidu/api/openapi.json", context=box.trust, timeout=ANSWER) as answer:
        path = os.path.join(RESULTS, "openapi.json")
        with open(path, "wb") as file:
            file.write(answer.read())
    run = subprocess.run([os.path.join(TOOLS, "openapi-spec-validator"), path], timeout=LIMIT)
    return None if run.returncode == 0 else "the document is no valid OpenAPI document"


def main():
    shutil.rmtree(RESULTS, ignore_errors=True)
    os.makedirs(RESULTS)
    state = tempfile.mkdtemp(prefix="viduct-api-")
    box = Box(state)
    found = {}
    try:
        found["the box is ready"] = None if box.is_well(60) else "it is not; see target/api-tests/daemon.log"
        if found["the box is ready"] is None:
            found["the document is valid"] = valid(box)
            found["every answer is as the document says"] = fuzz(box, box.plant())
            found["the box is well afterwards"] = None if box.is_well(30) and box.process.poll() is None else "it is not"
        ended = box.stop()
        found["it stops in order"] = None if ended == 0 else f"it ended with {ended}"
    finally:
        if box.process.poll() is None:
            box.process.kill()
        shutil.rmtree(state, ignore_errors=True)
    for claim, trouble in found.items():
        print(f"{'FAILED' if trouble else 'ok'}  {claim}{': ' + trouble if trouble else ''}")
    failed = sum(trouble is not None for trouble in found.values())
    print(f"{len(found) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
