/** The form of a new device: what is checked before the server is asked. */
import type { Body } from '@fieldline/contract/client';
import type { DeviceKind } from '../../faces/KindIcon.tsx';

export interface DeviceForm {
  readonly name: string;
  readonly key: string;
  readonly kind: DeviceKind;
  readonly siteId: string | null;
  readonly serialNumber: string;
}

export const EMPTY_FORM: DeviceForm = { name: '', key: '', kind: 'machine', siteId: null, serialNumber: '' };

/** As the contract has it. */
const KEY = /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$/;

/** Whether the key could be one; empty is fine, the id is used then. */
export function isKeyGood(key: string): boolean {
  return key === '' || KEY.test(key);
}

export function isComplete(form: DeviceForm): boolean {
  return form.name.trim() !== '' && isKeyGood(form.key.trim());
}

/** What is sent: only what was filled in. */
export function bodyOf(form: DeviceForm): Body<'devices', 'create'> {
  const key = form.key.trim();
  const serialNumber = form.serialNumber.trim();
  return {
    name: form.name.trim(),
    kind: form.kind,
    ...(key === '' ? {} : { key }),
    ...(form.siteId === null ? {} : { siteId: form.siteId }),
    ...(serialNumber === '' ? {} : { serialNumber }),
  };
}
