/** Devices: the catalog's rows with their live status, tokens, metrics and how they connect. */
import type { DeviceChanges, NewDevice, SeriesChanges } from '@fieldline/catalog';
import type { ApiContext, GroupHandlers } from '../../handlers.ts';
import { defined, found, notFound, pageOf, splitVersion } from '../../text.ts';
import { connectInfo } from './connect-info.ts';
import { deviceJson, metricJson } from './device-json.ts';

export function deviceHandlers(context: ApiContext): GroupHandlers<'devices'> {
  return {
    list: async ({ query, catalog }) => {
      const { status, sort, order, ...rest } = query;
      const filter = defined({
        ...rest,
        connectivityStatus: status,
        sort: sort === 'status' ? 'connectivityStatus' : sort,
        descending: order === undefined ? undefined : order === 'desc',
      } as const);
      return pageOf(await catalog.devices.list(filter), query, (device) => deviceJson(context, device));
    },

    counts: async ({ catalog }) => ({ ...(await catalog.devices.countByConnectivity()) }),

    create: async ({ body, catalog, request }) => {
      const { device, token } = await catalog.devices.create(defined(body) as NewDevice);
      return { device: deviceJson(context, device), token, connect: connectInfo(context, device, request) };
    },

    get: async ({ params, catalog }) =>
      deviceJson(context, found(await catalog.devices.get(params.deviceId), 'device', params.deviceId)),

    patch: async ({ params, body, catalog }) => {
      const { changes, options } = splitVersion(body);
      const { id } = found(await catalog.devices.get(params.deviceId), 'device', params.deviceId);
      return deviceJson(context, await catalog.devices.update(id, defined(changes) as DeviceChanges, options));
    },

    delete: async ({ params, catalog }) => {
      const { id } = found(await catalog.devices.get(params.deviceId), 'device', params.deviceId);
      await catalog.devices.delete(id);
    },

    rotateToken: async ({ params, catalog, request }) => {
      const { id } = found(await catalog.devices.get(params.deviceId), 'device', params.deviceId);
      const { device, token } = await catalog.devices.rotateToken(id);
      return { device: deviceJson(context, device), token, connect: connectInfo(context, device, request) };
    },

    revokeToken: async ({ params, catalog }) => {
      const { id } = found(await catalog.devices.get(params.deviceId), 'device', params.deviceId);
      await catalog.devices.revokeToken(id);
    },

    connect: async ({ params, catalog, request }) =>
      connectInfo(context, found(await catalog.devices.get(params.deviceId), 'device', params.deviceId), request),

    metrics: async ({ params, catalog }) => {
      const { id } = found(await catalog.devices.get(params.deviceId), 'device', params.deviceId);
      return { deviceId: id, items: (await catalog.series.listOf(id)).map(metricJson) };
    },

    patchMetric: async ({ params, body, catalog }) => {
      const { id } = found(await catalog.devices.get(params.deviceId), 'device', params.deviceId);
      const series = await catalog.series.find(id, params.metricKey);
      if (series === null) throw notFound('metric', params.metricKey);
      return metricJson(await catalog.series.update(series.id, defined(body) as SeriesChanges));
    },
  };
}
