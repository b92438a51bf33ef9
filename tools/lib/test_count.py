#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Counts a Swift Testing run from its event stream, the machine-readable record that the run itself writes.

    test_count.py EVENTS [SKIPS] [--expect FILE]   prints skips and failures, then "N passed, N failed, N skipped"
    test_count.py --self-test

EVENTS is what `swift test --event-stream-output-path` wrote: one JSON record a line, first every test, then what
happened. Each test function counts once, whatever the number of its arguments. A test that began and did not end
(the process died) or that never began though the run was cut short counts as failed. SKIPS holds one line for each
part that a test left out and why; they are printed, and the tests that wrote them count as they ended. With
--expect, exactly the tests that FILE lists (Module.Suite/function(), one a line, # comments) have to be skipped: one
more or one less is a problem, so that a feature that went missing cannot hide as a pass.

Exit status 0 if something ran, nothing failed and the run came to its end; 1 otherwise.
"""
import json
import sys
import tempfile


def tally(lines):
    """(outcome by test id, names by id, skip reasons, problems that belong to no test, whether the run ended)"""
    names, outcome, began, reasons, problems, ended = {}, {}, set(), [], [], False
    for line in lines:
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError:
            problems.append("the event stream ends in the middle of a record")
            break
        payload = record["payload"]
        if record["kind"] == "test":
            if payload["kind"] == "function":
                names[payload["id"]] = payload.get("displayName") or identity(payload["id"])
            continue
        kind, test = payload["kind"], payload.get("testID")
        text = " ".join(m["text"] for m in payload.get("messages", []) if m["symbol"] != "details")
        symbols = {m["symbol"] for m in payload.get("messages", [])}
        if kind == "runEnded":
            ended = True
        elif kind == "issueRecorded" and not payload["issue"].get("isKnown") and test not in names:
            # A warning-level issue has the symbol "warning" and fails nothing.
            if "fail" in symbols:
                problems.append(text)
        elif test not in names:
            continue
        elif kind == "testStarted":
            began.add(test)
        elif kind == "testSkipped":
            outcome[test] = "skipped"
            reasons.append(text)
        elif kind == "testEnded":
            outcome[test] = "failed" if "fail" in symbols else "skipped" if "skip" in symbols else "passed"
            if outcome[test] == "skipped":
                reasons.append(text)
    for test in names:
        if test not in outcome and (test in began or not ended):
            outcome[test] = "failed"
            problems.append(f"{names[test]}: " + ("did not end" if test in began else "never began"))
    return outcome, names, reasons, problems, ended


def identity(test):
    """Module.Suite/function() without the place in the source."""
    return test.rsplit("/", 1)[0]


def compare_skips(outcome, expected, problems):
    wanted = {line.split("#")[0].strip() for line in expected} - {""}
    skipped = {identity(test) for test, word in outcome.items() if word == "skipped"}
    ran = {identity(test) for test, word in outcome.items() if word != "skipped"}
    problems += [f"{test}: skipped, and not expected to be" for test in sorted(skipped - wanted)]
    problems += [f"{test}: ran, though expected to be skipped" for test in sorted(wanted & ran)]
    problems += [f"{test}: expected to be skipped, and there is no such test" for test in sorted(wanted - ran - skipped)]


def report(lines, skips, out, expected=None):
    outcome, names, reasons, problems, ended = tally(lines)
    if expected is not None:
        compare_skips(outcome, expected, problems)
    count = {word: sum(1 for o in outcome.values() if o == word) for word in ("passed", "failed", "skipped")}
    if not ended:
        problems.append("the run did not come to its end")
    if count["passed"] + count["failed"] == 0:
        problems.append("no test ran")
    for reason in sorted(set(reasons)):
        print(f"skipped: {reason}", file=out)
    for reason in sorted({line.strip() for line in skips if line.strip()}):
        print(f"left out in part: {reason}", file=out)
    for test, word in sorted(outcome.items()):
        if word == "failed":
            print(f"failed: {names[test]}", file=out)
    for problem in problems:
        print(f"problem: {problem}", file=out)
    failed = count["failed"] + (1 if problems and count["failed"] == 0 else 0)
    print(f"{count['passed']} passed, {failed} failed, {count['skipped']} skipped", file=out)
    return 1 if failed else 0


def self_test():
    def test(name):
        return {"kind": "test", "payload": {"kind": "function", "id": f"T.{name}()/T.swift:1:1", "name": name}}

    def event(kind, name=None, symbol=None, **more):
        payload = {"kind": kind, "messages": [{"symbol": symbol, "text": f"{name} {symbol}"}] if symbol else [], **more}
        if name:
            payload["testID"] = f"T.{name}()/T.swift:1:1"
        return {"kind": "event", "payload": payload}

    def run(*records, cut="", expected=None):
        with tempfile.TemporaryFile("w+") as out:
            status = report([json.dumps(r) for r in records] + [cut], [], out, expected)
            out.seek(0)
            return status, out.read().splitlines()[-1]

    good = [test("a"), event("testStarted", "a"), event("testEnded", "a", "pass")]
    cases = [
        ((*good, event("runEnded")), "", (0, "1 passed, 0 failed, 0 skipped")),
        ((*good, test("b"), event("testStarted", "b"), event("testEnded", "b", "fail"), event("runEnded")), "",
         (1, "1 passed, 1 failed, 0 skipped")),
        ((*good, test("b"), event("testSkipped", "b", "skip"), event("runEnded")), "", (0, "1 passed, 0 failed, 1 skipped")),
        ((*good, test("b"), event("testStarted", "b"), event("testEnded", "b", "skip"), event("runEnded")), "",
         (0, "1 passed, 0 failed, 1 skipped")),
        ((*good, test("b"), event("testStarted", "b"), event("testEnded", "b", "passWithKnownIssue"), event("runEnded")), "",
         (0, "2 passed, 0 failed, 0 skipped")),
        ((*good, test("b"), test("c"), event("testStarted", "b")), "", (1, "1 passed, 2 failed, 0 skipped")),
        ((*good,), '{"kind":', (1, "1 passed, 1 failed, 0 skipped")),
        ((*good, event("issueRecorded", None, "fail", issue={}), event("runEnded")), "", (1, "1 passed, 1 failed, 0 skipped")),
        ((*good, event("issueRecorded", None, "warning", issue={}), event("runEnded")), "", (0, "1 passed, 0 failed, 0 skipped")),
        ((event("runEnded"),), "", (1, "0 passed, 1 failed, 0 skipped")),
        ((), "", (1, "0 passed, 1 failed, 0 skipped")),
    ]
    for records, cut, expected in cases:
        got = run(*records, cut=cut)
        assert got == expected, (records, got, expected)
    skips = (*good, test("b"), event("testSkipped", "b", "skip"), event("runEnded"))
    for expected, status in (([], 1), (["T.b()  # no tcx"], 0), (["T.a()", "T.b()"], 1), (["T.b()", "T.gone()"], 1)):
        assert run(*skips, expected=expected)[0] == status, expected
    print(f"test_count: {len(cases) + 4} cases hold")
    return 0


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    def lines_of(path):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                return file.readlines()
        except FileNotFoundError:
            return []

    expected = None
    if len(arguments) >= 2 and arguments[-2] == "--expect":
        with open(arguments[-1], encoding="utf-8") as file:
            expected = file.readlines()
        arguments = arguments[:-2]
    if len(arguments) not in (1, 2):
        print(__doc__, file=sys.stderr)
        return 2
    return report(lines_of(arguments[0]), lines_of(arguments[1]) if len(arguments) == 2 else [], sys.stdout, expected)


sys.exit(main(sys.argv[1:]))
