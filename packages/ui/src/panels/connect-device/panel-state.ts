/** Lines to copy, made from what the server says about its addresses. Pure text. */
import type { Answer } from '@fieldline/contract/client';

export type ConnectInfo = Answer<'devices', 'connect'>;
export const LANGUAGES = ['mosquitto', 'node', 'python', 'http'] as const;
export type Language = (typeof LANGUAGES)[number];

/** The lines for a device; `token` and `apiKey` may be placeholders. */
export function linesOf(language: Language, connect: ConnectInfo, token: string, apiKey: string): string {
  switch (language) {
    case 'mosquitto':
      return mosquitto(connect, token);
    case 'node':
      return node(connect, token);
    case 'python':
      return python(connect, token);
    case 'http':
      return http(connect, apiKey);
  }
}

function mosquitto({ mqtt, topics, examplePayload }: ConnectInfo, token: string): string {
  const tls = mqtt.port === null ? ' --tls-use-os-certs' : '';
  return [
    `mosquitto_pub -V 5 -q 1${tls} -h ${shell(mqtt.host)} -p ${mqtt.port ?? mqtt.tlsPort ?? 1883} \\`,
    `  -i ${shell(mqtt.clientId)} -u ${shell(mqtt.username)} \\`,
    `  -P ${shell(token)} \\`,
    `  -t ${shell(topics.telemetry)} \\`,
    `  -m ${shell(withoutTime(examplePayload))}`,
  ].join('\n');
}

function node({ mqtt, topics, examplePayload }: ConnectInfo, token: string): string {
  const url = mqtt.port === null ? `mqtts://${mqtt.host}:${mqtt.tlsPort ?? 8883}` : `mqtt://${mqtt.host}:${mqtt.port}`;
  return [
    `// npm install mqtt`,
    `import mqtt from 'mqtt';`,
    ``,
    `const client = await mqtt.connectAsync(${js(url)}, {`,
    `  protocolVersion: 5,`,
    `  clientId: ${js(mqtt.clientId)},`,
    `  username: ${js(mqtt.username)},`,
    `  password: ${js(token)},`,
    `});`,
    `const message = ${withoutTime(examplePayload)};`,
    `await client.publishAsync(${js(topics.telemetry)}, JSON.stringify(message), { qos: 1 });`,
    `await client.endAsync();`,
  ].join('\n');
}

function python({ mqtt, topics, examplePayload }: ConnectInfo, token: string): string {
  const tls = mqtt.port === null ? ['client.tls_set()'] : [];
  return [
    `# pip install paho-mqtt`,
    `import json`,
    `import paho.mqtt.client as mqtt`,
    ``,
    `client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=${js(mqtt.clientId)}, protocol=mqtt.MQTTv5)`,
    `client.username_pw_set(${js(mqtt.username)}, ${js(token)})`,
    ...tls,
    `client.connect(${js(mqtt.host)}, ${mqtt.port ?? mqtt.tlsPort ?? 1883})`,
    `client.loop_start()`,
    `message = ${pythonLiteral(withoutTime(examplePayload))}`,
    `client.publish(${js(topics.telemetry)}, json.dumps(message), qos=1).wait_for_publish()`,
    `client.disconnect()`,
  ].join('\n');
}

function http({ http: door, mqtt, examplePayload }: ConnectInfo, apiKey: string): string {
  const body = { deviceId: mqtt.username, ...parsed(withoutTime(examplePayload)) };
  return [
    `curl -sS -X POST ${shell(door.url)} \\`,
    `  -H ${shell(`${door.header}: ${apiKey}`)} \\`,
    `  -H 'Content-Type: application/json' \\`,
    `  -d ${shell(JSON.stringify(body))}`,
  ].join('\n');
}

/** For a POSIX shell: in single quotes unless nothing needs them. */
function shell(text: string): string {
  return /^[A-Za-z0-9_./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** A string literal that JavaScript and Python both read. */
function js(text: string): string {
  return JSON.stringify(text);
}

function parsed(payload: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(payload);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
  } catch {
    return {}; // Not JSON: the example then stands without it, and the device's own payload goes there.
  }
}

/** Without `ts` the received time counts: an old example would else write into the past. */
function withoutTime(payload: string): string {
  const { ts: _ts, ...rest } = parsed(payload);
  return Object.keys(rest).length === 0 ? payload : JSON.stringify(rest);
}

function pythonLiteral(json: string): string {
  return json
    .replace(/\btrue\b/g, 'True')
    .replace(/\bfalse\b/g, 'False')
    .replace(/\bnull\b/g, 'None');
}
