"""What schemathesis has to know of the box under test: what is there, and where its requests must not lead."""

import json
import os

import schemathesis

# Written by run.py: the identifiers of what it planted.
WORLD = json.loads(os.environ["VIDUCT_WORLD"])
# Nobody listens there.
NOWHERE = "127.0.0.1:9"
turn = 0


# SDP is text that goes as it is.
schemathesis.serializer.alias("application/sdp", "text/plain")


@schemathesis.hook
def before_call(context, case, **kwargs):
    """Half of the requests are about things that exist; none leaves the machine; the box keeps its node."""
    global turn
    turn += 1
    operation = case.operation.definition.raw.get("operationId")
    for name in case.path_parameters or {}:
        if name == "node" and operation in ("updateMediaNode", "removeMediaNode"):
            continue
        known = WORLD.get(name)
        if operation == "closeSession":
            known = WORLD["doomed"]
        if known and turn % 2:
            case.path_parameters[name] = known[turn // 2 % len(known)]
    if isinstance(case.body, dict):
        tame(case.body)


def tame(body):
    for name in ("rtspUri", "uri"):
        value = body.get(name)
        if isinstance(value, str) and ":" in value:
            body[name] = f"rtsp://{NOWHERE}/live" if name == "rtspUri" else f"ws://{NOWHERE}/kurento"
    if isinstance(body.get("session"), str) and turn % 2:
        body["session"] = WORLD["session"][0]
