#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How well `nilo forecast` tells what comes, beside statsforecast and LightGBM, on public data sets.

Rolling origins: a method may read at most 4,032 values before an origin and answers eleven quantiles for each step of the horizon.
Scores of a task are averaged over the origins of a series, then over the series of a set. Slow methods answer a part of the tasks,
spread evenly; they are compared on those. Started by `tools/bench forecast`; the folder of data is described in docs/forecasting.md.
"""
import argparse
import csv
import json
import math
import os
import re
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(threads, "1")
warnings.filterwarnings("ignore")
import numpy as np  # noqa: E402

LEVELS = np.array([0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95])
NORMAL = np.array([-1.644854, -1.281552, -0.841621, -0.524401, -0.253347, 0, 0.253347, 0.524401, 0.841621, 1.281552, 1.644854])
HISTORY = 4032


@dataclass
class Series:
    """A file of the folder: seconds a step, steps a day (1: no season is asked of it) and a week (0: none), origins and their stride."""

    name: str
    step: int
    day: int
    week: int
    horizon: int
    origins: int
    stride: int
    bands: tuple


SETS = [
    Series("abilene5m", 300, 288, 0, 288, 5, 252, (1, 12, 72, 288)),
    Series("geant15m", 900, 96, 0, 96, 5, 84, (1, 4, 24, 96)),
    Series("isp_eu_hourly", 3600, 24, 168, 24, 16, 29, (1, 6, 24)),
    Series("alibaba5m", 300, 288, 0, 288, 5, 252, (1, 12, 72, 288)),
    Series("alibaba1m", 60, 1440, 0, 60, 16, 331, (1, 5, 15, 60)),
    Series("google5m", 300, 288, 2016, 288, 7, 540, (1, 12, 72, 288)),
    Series("azure5m", 300, 288, 2016, 288, 7, 540, (1, 12, 72, 288)),
    Series("awscw5m", 300, 288, 0, 288, 5, 252, (1, 12, 72, 288)),
    Series("twitter5m", 300, 288, 2016, 288, 5, 540, (1, 12, 72, 288)),
    Series("taxi30m", 1800, 48, 336, 48, 8, 90, (1, 2, 12, 48)),
    Series("wc98_5m", 300, 288, 2016, 288, 7, 900, (1, 12, 72, 288)),
    Series("m4_hourly", 3600, 24, 168, 48, 1, 48, (1, 6, 24, 48)),
    Series("gcdvm5m", 300, 1, 0, 36, 2, 36, (1, 12, 36)),
]


@dataclass
class Task:
    name: str
    of: Series
    series: str
    history: np.ndarray
    future: np.ndarray
    first: int
    end: int

    @property
    def scale(self):
        """The mean absolute seasonal difference of the history: what an error is measured in."""
        m = self.of.day
        return float(np.mean(np.abs(self.history[m:] - self.history[:-m])))


def fail(message, *hints):
    print(f"bench: {message}", file=sys.stderr)
    for hint in hints:
        print(f"hint: {hint}", file=sys.stderr)
    sys.exit(1)


def columns(path):
    """name -> values; either a header `ts,NAME,…` and a row a step, or a series a row."""
    with open(path, newline="") as file:
        rows = list(csv.reader(file))
    if rows[0][0] != "ts":
        return {row[0]: np.array(row[1:], float) for row in rows}
    table = np.array([[float(cell) if cell else np.nan for cell in row[1:]] for row in rows[1:]])
    return dict(zip(rows[0][1:], table.T))


def tasks_of(of, folder):
    tasks = []
    for name, values in columns(f"{folder}/{of.name}.csv").items():
        known = int(np.argmax(~np.isnan(values)))
        for origin in range(of.origins):
            end = len(values) - of.horizon - origin * of.stride
            first = max(known, end - HISTORY)
            if end - first < max(2 * of.day + 2, 24):
                continue
            task = Task(f"{of.name}/{name}/{end}", of, name, values[first:end], values[end : end + of.horizon], first, end)
            # A flat history has no scale to measure in.
            if task.scale > 1e-12 * max(1e-12, float(np.mean(np.abs(task.history)))):
                tasks.append(task)
    return tasks


def by_nilo(program, folder, tasks):
    """name -> (quantiles, CPU milliseconds), of all tasks in one run."""
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
        file.write("task_id,dataset,series,train_start,train_end,H,step_s\n")
        for t in tasks:
            file.write(f"{t.name},{t.of.name},{t.series},{t.first},{t.end},{t.of.horizon},{t.of.step}\n")
        file.flush()
        run = subprocess.run(
            [program, "forecast", "--batch", file.name, "--data", folder, "--times"], capture_output=True, text=True
        )
    if run.returncode != 0:
        fail(f"{program} forecast --batch ended with {run.returncode}: {run.stderr.strip()[-300:]}")
    spent = dict(re.findall(r"^(.*): ([0-9.e-]+) ms$", run.stderr, re.M))
    rows = {}
    for row in csv.reader(run.stdout.splitlines()[1:]):
        rows.setdefault(row[0], []).append([float(cell) for cell in row[2:]])
    return {name: (np.array(quantiles), float(spent[name])) for name, quantiles in rows.items()}


def by_statsforecast(task, kind):
    from statsforecast import models

    of = task.of
    seasons = [of.day] + ([of.week] if of.week and len(task.history) >= 2 * of.week else [])
    if kind == "seasonal naive":
        model = models.SeasonalNaive(season_length=of.day) if of.day > 1 else models.Naive()
    elif of.day > 1:
        model = models.MSTL(season_length=seasons, trend_forecaster=models.AutoARIMA(season_length=1))
    else:
        model = models.AutoARIMA(season_length=1)
    answer = model.forecast(y=task.history.astype(np.float64), h=of.horizon, level=[20, 40, 60, 80, 90])
    low = [answer[f"lo-{level}"] for level in (90, 80, 60, 40, 20)]
    return np.stack(low + [answer["mean"]] + [answer[f"hi-{level}"] for level in (20, 40, 60, 80, 90)], 1)


class Boosting:
    """LightGBM with quantile loss on lags and means, one set of five quantiles for all series of a set at the same origin."""

    QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
    ROWS = 20_000

    def __init__(self, tasks):
        import lightgbm

        random = np.random.default_rng(1)
        features, targets = [], []
        for task in tasks:
            horizon, length = task.of.horizon, len(task.history)
            count = max(300, self.ROWS // len(tasks))
            ahead = np.where(
                random.random(count) < 0.5,
                random.integers(1, horizon + 1, count),
                np.exp(random.uniform(0, math.log(horizon + 1), count)).astype(int),
            )
            origins = random.integers(min(max(task.of.day, 48) + 12, length // 2), length - ahead)
            x, start = self.rows(task, origins, ahead)
            features.append(x)
            targets.append(np.clip((task.history[origins + ahead] - start) / task.scale, -50, 50))
        x, y = np.concatenate(features), np.concatenate(targets)
        self.models = []
        for quantile in self.QUANTILES:
            settings = dict(
                objective="quantile", alpha=quantile, num_leaves=31, learning_rate=0.08, min_data_in_leaf=40, feature_fraction=0.8,
                bagging_fraction=0.7, bagging_freq=1, num_threads=1, seed=1, verbose=-1,
            )
            self.models.append(lightgbm.train(settings, lightgbm.Dataset(x, y), num_boost_round=120))

    @staticmethod
    def rows(task, origins, ahead):
        """Features in scales, as differences from the last known value of the target's time of day, and that value."""
        values, day = task.history, task.of.day
        sums = np.concatenate([[0], np.cumsum(values)])

        def mean(first, last):
            first = np.clip(first, 0, last)
            return (sums[last + 1] - sums[first]) / (last + 1 - first)

        target = origins + ahead
        like = target - day * -(-ahead // day) if day > 1 else origins
        start = values[like]
        parts = [values[origins], values[origins - 1]]
        parts += [mean(origins - reach + 1, origins) for reach in (3, 12, 48, day if day > 1 else 96)]
        if day > 1:
            parts += [values[np.maximum(like - day, 0)], mean(like - day // 24, np.minimum(like + day // 24, origins))]
            parts += [start + mean(origins - 11, origins) - mean(origins - 11 - day, np.maximum(origins - day, 0))]
            total, days = np.zeros(len(like)), np.zeros(len(like))
            for back in range(7):
                place = like - day * back
                total += np.where(place >= 0, values[np.maximum(place, 0)], 0)
                days += place >= 0
            parts.append(total / days)
        if task.of.week:
            place = target - task.of.week
            parts.append(np.where(place >= 0, values[np.maximum(place, 0)], start))
        clock = [ahead, target % day, target // day % 7 if task.of.week else 0 * ahead]
        return np.stack(clock + [(part - start) / task.scale for part in parts], 1), start

    def forecast(self, task):
        ahead = np.arange(1, task.of.horizon + 1)
        x, start = self.rows(task, np.full(len(ahead), len(task.history) - 1), ahead)
        known = np.sort(np.stack([model.predict(x, num_threads=1) for model in self.models], 1), 1)
        places = [NORMAL[0], -0.67449, 0, 0.67449, NORMAL[-1]]
        return start[:, None] + task.scale * np.stack([np.interp(NORMAL, places, row) for row in known])


def by_boosting(tasks):
    """Like by_nilo; tasks of one origin share the cost of their model."""
    answers = {}
    for origin in sorted({origin_of(t) for t in tasks}):
        group = [t for t in tasks if origin_of(t) == origin]
        began = time.process_time()
        model = Boosting(group)
        quantiles = [model.forecast(t) for t in group]
        spent = 1000 * (time.process_time() - began) / len(group)
        answers.update({t.name: (q, spent) for t, q in zip(group, quantiles)})
    return answers


def origin_of(task):
    """What tells the origins of a set apart; a set with one origin a series may have series of different length."""
    return task.end if task.of.origins > 1 else 0


def one_by_one(tasks, kind, seconds):
    """Answers an even spread of the tasks for as long as `seconds` last, at least three."""
    answers = {}
    began = time.monotonic()
    order = sorted(range(len(tasks)), key=lambda place: (place * 0.618034) % 1)
    for place in order:
        if len(answers) >= 3 and time.monotonic() - began > seconds:
            break
        task = tasks[place]
        start = time.process_time()
        quantiles = by_statsforecast(task, kind)
        if np.isfinite(quantiles).all():
            answers[task.name] = (quantiles, 1000 * (time.process_time() - start))
    return answers


def scores(task, quantiles):
    """Per band: (scaled CRPS, share inside the 90 % interval)."""
    quantiles = np.sort(quantiles, axis=1)
    over = task.future[:, None] - quantiles
    loss = 2 * np.maximum(LEVELS * over, (LEVELS - 1) * over)[:, 1:10].mean(1) / task.scale
    inside = (task.future >= quantiles[:, 0]) & (task.future <= quantiles[:, -1])
    return np.array([(loss[:band].mean(), inside[:band].mean()) for band in task.of.bands])


def averaged(tasks, answers, names):
    """bands × (sCRPS, coverage) and milliseconds, over `names` only."""
    series, spent = {}, []
    for task in tasks:
        if task.name in names:
            series.setdefault(task.series, []).append(scores(task, answers[task.name][0]))
            spent.append(answers[task.name][1])
    return np.mean([np.mean(of_one, axis=0) for of_one in series.values()], axis=0), float(np.mean(spent))


def measure(of, options):
    tasks = tasks_of(of, options.data)
    methods = {"nilo": by_nilo(options.nilo, options.data, tasks)}
    print(f"==> {of.name}: {len(tasks)} tasks", file=sys.stderr)
    methods["seasonal naive"] = one_by_one(tasks, "seasonal naive", math.inf)
    if not options.quick:
        methods["MSTL + ARIMA"] = one_by_one(tasks, "MSTL + ARIMA", options.seconds)
        methods["LightGBM"] = by_boosting(tasks)
    rows = []
    for method, answers in methods.items():
        common = set(answers) & set(methods["nilo"])
        theirs, spent = averaged(tasks, answers, common)
        ours, _ = averaged(tasks, methods["nilo"], common)
        rows.append(
            dict(
                set=of.name, method=method, tasks=len(common), unanswered=len(tasks) - len(common), bands=list(of.bands),
                scrps=theirs[:, 0].tolist(), nilo_scrps=ours[:, 0].tolist(), coverage=theirs[:, 1].tolist(), milliseconds=spent,
            )
        )
    return rows


def tell(rows):
    """The tables of docs/forecasting.md."""
    print("| set | tasks | sCRPS | of seasonal naive's, by band | coverage by band | ms |")
    print("|---|---|---|---|---|---|")
    naive = {row["set"]: row for row in rows if row["method"] == "seasonal naive"}
    for row in (row for row in rows if row["method"] == "nilo"):
        other = naive[row["set"]]
        ratios = " ".join(f"{a / b:.2f}" for a, b in zip(other["nilo_scrps"], other["scrps"]))
        inside = " ".join(f"{share:.2f}" for share in row["coverage"])
        print(f"| {row['set']} | {row['tasks']} | {row['scrps'][-1]:.3f} | {ratios} | {inside} | {row['milliseconds']:.1f} |")
    print("\n| set | method | common tasks | its sCRPS | nilo's | ratio | its coverage | its ms |")
    print("|---|---|---|---|---|---|---|---|")
    ratios = {}
    for row in (row for row in rows if row["method"] != "nilo"):
        ratio = row["nilo_scrps"][-1] / row["scrps"][-1]
        ratios.setdefault(row["method"], []).append(ratio)
        print(
            f"| {row['set']} | {row['method']} | {row['tasks']} | {row['scrps'][-1]:.3f} | {row['nilo_scrps'][-1]:.3f} | {ratio:.2f} "
            f"| {row['coverage'][-1]:.2f} | {row['milliseconds']:.0f} |"
        )
    for method, values in ratios.items():
        print(f"\ngeometric mean of nilo's sCRPS over that of {method}: {math.exp(np.mean(np.log(values))):.3f} ({len(values)} sets)")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="the folder of the data sets")
    parser.add_argument("--nilo", required=True, help="the program")
    parser.add_argument("--only", action="append", help="one set; may be given again")
    parser.add_argument("--quick", action="store_true", help="seasonal naive as the only rival")
    parser.add_argument("--seconds", type=float, default=120, help="for MSTL + ARIMA in each set")
    parser.add_argument("--json", action="store_true", help="all figures instead of tables")
    options = parser.parse_args()
    chosen = [of for of in SETS if not options.only or of.name in options.only]
    unknown = set(options.only or []) - {of.name for of in SETS}
    if unknown:
        fail(f"no set {', '.join(sorted(unknown))}", "the sets are " + ", ".join(of.name for of in SETS))
    there = [of for of in chosen if os.path.exists(f"{options.data}/{of.name}.csv")]
    for of in chosen:
        if of not in there:
            print(f"bench: {options.data}/{of.name}.csv is not there and left out", file=sys.stderr)
    if not there:
        fail(f"none of the sets is in {options.data}", "docs/forecasting.md tells where they are from")
    rows = [row for of in there for row in measure(of, options)]
    if options.json:
        print(json.dumps(rows, indent=1))
    else:
        tell(rows)


if __name__ == "__main__":
    main()
