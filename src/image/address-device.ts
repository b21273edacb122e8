import { VarveError } from '../base/varve-error.ts';
import type { BlockDevice } from '../block/block-device.ts';
import type { DiskAddress } from './disk-address.ts';

/** How what others serve is opened. */
export interface AddressDeviceOptions {
  /** Connections that requests are spread over, where the server lets that be. */
  readonly connections?: number | undefined;
  /** Whether it is to be written; that it cannot be is an error then. */
  readonly writable?: boolean | undefined;
}

/**
 * Opens what is served at an address: a disk at an NBD address, a file at one of HTTP.
 *
 * @throws VarveError `NOT_FOUND`, `PERMISSION`, `READ_ONLY` for what is to be written and cannot be, `UNSUPPORTED`,
 *   `CORRUPT`, `IO`
 */
export async function openAddressDevice(
  address: DiskAddress,
  { connections, writable = false }: AddressDeviceOptions = {},
): Promise<BlockDevice> {
  if (address.kind === 'http') {
    if (writable) throw new VarveError('READ_ONLY', `cannot write ${address.label}: files over HTTP are only read`);
    const { openHttpDevice } = await import('../block/http/http-device.ts');
    return await openHttpDevice(address.http, { connections });
  }
  const { openNbdDevice } = await import('../block/nbd/nbd-device.ts');
  const device = await openNbdDevice(address.nbd, {
    readOnly: !writable,
    ...(connections === undefined ? {} : { connections }),
  });
  if (!writable || device.supports.write) return device;
  await device[Symbol.asyncDispose]();
  throw new VarveError('READ_ONLY', `cannot write ${address.label}: the server lets nobody write`);
}

/** The format that what is served has where nobody names one: the disk of a guest is not looked into for one. */
export function formatAtAddress({ kind }: DiskAddress, format: string | undefined): string | undefined {
  return format ?? (kind === 'nbd' ? 'raw' : undefined);
}
