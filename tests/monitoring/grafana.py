"""Grafana's classic dashboard model, as far as our dashboard uses it, as a JSON Schema.

After https://grafana.com/docs/grafana/latest/visualizations/dashboards/build-dashboards/view-dashboard-json-model/.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
FLAG: Schema = {"type": "boolean"}
ANY: Schema = {}


def _object(required: str, **properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": required.split(),
        "additionalProperties": False,
    }


def _list(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": items, **more}


def _one_of(*values: object) -> Schema:
    return {"enum": list(values)}


SOURCE = _object("type uid", type=TEXT, uid=TEXT)
PLACE = _object(
    "h w x y",
    h={"type": "integer", "minimum": 1},
    w={"type": "integer", "minimum": 1, "maximum": 24},
    x={"type": "integer", "minimum": 0, "maximum": 23},
    y={"type": "integer", "minimum": 0},
)
TARGET = _object(
    "refId datasource expr",
    refId={"type": "string", "pattern": "^[A-Z]$"},
    datasource=SOURCE,
    editorMode=_one_of("code", "builder"),
    expr={"type": "string", "minLength": 1},
    legendFormat=TEXT,
    range=FLAG,
    instant=FLAG,
    format=_one_of("time_series", "table", "heatmap"),
)
COLOR = _object("mode", mode=_one_of("thresholds", "palette-classic", "fixed"), fixedColor=TEXT)
DEFAULTS = _object(
    "color",
    color=COLOR,
    unit=TEXT,
    decimals=NUMBER,
    min=NUMBER,
    max=NUMBER,
    noValue=TEXT,
    mappings=_list(
        _object(
            "type options",
            type=_one_of("value"),
            options={
                "type": "object",
                "additionalProperties": _object("text", text=TEXT, color=TEXT, index={"type": "integer"}),
            },
        )
    ),
    thresholds=_object(
        "mode steps",
        mode=_one_of("absolute", "percentage"),
        steps=_list(_object("color value", color=TEXT, value={"type": ["number", "null"]}), minItems=1),
    ),
    custom={"type": "object"},
)
OVERRIDE = _object(
    "matcher properties",
    matcher=_object("id options", id=_one_of("byName", "byRegexp"), options=TEXT),
    properties=_list(_object("id value", id=TEXT, value=ANY), minItems=1),
)
PANEL = _object(
    "id type title datasource gridPos fieldConfig options targets",
    id={"type": "integer", "minimum": 1},
    type=_one_of("stat", "timeseries", "table", "bargauge", "state-timeline"),
    title={"type": "string", "minLength": 1},
    description=TEXT,
    datasource=SOURCE,
    gridPos=PLACE,
    fieldConfig=_object("defaults overrides", defaults=DEFAULTS, overrides=_list(OVERRIDE)),
    options={"type": "object"},
    targets=_list(TARGET, minItems=1),
    transformations=_list(_object("id options", id=_one_of("merge", "organize"), options={"type": "object"})),
)
ROW = _object(
    "id type title collapsed gridPos panels",
    id={"type": "integer", "minimum": 1},
    type=_one_of("row"),
    title=TEXT,
    collapsed=FLAG,
    gridPos=PLACE,
    panels=_list(PANEL),
)
CURRENT = _object(
    "text value",
    selected=FLAG,
    text={"type": ["string", "array"], "items": TEXT},
    value={"type": ["string", "array"], "items": TEXT},
)
VARIABLE = _object(
    "type name query",
    type=_one_of("datasource", "query"),
    name={"type": "string", "pattern": "^[a-z]+$"},
    label=TEXT,
    datasource=SOURCE,
    definition=TEXT,
    query=TEXT,
    refresh=_one_of(0, 1, 2),
    sort=_one_of(*range(9)),
    hide=_one_of(0, 1, 2),
    includeAll=FLAG,
    allValue=TEXT,
    multi=FLAG,
    regex=TEXT,
    options=_list(CURRENT),
    current=CURRENT,
)
ANNOTATION = _object(
    "name datasource enable iconColor",
    name=TEXT,
    datasource=SOURCE,
    enable=FLAG,
    hide=FLAG,
    iconColor=TEXT,
    builtIn=NUMBER,
    type=TEXT,
    expr=TEXT,
    titleFormat=TEXT,
    step=TEXT,
)
DASHBOARD = _object(
    "uid title schemaVersion panels templating annotations time",
    uid={"type": "string", "minLength": 8, "maxLength": 40},
    title=TEXT,
    description=TEXT,
    tags=_list(TEXT),
    timezone=_one_of("browser", "utc"),
    editable=FLAG,
    graphTooltip=_one_of(0, 1, 2),
    schemaVersion={"type": "integer", "minimum": 42},
    version={"type": "integer"},
    refresh=TEXT,
    time=_object("from to", **{"from": TEXT, "to": TEXT}),
    timepicker={"type": "object"},
    fiscalYearStartMonth={"type": "integer", "minimum": 0, "maximum": 11},
    weekStart=TEXT,
    links=_list({"type": "object"}),
    annotations=_object("list", list=_list(ANNOTATION)),
    templating=_object("list", list=_list(VARIABLE)),
    panels=_list({"anyOf": [PANEL, ROW]}, minItems=1),
)
