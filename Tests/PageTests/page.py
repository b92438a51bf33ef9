# SPDX-License-Identifier: Apache-2.0
"""The page in a browser, over the mock agent or another, and what a person does with it."""
import contextlib
import threading
import time

from browser import Browser
from mock_agent import Server

# Of an agent to look at instead of the mock one.
address = None


@contextlib.contextmanager
def serving(**what):
    server = Server(**what)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def shown(width=1280, height=800, phone=False, path="", **what):
    """A browser with the page open, and its server; the map is drawn when it begins."""
    with serving(**what) as server, Browser(width, height) as browser:
        browser.resize(width, height, phone)
        browser.open((address or server.address) + path)
        if not what.get("token"):
            browser.wait_for("document.querySelector('#status').dataset.state === 'live'", what="the agent to be live")
        browser.server = server
        yield browser


def view(browser, name):
    browser.evaluate(f"location.hash = '#{name}'")
    browser.wait_for(f"!document.getElementById('{name}').hidden")
    time.sleep(0.8)


def expect(condition, words):
    if not condition:
        raise AssertionError(words)


def press(browser, selector):
    """A click where a person would, in the middle of an element."""
    box = browser.evaluate(f"(e => {{ e.scrollIntoView({{block: 'nearest', inline: 'nearest'}}); const b = e.getBoundingClientRect();"
                           f"return [b.x + b.width / 2, b.y + b.height / 2]; }})(document.querySelector({selector!r}))")
    browser.click(*box)
