# SPDX-License-Identifier: Apache-2.0
"""Questions to the made-up agent, refused as the agent refuses them."""
import datetime
import re
import urllib.parse

FIELDS = {
    "/v1/topology": ("at", "network", "layer", "top"), "/v1/topology/diff": ("from", "to", "network", "layer"),
    "/v1/topology/history": ("from", "to", "key", "top"), "/v1/networks": (), "/v1/events": ("network",), "/v1/status": (),
    "/v1/series": ("key", "kind", "from", "to", "step", "top", "network", "measure"), "/v1/flows": ("filter", "sort", "reverse", "top"),
    "/v1/forecast": ("key", "measure", "span", "steps"), "/v1/forecast/accuracy": ("key", "measure", "top"), "/v1/anomalies": ("since",),
    "/v1/profile": ("key", "measure"),
}


class Fault(Exception):
    def __init__(self, status, error, **members):
        super().__init__(error)
        self.status, self.body = status, dict(error=error, **members)


class Query:
    def __init__(self, path, text):
        pairs = urllib.parse.parse_qsl(text, keep_blank_values=True)
        self.values = dict(pairs)
        for name in self.values:
            if name not in FIELDS[path]:
                raise Fault(400, f"{name}: there is no such field", field=name, reason="there is no such field")
        if len(pairs) > len(self.values):
            raise Fault(400, "query: a field is given more than once", field="query", reason="a field is given more than once")

    def text(self, name):
        return self.values.get(name)

    def bad(self, name, reason):
        value = self.values[name]
        return Fault(400, f"{name} \"{value}\": {reason}", field=name, value=value, reason=reason)

    def moment(self, name, standard=None):
        if name not in self.values:
            return standard
        text = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?Z", self.values[name])
        try:
            moment = datetime.datetime.fromisoformat(text[1] + "+00:00").timestamp() + float(text[2] or 0) if text else None
        except ValueError:
            moment = None
        if moment is None:
            raise self.bad(name, "it is a time as 2026-01-31T12:00:00Z")
        return moment

    def number(self, name, low, high, standard):
        if name not in self.values:
            return standard
        if not self.values[name].isascii() or not self.values[name].isdigit() or not low <= int(self.values[name]) <= high:
            raise self.bad(name, f"it is a number from {low} to {high}")
        return int(self.values[name])

    def choice(self, name, choices, standard=None):
        if name in self.values and self.values[name] not in choices:
            raise self.bad(name, "it is one of " + ", ".join(choices))
        return self.values.get(name, standard)
