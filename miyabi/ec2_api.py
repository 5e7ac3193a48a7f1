"""The only way to AWS: what EC2 and Systems Manager are asked and told. boto3 is imported with the first question.

Every trouble is an ``Ec2Error`` in one line. ``reboot``, ``start``, ``stop``, ``launch`` and ``run_command`` act; all
else only asks.
"""

from __future__ import annotations

import queue
import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from time import monotonic, sleep
from typing import Any, TypeVar

from miyabi import ec2_answers
from miyabi.ec2_account import Account, Patience, account
from miyabi.ec2_command import CommandOutcome, run_on_instance
from miyabi.ec2_questions import Tags, batches, filters, has_tags, template_of
from miyabi.ec2_settings import Ec2Settings
from miyabi.ec2_troubles import code_of, message_of, one_line, trouble
from miyabi.errors import Ec2Error, ParseError
from miyabi.instance import Instance

T = TypeVar("T")

# What EC2 takes in one call.
_IDS_A_CALL = 100
_PAGE = 1000
# Questions at the same time, as many as boto3 keeps connections.
_AT_ONCE = 8
# Seconds after which a region is no longer waited for: a run must not stand still for one that is down.
_LOOK = 20.0
# Seconds for which nobody wonders why nothing happens.
_SILENCE = 4.0

_NOT_KNOWN = frozenset({"InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed"})
_ID = re.compile(r"i-[0-9a-f]+")
# Kinds of trouble after which a detail stays unknown, as asking again would not change it.
_LASTING = frozenset({"denied", "refused", "request"})


class Region:
    """One region of EC2, as one profile sees it. It costs nothing until it is asked.

    + name: such as ``ap-northeast-1``
    + profile: of the AWS configuration; "" is the default
    + patience: how long each question may take
    """

    def __init__(self, name: str, profile: str = "", *, patience: Patience | None = None) -> None:
        self.name = name
        self.profile = profile
        self.patience = patience or Patience()

    def instances(self, tags: Tags = ()) -> tuple[Instance, ...]:
        """The instances that have each of these tags with one of its values, terminated ones too.

        + tags: keys, and the values that each may have; no value is any

        Two calls for up to 100 instances. Raises ``Ec2Error``.
        """
        size = {"PageSize": _PAGE}
        pages = self._ec2(_pages("describe_instances", Filters=filters(tags), PaginationConfig=size))
        found = self._read(lambda: [each for page in pages for each in ec2_answers.instances_of(self.name, page)])
        return self._with_statuses([each for each in found if has_tags(each, tags)])

    def instance(self, instance_id: str) -> Instance | None:
        """One instance as it is now; None when EC2 knows none of this id. Raises ``Ec2Error``.

        A launched one may be unknown for some seconds, and a terminated one is known for about an hour.
        """

        def question(ec2: Any) -> Any:
            try:
                return ec2.describe_instances(InstanceIds=[instance_id])
            except ec2.exceptions.ClientError as error:
                if code_of(error) in _NOT_KNOWN:
                    return {"Reservations": []}
                raise

        answer = self._ec2(question)
        found = self._read(lambda: ec2_answers.instances_of(self.name, answer))
        return next(iter(self._with_statuses(found)), None)

    def detailed(self, instance: Instance) -> Instance:
        """The instance with what only further questions tell; see ``all_detailed``."""
        return self.all_detailed([instance])[0]

    def all_detailed(self, instances: Sequence[Instance]) -> tuple[Instance, ...]:
        """The instances with instance stores, protections and agents; what is denied stays None.

        Two calls for all of them, and two for each. Raises ``Ec2Error``.
        """
        living = [each for each in instances if each.power != "terminated"]
        stores = self._stores({each.instance_type for each in living if each.instance_type})
        agents = self._agents([each.instance_id for each in living])
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            protected = dict(zip((each.instance_id for each in living), pool.map(self._protected, living), strict=True))

        def detail(each: Instance) -> Instance:
            if each.instance_id not in protected:
                return each
            stops, ends = protected[each.instance_id]
            return replace(
                each,
                has_instance_store=each.root_device == "instance-store" or stores.get(each.instance_type),
                stop_protected=stops,
                termination_protected=ends,
                agent=None if agents is None else agents.get(each.instance_id, ""),
            )

        return tuple(detail(each) for each in instances)

    def console_output(self, instance_id: str, *, latest: bool = True) -> str:
        """What the instance has printed into its console, the last 64 KB; "" is nothing yet. Raises ``Ec2Error``.

        + latest: as it is now where EC2 can tell, else as it was soon after the last boot
        """

        def question(ec2: Any) -> Any:
            try:
                return ec2.get_console_output(InstanceId=instance_id, Latest=latest)
            except ec2.exceptions.ClientError as error:
                if latest and code_of(error) == "UnsupportedOperation":
                    return ec2.get_console_output(InstanceId=instance_id)
                raise

        return str(self._ec2(question).get("Output") or "")

    def reboot(self, instance_id: str) -> None:
        """Ask EC2 to reboot it; one that does not react for some minutes is reset. Raises ``Ec2Error``.

        Unlike all else it is not asked again when its answer got lost: a second one would end what has just booted.
        """
        once, question = replace(self.patience, attempts=1), _question("reboot_instances", InstanceIds=[instance_id])
        for times in range(1, self.patience.attempts + 1):
            try:
                self._account().ask("ec2", self.name, once, question)
            except Ec2Error as error:
                # Who is throttled was not listened to.
                if error.kind != "throttled" or times == self.patience.attempts:
                    raise
                sleep(times)
            else:
                return

    def start(self, instance_id: str) -> None:
        """Ask EC2 to start it; one that runs stays as it is. Raises ``Ec2Error``."""
        self._ec2(_question("start_instances", InstanceIds=[instance_id]))

    def stop(self, instance_id: str, *, force: bool = False) -> None:
        """Ask EC2 to stop it; one that is stopped stays as it is. Raises ``Ec2Error``.

        + force: without its system being given the time to write what it holds
        """
        self._ec2(_question("stop_instances", InstanceIds=[instance_id], Force=force))

    def launch(self, template: str, token: str, tags: Mapping[str, str]) -> str:
        """Launch an instance, and return its id. Raises ``Ec2Error``.

        + template: the launch template's name or id, and after a colon its version
        + token: at most 64 letters; whoever asks again with the same one gets the same instance
        + tags: for it, beside those of the template; AWS's own (``aws:...``) are left out, as nobody else may set them
        """
        pairs = [{"Key": key, "Value": value} for key, value in tags.items() if not key.lower().startswith("aws:")]
        given = {"TagSpecifications": [{"ResourceType": "instance", "Tags": pairs}]} if pairs else {}
        wanted = template_of(template)
        answer = self._ec2(
            lambda ec2: ec2.run_instances(LaunchTemplate=wanted, MinCount=1, MaxCount=1, ClientToken=token, **given)
        )
        return self._read(lambda: ec2_answers.instances_of(self.name, {"Reservations": [answer]})[0].instance_id)

    def run_command(self, instance_id: str, script: str, seconds: float) -> CommandOutcome:
        """Have the agent of Systems Manager run a script as root; see ``miyabi.ec2_command.run_on_instance``."""
        return run_on_instance(self._ssm, instance_id, script, seconds)

    def _with_statuses(self, found: Sequence[Instance]) -> tuple[Instance, ...]:
        living = [each.instance_id for each in found if each.power != "terminated"]
        answers = [self._statuses(ids) for ids in batches(living, _IDS_A_CALL)]
        return self._read(lambda: ec2_answers.with_statuses(found, answers))

    def _statuses(self, ids: Sequence[str]) -> Any:
        """DescribeInstanceStatus of these: one id that is gone since would fail it for all, so it is left out."""

        def question(ec2: Any) -> Any:
            left = list(ids)
            while left:
                try:
                    return ec2.describe_instance_status(InstanceIds=left, IncludeAllInstances=True)
                except ec2.exceptions.ClientError as error:
                    gone = set(_ID.findall(message_of(error))) if code_of(error) in _NOT_KNOWN else set()
                    if not gone.intersection(left):
                        raise
                    left = [each for each in left if each not in gone]
            return {}

        return self._ec2(question)

    def _stores(self, types: Iterable[str]) -> dict[str, bool]:
        """Whether instances of each type have instance stores."""
        told: dict[str, bool] = {}
        for some in batches(sorted(types), _IDS_A_CALL):
            answer = self._unless_lasting(_question("describe_instance_types", InstanceTypes=some))
            told |= self._read(partial(ec2_answers.instance_store_types, answer or {}))
        return told

    def _agents(self, ids: Sequence[str]) -> dict[str, str] | None:
        """What is said of each agent; None when Systems Manager said nothing: few need it, and not all may ask."""
        told: dict[str, str] = {}
        for some in batches(ids, _IDS_A_CALL):
            wanted = [{"Key": "InstanceIds", "Values": some}]
            try:
                for page in self._ssm(_pages("describe_instance_information", Filters=wanted)):
                    told |= ec2_answers.agents(page)
            except (Ec2Error, ParseError) as error:
                if isinstance(error, Ec2Error) and error.kind == "credentials":
                    raise
                return None
        return told

    def _protected(self, instance: Instance) -> tuple[bool | None, bool | None]:
        """Whether EC2 refuses to stop it, and to terminate it."""
        return self._attribute(instance, "DisableApiStop"), self._attribute(instance, "DisableApiTermination")

    def _attribute(self, instance: Instance, name: str) -> bool | None:
        asked = {"InstanceId": instance.instance_id, "Attribute": name[0].lower() + name[1:]}
        answer = self._unless_lasting(_question("describe_instance_attribute", **asked))
        return None if answer is None else self._read(lambda: ec2_answers.protection(answer, name))

    def _unless_lasting(self, question: Callable[[Any], Any]) -> Any:
        """EC2's answer; None when it is refused, now and as often as it is asked."""
        try:
            return self._ec2(question)
        except Ec2Error as error:
            if error.kind in _LASTING:
                return None
            raise

    def _account(self) -> Account:
        return account(self.profile)

    def _ec2(self, question: Callable[[Any], T]) -> T:
        return self._account().ask("ec2", self.name, self.patience, question)

    def _ssm(self, question: Callable[[Any], T]) -> T:
        return self._account().ask("ssm", self.name, self.patience, question)

    def _read(self, reader: Callable[[], T]) -> T:
        try:
            return reader()
        except (ParseError, IndexError) as error:
            raise Ec2Error("fault", f"EC2 {self.name}: its answer is not understood: {one_line(str(error))}") from error


@dataclass(frozen=True, slots=True)
class Look:
    """What all regions said: each is in one of the two.

    + instances: by region
    + troubles: why a region could not be asked
    """

    instances: Mapping[str, tuple[Instance, ...]] = field(default_factory=dict)
    troubles: Mapping[str, Ec2Error] = field(default_factory=dict)


def look(
    settings: Ec2Settings,
    ask: Callable[[Region], tuple[Instance, ...]] | None = None,
    seconds: float = _LOOK,
    say: Callable[[str], None] = lambda _: None,
) -> Look:
    """Ask all regions at the same time; one that fails stops no other.

    + ask: asks one; None asks for the instances of the fleet
    + seconds: after which a region that has not answered is a trouble
    + say: is told, in a line, what is waited for when that takes long
    """
    question = ask or (lambda region: region.instances(settings.tags))
    told: queue.SimpleQueue[tuple[str, tuple[Instance, ...] | Ec2Error]] = queue.SimpleQueue()

    def work(name: str) -> None:
        try:
            told.put((name, question(Region(name, settings.profile))))
        except Ec2Error as error:
            told.put((name, error))
        except Exception as error:  # noqa: BLE001 - whatever it is, no other region may wait for this one
            told.put((name, trouble("EC2", name, error)))

    began = monotonic()
    for name in settings.regions:
        threading.Thread(target=work, args=(name,), daemon=True).start()
    answers: dict[str, tuple[Instance, ...] | Ec2Error] = {
        name: Ec2Error("unreachable", f"EC2 {name}: no answer within {seconds:g} s: is there a network? try later")
        for name in settings.regions
    }
    waits_for, pauses = set(settings.regions), [min(_SILENCE, seconds), seconds]
    while waits_for and pauses:
        try:
            name, answer = told.get(timeout=max(0.0, began + pauses[0] - monotonic()))
        except queue.Empty:
            if pauses.pop(0) < seconds:
                say(f"EC2 {', '.join(sorted(waits_for))}: no answer yet; waiting for it, up to {seconds:g} s in all")
            continue
        answers[name] = answer
        waits_for.discard(name)
    return Look(
        {name: answer for name, answer in answers.items() if not isinstance(answer, Ec2Error)},
        {name: answer for name, answer in answers.items() if isinstance(answer, Ec2Error)},
    )


def _question(action: str, **arguments: Any) -> Callable[[Any], Any]:
    return lambda client: getattr(client, action)(**arguments)


def _pages(action: str, **arguments: Any) -> Callable[[Any], list[Any]]:
    return lambda client: list(client.get_paginator(action).paginate(**arguments))
