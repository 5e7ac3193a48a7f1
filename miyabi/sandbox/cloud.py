"""An EC2 of one's own, on loopback: moto answers, corrected by what is true of the instances, and by faults.

Usage: python -m miyabi.sandbox.cloud FOLDER [SANDBOX]

It writes where it listens to FOLDER/cloud.json, is steered by FOLDER/faults.json and FOLDER/instances.json, and writes
each call to FOLDER/calls.jsonl. With SANDBOX, the folder of a sandbox, its cloud hosts are the instances.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlencode

from typing_extensions import override

from miyabi.sandbox import cloud_picture as picture, cloud_rules as rules
from miyabi.sandbox.cloud_agent import Agents
from miyabi.sandbox.cloud_backend import Backend
from miyabi.sandbox.cloud_faults import Answer, Fault, Faults, error
from miyabi.sandbox.cloud_files import CloudFiles, write_object

Environment = dict[str, Any]

_CREDENTIAL = re.compile(r"Credential=[^/]+/\d+/([^/]+)/([^/]+)/")
_LAUNCHED = re.compile(rb"<instanceId>(i-[0-9a-f]+)</instanceId>")
_JSON = "application/x-amz-json-1.1"


class Machines(Protocol):
    """What stands behind the instances."""

    def told(self, instance_id: str) -> Mapping[str, Any]:
        """What is true of it, in the words of ``cloud_picture``; nothing when there is no machine behind it."""

    def done(self, action: str, instance_id: str) -> None:
        """EC2 has accepted an action: carry it out."""

    def launched(self, instance_id: str, name: str, region: str) -> None:
        """A new instance has been launched: its tag ``Name`` says as whom."""

    def run(self, instance_id: str, script: str, seconds: float) -> Mapping[str, Any]:
        """Run a script on it as root; what it ended with: ``code``, ``output``, ``error``, perhaps ``status``."""


class NoMachines:
    """Instances behind which there is nothing."""

    def told(self, instance_id: str) -> Mapping[str, Any]:
        """Nothing."""
        del instance_id
        return {}

    def done(self, action: str, instance_id: str) -> None:
        """Nothing happens."""

    def launched(self, instance_id: str, name: str, region: str) -> None:
        """Nothing happens."""

    def run(self, instance_id: str, script: str, seconds: float) -> Mapping[str, Any]:
        """Whatever it is, it ends well."""
        del instance_id, script, seconds
        return {}


@dataclass(slots=True)
class Call:
    """One call.

    + ids: of the instances it is about
    + asked: its parameters
    """

    service: str
    action: str
    region: str
    ids: list[str]
    asked: dict[str, Any]


@dataclass(slots=True)
class Cloud:
    """The WSGI application.

    + files: how it is steered, and where it says what it was asked
    + machines: what stands behind its instances
    """

    files: CloudFiles
    machines: Machines
    backend: Backend = field(default_factory=Backend)
    _launches: dict[tuple[str, str], Answer] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    faults: Faults = field(init=False)
    agents: Agents = field(init=False)

    def __post_init__(self) -> None:
        self.faults = Faults(self.files.faults)
        self.agents = Agents(self.told, self.backend.ids, self._run)

    def __call__(self, environ: Environment, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        if environ.get("PATH_INFO", "").startswith("/moto-api"):
            if environ["PATH_INFO"].endswith("/reset"):
                self._launches.clear()
                self.agents.forget()
            return self.backend.application(environ, start_response)
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length)
        if len(body) < length:
            # Whoever asked was killed meanwhile: half a question is none, as it is to AWS.
            raise ConnectionAbortedError
        call = read_call(environ, body)
        fault = self.faults.of(call.action, call.region)
        if fault is not None and fault.kind in {"hang", "reset"}:
            self._log(call, 0, fault.kind)
            self._wait(fault)
            with contextlib.suppress(OSError):
                environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionAbortedError
        if fault is not None and fault.kind == "slow":
            self._wait(fault)
            fault = None
        answer = self._answer(environ, call) if fault is None else fault.answer(call.service)
        self._log(call, answer.status, answer.code)
        start_response(f"{answer.status} -", [("Content-Type", answer.content_type)])
        return [answer.body]

    def told(self, instance_id: str) -> Mapping[str, Any]:
        """What is to be said of an instance otherwise than moto does."""
        return {**self.machines.told(instance_id), **self.files.corrections().get(instance_id, {})}

    def _run(self, instance_id: str, script: str, seconds: float) -> Mapping[str, Any]:
        told: Mapping[str, Any] | None = self.told(instance_id).get("command")
        if told is None:
            return self.machines.run(instance_id, script, seconds)
        time.sleep(min(seconds, float(told.get("seconds", 0))))
        return told

    def _wait(self, fault: Fault) -> None:
        until = time.monotonic() + fault.seconds
        while time.monotonic() < until and self.faults.is_in_effect(fault):
            time.sleep(0.02)

    def _answer(self, environ: Environment, call: Call) -> Answer:
        if call.service == "ssm":
            said = self.agents.answer(call.action, call.region, call.asked)
            return said if isinstance(said, Answer) else Answer(200, json.dumps(said).encode(), _JSON)
        if call.service != "ec2":
            return error(call.service, "InvalidAction", f"the sandbox's cloud has no {call.service}", 400)
        gone = [each for each in call.ids if self.told(each).get("gone")]
        if gone:
            message = f"The instance ID '{gone[0]}' does not exist"
            return error("ec2", "InvalidInstanceID.NotFound", message, 400)
        powers = {each: self._power(call.region, each) for each in call.ids}
        refused = rules.refusal(call.action, {each: (powers[each], self.told(each)) for each in call.ids})
        if refused is not None and "DryRun" not in call.asked:
            return refused
        if call.action == "RunInstances":
            return self._launch(environ, call)
        answer = self.backend.forward(environ, _changed(call))
        return answer if answer.status != 200 else self._corrected(call, answer, powers)

    def _power(self, region: str, instance_id: str) -> str:
        return str(self.told(instance_id).get("power") or self.backend.power(region, instance_id))

    def _launch(self, environ: Environment, call: Call) -> Answer:
        """Launch, and the same again for one token: nothing more is launched."""
        key = (call.region, str(call.asked.get("ClientToken", "")))
        with self._lock:
            if key in self._launches:
                return self._launches[key]
            answer = self.backend.forward(environ, _changed(call))
            if answer.status == 200:
                self._launches[key] = answer
        for found in _LAUNCHED.findall(answer.body) if answer.status == 200 else ():
            call.ids.append(instance_id := found.decode())
            self.machines.launched(instance_id, self.backend.tag(call.region, instance_id, "Name"), call.region)
        return answer

    def _corrected(self, call: Call, answer: Answer, powers: Mapping[str, str]) -> Answer:
        body = answer.body
        if call.action == "DescribeInstances":
            body = picture.described(body, self.told)
        elif call.action == "DescribeInstanceStatus":
            everyone = call.asked.get("IncludeAllInstances") == "true"
            body = picture.statuses(body, self.told, everyone=everyone)
        elif call.action == "GetConsoleOutput":
            body = picture.console(body, self.told(call.ids[0]))
        elif call.action in rules.ACTIONS:
            for instance_id in call.ids:
                self._carry_out(call, instance_id, powers[instance_id])
            states = {each: (powers[each], rules.passing(call.action, powers[each])) for each in call.ids}
            body = picture.power_codes(body, states)
        return Answer(answer.status, body, answer.content_type)

    def _carry_out(self, call: Call, instance_id: str, power: str) -> None:
        """Do what was accepted, and what the corrections say that it brings about."""
        after = self.files.corrections().get(instance_id, {}).get("after", {}).get(call.action)
        if after:
            self.files.describe(instance_id, **after)
        if call.action == "StartInstances" and power == "stopped":
            self.backend.note_start(call.region, instance_id)
        self.machines.done(call.action, instance_id)

    def _log(self, call: Call, status: int, code: str) -> None:
        row = {"at": time.time(), "service": call.service, "action": call.action, "region": call.region}
        line = json.dumps(row | {"instances": call.ids, "status": status, "code": code})
        with self._lock, self.files.log.open("a", encoding="utf-8") as log:
            log.write(line + "\n")


def read_call(environ: Mapping[str, Any], body: bytes) -> Call:
    """What a request asks."""
    found = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    region, service = found.groups() if found else ("", "")
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        asked = json.loads(body or b"{}")
        ids = asked.get("InstanceIds") or [asked[key] for key in ("InstanceId",) if key in asked]
        return Call(service, target.rpartition(".")[2], region, list(ids), asked)
    asked = dict(parse_qsl(body.decode(), keep_blank_values=True))
    ids = [value for key, value in asked.items() if re.fullmatch(r"InstanceId(\.\d+)?", key)]
    return Call(service, asked.get("Action", ""), region, ids, asked)


def _changed(call: Call) -> bytes:
    """What moto is asked: of the state of each, as those that do not run may be told of by their corrections."""
    asked = call.asked
    if call.action == "DescribeInstanceStatus":
        asked = asked | {"IncludeAllInstances": "true"}
    return urlencode(asked).encode()


def main(arguments: list[str]) -> None:
    """Serve until SIGTERM."""
    from werkzeug.serving import WSGIRequestHandler, make_server  # noqa: PLC0415 - others import this module's names

    class Quiet(WSGIRequestHandler):
        @override
        def log(self, type: str, message: str, *args: Any) -> None:
            pass

    folder = Path(arguments[0])
    machines: Machines = NoMachines()
    if len(arguments) > 1:
        from miyabi.sandbox.machines import machines_of  # noqa: PLC0415 - only a sandbox has any

        machines = machines_of(Path(arguments[1]))
    cloud = Cloud(CloudFiles(folder), machines)
    server = make_server("127.0.0.1", 0, cloud, threaded=True, request_handler=Quiet)
    # What a background run ignores (nohup, CI) would be ignored by all that lives on the hosts.
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    write_object(cloud.files.address, {"url": f"http://127.0.0.1:{server.port}", "pid": os.getpid()})
    try:
        server.serve_forever()
    finally:
        cloud.files.address.unlink(missing_ok=True)


if __name__ == "__main__":
    main(sys.argv[1:])
