# SPDX-License-Identifier: Apache-2.0
"""Forecasts and incidents of the made-up network, in the form of the agent's ForecastReport and IncidentListReport.

Every series follows a day of its own with noise; what is forecast is that day, and bands around it that widen with the time ahead.
"""
import math
import statistics
import time

from network import mixed
from query import Fault

LEVELS = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95]
DEVIATES = [statistics.NormalDist().inv_cdf(level) for level in LEVELS]
SPANS = {"minutes": (10, 60), "day": (300, 288), "week": (3600, 168)}
PAST = 288
# Key -> name, unit, directions, typical value of each.
GAUGES = {
    "total": ("all traffic", "bit/s", ("to-servers", "from-servers"), (9e8, 2.4e9)), "cpu": ("cpu", "%", ("",), (34,)),
    "memory": ("memory", "B", ("",), (6.1e9,)), "disk": ("disks", "B/s", ("read", "written"), (3e6, 2.2e7)),
    "space": ("disk space", "B", ("",), (4.12e11,)), "flows": ("flows", "flows", ("",), (5200,)),
}
# These have stood still for as long as they are known, or are known too shortly.
STEADY, NEW = ("memory", "space"), ("flows",)
SHORT = "it takes 24 steps of history, and there are 7"


def value(key, direction, typical, moment):
    """What a series is at a moment: its day, and noise."""
    swing = 0.02 if key in STEADY else 0.45
    return typical * expected(key, moment) * (1 + 0.25 * swing * (mixed(f"{key}{direction}", int(moment // 10)) - 0.5))


def expected(key, moment):
    swing = 0.02 if key in STEADY else 0.45
    return 1 + swing * math.sin(2 * math.pi * (moment / 86400 + mixed(key, 3))) + 0.3 * swing * math.sin(8 * math.pi * moment / 86400)


class Foresight:
    def __init__(self, network, stamp):
        self.network, self.stamp = network, stamp
        self.started = time.time()
        # Of the incident that goes on when the agent is started.
        self.ended = None

    def subject(self, key, measure="bits"):
        name, unit, directions, typical = self.bits(key)
        if measure == "packets" and unit == "bit/s":
            return name, "packet/s", directions, [v / 7200 for v in typical]
        return name, unit, directions, typical

    def bits(self, key):
        if key in GAUGES:
            return GAUGES[key]
        network = self.network
        thing = network.links.get(key) or network.entities.get(key)
        if key in network.networks:
            name, directions = network.networks[key]["name"], ("to-servers", "from-servers")
        elif thing and (key in network.base or thing["kind"] in ("interface", "application")):
            directions = ("to", "from") if key in network.links else ("received", "sent")
            name = network.title(key)
        else:
            raise Fault(404, f"{key} is not watched", hint="watched are total, cpu, memory, disk, space, flows, interfaces, networks, "
                        "applications, and links that last")
        rate = network.base.get(key) or 4e7
        return name, "bit/s", directions, (rate, rate * 0.2)

    def direction(self, key, name, typical, span, begin, step, ahead):
        series = [value(key, name, typical, begin + (n + 0.5) * step) for n in range(-PAST, 0)]
        gap = range(40, 52) if key == "total" else range(0)
        known = 7 if key in NEW and span != "minutes" else PAST
        past = [None if n in gap else v for n, v in enumerate(series)][-known:]
        answer = {"direction": name, "steps": known, "measured": sum(v is not None for v in past), "latest": series[-1], "past": past,
                  "accuracy": [], "earlier": []}
        if known < 24:
            return dict(answer, abstention=SHORT)
        width = typical * (0.004 if key in STEADY else 0.05)

        def around(moment, lead):
            middle = typical * expected(key, moment)
            return [max(0, middle + deviate * width * (1 + 0.12 * math.sqrt(lead))) for deviate in DEVIATES]

        answer["quantiles"] = [around(begin + (n + 0.5) * step, n + 1) for n in range(ahead)]
        answer |= {"basis": "daily pattern; linear regression on it and on what was lately (62 % of the weight, the rest simple forecasts); "
                   "linear scale", "errorAgainstNaive": 0.61, "samplesPerDay": 86400 // step}
        if span == "day":
            answer["accuracy"] = self.scores(typical)
            for lead, every in ((12, 1), (288, 12)):
                bands = [(ago, around(begin - (ago - 0.5) * step, lead)) for ago in range(PAST, 0, -every)]
                answer["earlier"].append({"leadSeconds": lead * step, "bands": [
                    {"stepsAgo": ago, "low": row[0], "median": row[5], "high": row[-1]} for ago, row in bands]})
        return answer

    @staticmethod
    def scores(typical):
        return [{"leadSeconds": lead, "count": count, "meanError": typical * error, "meanLoss": typical * error * 0.7,
                 "errorAgainstNaive": error * 12, "lossAgainstNaive": error * 9, "within90": within, "within60": within - 0.29, "above95": 0.04}
                for lead, count, error, within in ((300, 1980, 0.03, 0.91), (3600, 436, 0.05, 0.89), (86400, 31, 0.09, 0.81))]

    def forecast(self, now, key, measure, span):
        name, unit, directions, typical = self.subject(key, measure)
        step, ahead = SPANS[span]
        begin = now // step * step
        return {"from": self.stamp(begin), "stepSeconds": step, "key": key, "name": name, "unit": unit, "levels": LEVELS,
                "directions": [self.direction(key, d, t, span, begin, step, ahead) for d, t in zip(directions, typical)]}

    def accuracy(self, top):
        keys = [*GAUGES, *sorted(self.network.base)]
        series = []
        for key in keys:
            name, unit, directions, typical = self.subject(key)
            series += [{"key": key, "name": f"{name} {d.replace('-', ' ')}".strip(), "isBackward": n == 1, "unit": unit, "scores": self.scores(t)}
                       for n, (d, t) in enumerate(zip(directions, typical)) if key not in NEW]
        return {"watched": len(series) + 1, "limit": 2000, "refused": 0, "series": series[:top], "scored": len(series)}

    # MARK: what is usual

    def profile(self, now, key, measure):
        name, unit, directions, typical = self.subject(key, measure)
        # The hour of the week 0 is the first of a Monday.
        monday = now // 604800 * 604800 - 3 * 86400
        told = []
        for direction, level in zip(directions, typical):
            usual = [level * expected(key, monday + (hour + 0.5) * 3600) * (0.55 if hour >= 120 else 1) for hour in range(168)]
            week = [{"low": v * 0.9, "median": v, "high": v * 1.12} for v in usual]
            if key == "cpu":
                week[3] = {}
            told.append({
                "direction": direction, "words": [f"Over 21 days: {level:.3g} typically, at most {max(usual):.3g}.",
                                                  "Very regular: the time of the week explains 91 % of its variation."],
                "knownSeconds": 21 * 86400, "steps": 6048, "measured": 6040, "level": {"mean": level, "median": level, "quantile95": level * 1.4,
                                                                                     "highest": level * 1.6, "highestAt": self.stamp(now - 9000)},
                "bursts": [], "daily": week[:24], **({} if key in STEADY else {"weekly": week}), "regularity": 0.91, "dailyRegularity": 0.7,
                "levelShifts": [], "events": [], "recentHours": [], "dueHours": []})
        relations = [{"key": "cpu", "name": "cpu", "direction": directions[0], "otherDirection": "", "otherLeads": False, "lagSeconds": 300,
                      "correlation": 0.83}] if key == "total" else []
        return {"at": self.stamp(now), "stepSeconds": 300, "secondsPerDay": 86400, "key": key, "name": name, "unit": unit,
                "directions": told, "relations": relations}

    # MARK: incidents

    def incident(self, number, start, end, verdict, members, contributors=()):
        stamp = self.stamp
        known = [dict({"key": key, "name": name, "kind": kind, "start": stamp(start), "probability": 0.97, "unlikelihood": unlikelihood,
                       "unit": unit}, **({"end": stamp(end)} if end else {}), **more)
                 for key, name, kind, unlikelihood, unit, more in members]
        return dict({"id": number, "start": stamp(start), "probability": 0.97, "unlikelihood": max(m["unlikelihood"] for m in known),
                     "members": known, "more": 0, "contributors": list(contributors)},
                    **({"end": stamp(end)} if end else {}), **({"verdict": verdict} if verdict else {}))

    def anomalies(self, now, since):
        key = next(talk for talk, _, _ in self.network.demands if talk not in self.network.schedules)
        title, begun = self.network.title(key), self.started
        rates = {"expected": 1.9e8, "expectedLow": 1.4e8, "expectedHigh": 2.5e8, "extreme": 8.8e8}
        found = [
            self.incident(7, begun - 240, self.ended, None, [
                (f"bytes>{key}", f"{title} to", "level", 11.3, "bit/s", rates),
                ("level>cpu", "cpu", "spike", 4.1, "%", {"expected": 31.0, "expectedLow": 22.0, "expectedHigh": 44.0, "extreme": 93.5})],
                [{"kind": "conversation", "key": key, "name": title, "before": 1.9e8, "during": 8.6e8, "share": 0.97}]),
            self.incident(6, begun - 2400, begun - 2280, "false-alarm", [
                ("level>memory", "memory", "level", 2.9, "B", {"expected": 6e9, "expectedLow": 5.8e9, "expectedHigh": 6.2e9, "extreme": 7.1e9})]),
            self.incident(5, begun - 9000, begun - 8700, None, [
                ("port-scan/10.1.0.99", "10.1.0.99", "port-scan", 6.0, "", {"evidence": "10.1.0.99 tried 1,400 ports of 10.1.0.30 in 60 s"})]),
        ]
        shown = [one for one in found if "end" not in one or one["end"] >= self.stamp(since)]
        return {"since": self.stamp(since), "at": self.stamp(now), "incidents": shown, "silenced": 3, "incidentsPerDay": 3.0,
                "silences": [{"pattern": "*backup*", "until": self.stamp(now + 7200)}], "falseAlarmsPerDay": 1.0}
