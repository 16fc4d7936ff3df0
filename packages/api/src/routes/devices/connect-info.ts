/** How a device connects: addresses, names and topics, so that people can copy them. */
import type { Device } from '@fieldline/catalog';
import type { ConnectInfo } from '@fieldline/contract';
import type { FastifyRequest } from 'fastify';
import type { ApiDependencies } from '../../dependencies.ts';

/** The broker's host is the one under which the caller reached the api, where the settings name none. */
export function connectInfo(
  { mqttAddress, settings }: Pick<ApiDependencies, 'mqttAddress' | 'settings'>,
  device: Pick<Device, 'id' | 'organizationId'>,
  request: FastifyRequest,
): ConnectInfo {
  const mqtt = mqttAddress();
  const baseUrl = settings.publicUrl ?? `${request.protocol}://${request.host}`;
  return {
    mqtt: {
      host: mqtt.host ?? request.hostname.replace(/^\[|\]$/g, ''),
      port: mqtt.port,
      tlsPort: mqtt.tlsPort,
      username: device.id,
      clientId: device.id,
    },
    topics: {
      telemetry: `v1/telemetry/${device.organizationId}/${device.id}`,
      protobuf: `robots/${device.id}/sensors/{sensorType}/data`,
    },
    http: { url: `${baseUrl.replace(/\/$/, '')}/api/v1/webhook/sensor-data`, header: 'X-API-Key' },
    examplePayload: '{"metrics":{"temperature":21.5,"pressure":{"value":4.2,"unit":"bar"}}}',
  };
}
