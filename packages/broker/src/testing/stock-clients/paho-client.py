"""Eclipse Paho as a stock client: one request as JSON in the first argument; each message it gets is a line of JSON.

{"address": …, "subscribe": …} subscribes, says "subscribed" and listens until standard input ends (then it leaves in order);
{"address": …, "clientId": …, "publish": […]} publishes, waits for the acknowledgements and leaves.
"""
import json
import sys
import threading

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

request = json.loads(sys.argv[1])
address = request["address"]
is_five = address["protocolVersion"] == 5
connected = threading.Event()
subscribed = threading.Event()


def say(value):
    # One write a line: two threads speak.
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def properties(packet_type, **values):
    if not is_five:
        return None
    made = Properties(packet_type)
    for name, value in values.items():
        if value is not None:
            setattr(made, name, value)
    return made


def open_client(client_id, clean=True):
    client = mqtt.Client(
        mqtt.CallbackAPIVersion.VERSION2,
        client_id=client_id,
        protocol=mqtt.MQTTv5 if is_five else mqtt.MQTTv311,
        transport="websockets" if address["transport"] == "websocket" else "tcp",
        **({} if is_five else {"clean_session": clean}),
    )
    client.username_pw_set(client_id, "secret")
    client.on_connect = lambda *_: connected.set()
    client.on_subscribe = lambda *_: subscribed.set()
    client.on_message = on_message
    return client


def connect(client, clean=True, session_expiry=None):
    options = {}
    if is_five:
        options = {
            "clean_start": clean,
            "properties": properties(PacketTypes.CONNECT, SessionExpiryInterval=session_expiry),
        }
    client.connect("127.0.0.1", address["port"], **options)
    client.loop_start()
    if not connected.wait(10):
        sys.exit("not connected")


def on_message(_client, _userdata, message):
    heard = {
        "topic": message.topic,
        "payload": message.payload.decode(),
        "qos": message.qos,
        "retain": bool(message.retain),
    }
    theirs = getattr(message, "properties", None)
    names = {
        "contentType": "ContentType",
        "responseTopic": "ResponseTopic",
        "expiryS": "MessageExpiryInterval",
        "subscriptionIdentifiers": "SubscriptionIdentifier",
    }
    for ours, name in names.items():
        if hasattr(theirs, name):
            heard[ours] = getattr(theirs, name)
    if hasattr(theirs, "CorrelationData"):
        heard["correlationData"] = theirs.CorrelationData.decode()
    if hasattr(theirs, "UserProperty"):
        heard["userProperty"] = theirs.UserProperty[0]
    say(heard)


def listen(wanted):
    client = open_client(wanted["clientId"], wanted.get("clean", True))
    will = wanted.get("will")
    if will:
        delay = properties(PacketTypes.WILLMESSAGE, WillDelayInterval=will["delayS"])
        client.will_set(will["topic"], will["payload"], qos=1, properties=delay)
    connect(client, wanted.get("clean", True), wanted.get("sessionExpiryS"))
    qos = wanted.get("qos", 0)
    if is_five:
        options = SubscribeOptions(
            qos=qos,
            noLocal=wanted.get("noLocal", False),
            retainAsPublished=wanted.get("retainAsPublished", False),
            retainHandling=wanted.get("retainHandling", 0),
        )
        identifier = properties(PacketTypes.SUBSCRIBE, SubscriptionIdentifier=wanted.get("identifier"))
        client.subscribe(wanted["filter"], options=options, properties=identifier)
    else:
        client.subscribe(wanted["filter"], qos=qos)
    if not subscribed.wait(10):
        sys.exit("not subscribed")
    say("subscribed")
    sys.stdin.read()
    client.disconnect()
    client.loop_stop()


def publish(client_id, messages):
    client = open_client(client_id)
    connect(client)
    for message in messages:
        correlation = message.get("correlationData")
        user = message.get("userProperty")
        made = properties(
            PacketTypes.PUBLISH,
            MessageExpiryInterval=message.get("expiryS"),
            ContentType=message.get("contentType"),
            ResponseTopic=message.get("responseTopic"),
            CorrelationData=correlation.encode() if correlation else None,
            UserProperty=tuple(user) if user else None,
            TopicAlias=message.get("topicAlias"),
        )
        options = {"qos": message.get("qos", 0), "retain": message.get("retain", False)}
        client.publish(message["topic"], message["payload"], properties=made, **options).wait_for_publish(10)
    client.disconnect()
    client.loop_stop()


if "subscribe" in request:
    listen(request["subscribe"])
else:
    publish(request["clientId"], request["publish"])
