"""Eclipse Paho as a stock client: one request as JSON in the first argument; each message it gets is a line of JSON.

{"address": …, "subscribe": …} subscribes, says "subscribed" and listens until standard input ends (then it leaves in order);
each line of standard input is a message that it publishes meanwhile;
{"address": …, "clientId": …, "publish": […]} publishes, waits for the acknowledgements and leaves;
{"address": …, "visit": …} connects, asks everything at once and says what each answer told, when all have come or the broker has left.
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


def connect(client, clean=True, keep_alive=60, **terms):
    options = {}
    if is_five:
        options = {"clean_start": clean, "properties": properties(PacketTypes.CONNECT, **terms)}
    client.connect("127.0.0.1", address["port"], keepalive=keep_alive, **options)
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
    connect(
        client,
        wanted.get("clean", True),
        wanted.get("keepAliveS", 60),
        SessionExpiryInterval=wanted.get("sessionExpiryS"),
        ReceiveMaximum=wanted.get("receiveMaximum"),
        MaximumPacketSize=wanted.get("packetBytesMax"),
    )
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
    for line in sys.stdin:
        message = json.loads(line)
        client.publish(message["topic"], message["payload"], qos=message.get("qos", 0))
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


def told(reason_code, theirs):
    heard = {"reasonCode": reason_code.value}
    names = {
        "reasonString": "ReasonString",
        "assignedClientId": "AssignedClientIdentifier",
        "serverKeepAliveS": "ServerKeepAlive",
        "receiveMaximum": "ReceiveMaximum",
        "packetBytesMax": "MaximumPacketSize",
        "sessionExpiryS": "SessionExpiryInterval",
    }
    for ours, name in names.items():
        if hasattr(theirs, name):
            heard[ours] = getattr(theirs, name)
    return heard


def visit(wanted):
    heard = {}
    changed = threading.Condition()

    def note(kind, reason_code, theirs, **more):
        with changed:
            heard.setdefault(kind, {**told(reason_code, theirs), **more})
            changed.notify()

    client = open_client(wanted["clientId"])
    client.username_pw_set(wanted["userName"], wanted.get("password", "secret"))
    client.on_connect = lambda _c, _u, flags, code, theirs: note(
        "connack", code, theirs, sessionPresent=flags.session_present
    ) or connected.set()
    client.on_subscribe = lambda _c, _u, _m, codes, theirs: note("suback", codes[0], theirs)
    client.on_unsubscribe = lambda _c, _u, _m, codes, theirs: note("unsuback", codes[0], theirs)
    client.on_publish = lambda _c, _u, _m, code, theirs: note("puback", code, theirs)
    client.on_disconnect = lambda _c, _u, _f, code, theirs: note("disconnect", code, theirs)
    connect(
        client,
        wanted.get("clean", True),
        SessionExpiryInterval=wanted.get("sessionExpiryS"),
        AuthenticationMethod=wanted.get("authenticationMethod"),
    )
    awaited = {"connack"}
    if heard["connack"]["reasonCode"] == 0:
        if "subscribe" in wanted:
            awaited.add("suback")
            client.subscribe(wanted["subscribe"], qos=1)
        if "unsubscribe" in wanted:
            awaited.add("unsuback")
            client.unsubscribe(wanted["unsubscribe"])
        for message in wanted.get("publish", []):
            awaited.add("puback")
            client.publish(message["topic"], message["payload"], qos=message.get("qos", 0))
    with changed:
        changed.wait_for(lambda: "disconnect" in heard or awaited <= heard.keys(), 10)
        answers = dict(heard)
    say(answers)
    client.disconnect()
    client.loop_stop()


if "subscribe" in request:
    listen(request["subscribe"])
elif "visit" in request:
    visit(request["visit"])
else:
    publish(request["clientId"], request["publish"])
