"""The text of a file as a model, or everything that is wrong with it, in the words of its user."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from inspect import isclass
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from miyabi.errors import SpecError, SpecProblem
from miyabi.spec_document import Document, Place, nearest, shown
from miyabi.spec_found import Broken, Found
from miyabi.spec_rules import broken_rules, is_workspace
from miyabi.spec_schema import SessionModel, SpecModel, WorkspaceModel
from miyabi.spec_yaml import read_yaml

_FORM = "allowed: a mapping with sessions, or a tmuxp workspace with session_name and windows"
_NOT_HERE = "nothing: it chooses the Python code with which the tmuxp command builds, which is not run here; remove it"
_Model = TypeVar("_Model", bound=BaseModel)

# A rule that looks at more than one value of a file.
Rule = Callable[[Document, Found], Broken]

_REASONS = {"workspace_builder": _NOT_HERE, "workspace_builder_paths": _NOT_HERE}


def read_model(file: str, content: str) -> SpecModel | WorkspaceModel:
    """The text of a spec as a model.

    + file: its path, to be named in problems
    + content: YAML or JSON

    Raises ``SpecError`` with every problem, in the order of the file.
    """
    document = read_yaml(file, content)
    if not document.readable:
        raise SpecError(document.problems)
    if not isinstance(document.value, dict):
        raise SpecError([*document.problems, _no_mapping(document)])
    model: type[SpecModel | WorkspaceModel] = WorkspaceModel if is_workspace(document.value) else SpecModel
    return _valid(document, model, broken_rules(document))


def read_as(file: str, content: str, model: type[_Model], rules: Iterable[Rule] = ()) -> _Model:
    """The text of a file that is no spec as a model; a file that says nothing is one without any key.

    + file: its path, to be named in problems
    + content: YAML or JSON
    + model: a ``miyabi.spec_values.Model``; a field's docstring is what is said of it when it is missing
    + rules: what has to hold between values

    Raises ``SpecError`` with every problem, in the order of the file.
    """
    document = read_yaml(file, content)
    if not document.readable:
        raise SpecError(document.problems)
    if document.value is None:
        document.value = {}
    if not isinstance(document.value, dict):
        form = f"allowed: a mapping with {', '.join(model.model_fields)}"
        raise SpecError([*document.problems, _no_mapping(document, form)])
    root = Found((), document.value)
    return _valid(
        document,
        model,
        (
            document.problem(place, found, f"allowed: {allowed}")
            for rule in rules
            for place, found, allowed in rule(document, root)
        ),
    )


def _valid(document: Document, model: type[_Model], broken: Iterator[SpecProblem]) -> _Model:
    """A document that is a mapping as a model, unless anything is wrong with it."""
    problems = list(document.problems)
    valid = None
    try:
        valid = model.model_validate(document.value)
    except ValidationError as error:
        problems += [_problem(document, model, details) for details in error.errors(include_url=False)]
    problems += broken
    if valid is not None and not problems:
        return valid
    raise SpecError(sorted(problems, key=lambda problem: problem.line or 0))


def _no_mapping(document: Document, form: str = _FORM) -> SpecProblem:
    if document.value is None:
        return SpecProblem(document.file, 1, "", "found an empty file", form)
    found = f"found {shown(document.value, document.texts.get(()))} as the whole file"
    return SpecProblem(document.file, document.line(()), "", found, form)


def _problem(document: Document, root: type[BaseModel], details: ErrorDetails) -> SpecProblem:
    """What pydantic refuses, with its line."""
    kind, place = details["type"], details["loc"]
    key = str(place[-1]) if place else ""
    context: dict[str, Any] = details.get("ctx", {})
    existing = document.existing(place)
    found = f"found {shown(details['input'], document.texts.get(existing))}"
    if kind == "missing":
        existing = (*existing, key)
        found, allowed = f"found no {key}", _description(_model_at(root, place[:-1]), key)
    elif kind == "extra_forbidden":
        found, allowed = f"found the unknown key {shown(key)}", _known_keys(root, _model_at(root, place[:-1]), key)
    elif kind == "spec":
        found = f"found {context['found']}" if context["found"] else found
        allowed = context["allowed"]
    else:
        allowed = _allowed(kind, context, details, _model_at(root, place))
    return document.problem(existing, found, f"allowed: {allowed}")


def _allowed(kind: str, context: dict[str, Any], details: ErrorDetails, model: type[BaseModel]) -> str:
    """What is allowed where one of pydantic's own checks failed."""
    if kind == "literal_error":
        words = str(context["expected"]).replace("'", "").replace(" or ", ", ").split(", ")
        return ", ".join(words) + nearest(details["input"], words)
    if kind == "model_type":
        return f"a mapping with {', '.join(model.model_fields)}"
    return _ALLOWED[kind].format(**context) if kind in _ALLOWED else details["msg"]


_ALLOWED = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
    "too_short": "at least {min_length}",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "{ge:g} or more",
    "less_than_equal": "{le:g} or less",
}


def _known_keys(root: type[BaseModel], model: type[BaseModel], key: str) -> str:
    """What to write instead of an unknown key."""
    if key in _REASONS:
        return _REASONS[key]
    if model is root is SpecModel and key in SessionModel.model_fields:
        return f"{key} in the items of sessions"
    names = list(model.model_fields)
    return nearest(key, names).removeprefix("; ") or ", ".join(names)


def _description(model: type[BaseModel], key: str) -> str:
    """What a missing key is for."""
    description = (model.model_fields[key].description or key).replace("``", "")
    return f"{key}: {description[0].lower()}{description[1:].rstrip('.')}"


def _model_at(root: type[BaseModel], place: Place) -> type[BaseModel]:
    """The model of the mapping at ``place``, or of the nearest one around it."""
    model = root
    for step in place:
        if isinstance(step, str) and step in model.model_fields:
            model = _model_in(model.model_fields[step].annotation) or model
    return model


def _model_in(annotation: object) -> type[BaseModel] | None:
    """The only model inside of an annotation such as ``list[PaneModel] | None``."""
    if isclass(annotation) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for found in map(_model_in, get_args(annotation)) if found is not None), None)
