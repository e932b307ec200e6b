"""A shop as people write them, with no telemetry of its own: /checkout asks /pay over HTTP, and one card is declined.

Started under `opentelemetry-instrument`. Says where it listens on the first line of stdout; ends well at SIGTERM.
"""

import logging
import signal
import threading

import requests
from flask import Flask, jsonify, request
from werkzeug.serving import make_server

logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
log = logging.getLogger("shop")
app = Flask("shop")


class Declined(Exception):
    """The bank said no."""


def charge(order, card):
    if card.endswith("0002"):
        raise Declined(f"insufficient funds for order {order}")
    return {"order": order, "paid": True}


@app.post("/checkout")
def checkout():
    order = request.json["order"]
    log.info("order %s received", order)
    answer = requests.post(f"http://127.0.0.1:{server.port}/pay", json=request.json, timeout=10)
    return jsonify(answer.json()), answer.status_code


@app.post("/pay")
def pay():
    order = request.json["order"]
    try:
        return jsonify(charge(order, request.json["card"]))
    except Declined as why:
        log.error("card declined: %s", why)
        return jsonify(error="payment failed"), 500


server = make_server("127.0.0.1", 0, app, threaded=True)


def stop(*_):
    # From a thread of its own: shutdown() waits for serve_forever(), which this handler interrupts.
    threading.Thread(target=server.shutdown).start()


signal.signal(signal.SIGTERM, stop)
print(f"shop on 127.0.0.1:{server.port}", flush=True)
server.serve_forever()
log.info("closing")
