# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium, driven by its DevTools protocol (https://chromedevtools.github.io/devtools-protocol/) over a web socket."""
import base64
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request

import websocket  # Debian: python3-websocket


class PageError(Exception):
    pass


def find_browser():
    for name in ("chromium-headless-shell", "chromium"):
        if path := shutil.which(name):
            return path
    return None


class Browser:
    """One browser with one page. A context manager: the process and its profile go with it."""

    def __init__(self, width=1280, height=800):
        self.profile = tempfile.mkdtemp(prefix="nilo-page-")
        command = [find_browser(), "--remote-debugging-port=0", f"--user-data-dir={self.profile}", "--hide-scrollbars", "--no-first-run",
                   "--disable-background-networking", "--disable-component-update", "--remote-allow-origins=*", "about:blank"]
        if os.geteuid() == 0:
            command.insert(1, "--no-sandbox")
        if not command[0].endswith("headless-shell"):
            command.insert(1, "--headless=new")
        # What Debian calls the browser is a script that starts it: they go together.
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        self.socket, self.number = None, 0
        self.events = []
        try:
            self.socket = websocket.create_connection(self._address(), timeout=30)
            for domain in ("Page", "Runtime", "Log", "Network"):
                self.call(f"{domain}.enable")
            self.resize(width, height)
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.socket:
            self.socket.close()
        self._end(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            pass
        self._end(signal.SIGKILL)
        self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)

    def _end(self, by):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, by)

    def _address(self):
        port_file = pathlib.Path(self.profile, "DevToolsActivePort")
        for _ in range(300):
            if port_file.exists() and "\n" in port_file.read_text():
                break
            if self.process.poll() is not None:
                raise PageError("the browser ended before it could be talked to")
            time.sleep(0.1)
        port = port_file.read_text().split("\n")[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=10) as answer:
            return next(page["webSocketDebuggerUrl"] for page in json.load(answer) if page["type"] == "page")

    # MARK: the protocol

    def call(self, method, **parameters):
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == self.number:
                if "error" in message:
                    raise PageError(f"{method}: {message['error']['message']}")
                return message["result"]
            self.events.append(message)

    def evaluate(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise PageError(details.get("exception", {}).get("description", details["text"]))
        return result["result"].get("value")

    def wait_for(self, expression, seconds=20, what=None):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                # An element comes back as an empty object.
                if value := self.evaluate(f"(found => found instanceof Node || found)({expression})"):
                    return value
            except PageError as error:
                if "Cannot read properties of null" not in str(error) and "context" not in str(error):
                    raise
            time.sleep(0.05)
        raise PageError(f"waited {seconds} s in vain for {what or expression}")

    # MARK: what a person does

    def resize(self, width, height, phone=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=2 if phone else 1, mobile=phone)
        self.call("Emulation.setTouchEmulationEnabled", enabled=phone)

    def prefer(self, theme=None, still=False):
        features = [{"name": "prefers-color-scheme", "value": theme or ""},
                    {"name": "prefers-reduced-motion", "value": "reduce" if still else ""}]
        self.call("Emulation.setEmulatedMedia", features=features)

    def open(self, address):
        self.call("Page.navigate", url=address)
        self.wait_for("document.readyState === 'complete'")

    def key(self, key, shift=False):
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}
        text = "\r" if key == "Enter" else key if len(key) == 1 else None
        event = {"key": key, "modifiers": 8 if shift else 0, "windowsVirtualKeyCode": codes.get(key, 0), "code": key}
        self.call("Input.dispatchKeyEvent", type="keyDown", **event, **({"text": text} if text else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", **event)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def mouse(self, kind, x, y, **more):
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def click(self, x, y):
        self.mouse("mouseMoved", x, y)
        self.mouse("mousePressed", x, y, button="left", clickCount=1)
        self.mouse("mouseReleased", x, y, button="left", clickCount=1)

    def screenshot(self, path):
        pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
        pathlib.Path(path).write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def longest_task(self, act):
        """Runs `act`. The CPU time in milliseconds of the longest task that the page's main thread had meanwhile: what a frame takes at
        least, whatever else the machine is busy with."""
        self.call("Tracing.start", categories="toplevel", transferMode="ReportEvents")
        act()
        before = len(self.events)
        self.call("Tracing.end")
        messages = self.events[before:]
        del self.events[before:]
        while not messages or messages[-1]["method"] != "Tracing.tracingComplete":
            messages.append(json.loads(self.socket.recv()))
        traced = [e for m in messages + self.events if m["method"] == "Tracing.dataCollected" for e in m["params"]["value"]]
        self.events += [m for m in messages if not m["method"].startswith("Tracing.")]
        names = {(e["pid"], e["tid"]): e["args"]["name"] for e in traced if e.get("name") == "thread_name"}
        return max(e["tdur"] / 1000 for e in traced if e.get("ph") == "X" and "tdur" in e and names.get((e["pid"], e["tid"])) == "CrRendererMain")

    # MARK: what went wrong

    def complaints(self):
        """Console errors and warnings, uncaught exceptions, requests that failed, since the last time."""
        self.evaluate("0")  # lets what was sent before come in
        found = []
        for event in self.events:
            p = event.get("params", {})
            if event["method"] == "Runtime.exceptionThrown":
                d = p["exceptionDetails"]
                found.append(d.get("exception", {}).get("description", d["text"]))
            elif event["method"] == "Runtime.consoleAPICalled" and p["type"] in ("error", "warning", "assert"):
                found.append(" ".join(str(a.get("value", a.get("description"))) for a in p["args"]))
            elif event["method"] == "Log.entryAdded" and p["entry"]["level"] in ("error", "warning"):
                found.append(f"{p['entry']['text']} {p['entry'].get('url', '')}")
        self.events = [e for e in self.events if e["method"] == "Network.requestWillBeSent"]
        return found

    def requested(self):
        """Addresses that the page asked for so far."""
        return [event["params"]["request"]["url"] for event in self.events if event["method"] == "Network.requestWillBeSent"]
