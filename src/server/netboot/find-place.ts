import os from 'node:os';
import { VarveError } from '../../base/varve-error.ts';
import { formatHardwareAddress } from '../../bytes/hardware-address.ts';
import { interfaceAddress } from '../../linux/interface-address.ts';
import type { NetbootPorts, ServerPlace } from './server-place.ts';

/**
 * Where machines on a network interface find us: at its first IPv4 address. Nothing need be connected to it yet.
 *
 * @throws VarveError `NOT_FOUND` for an interface that is not there, `INVALID` for one without an address
 */
export function findPlace(interfaceName: string, ports: NetbootPorts): ServerPlace {
  const found = interfaceAddress(interfaceName);
  if (found === undefined) {
    const names = Object.keys(os.networkInterfaces()).filter((name) => name !== 'lo');
    throw new VarveError('NOT_FOUND', `there is no network interface ${interfaceName}; there are ${names.join(', ')}`);
  }
  const { hardwareAddress, ipv4 } = found;
  if (ipv4 === undefined) {
    throw new VarveError('INVALID', `${interfaceName} has no IPv4 address; give it one: ip address add …`);
  }
  return {
    interfaceName,
    address: ipv4.address.join('.'),
    prefix: ipv4.mask.reduce((count, byte) => count + bitCount(byte), 0),
    hardwareAddress: formatHardwareAddress(hardwareAddress),
    ports,
  };
}

function bitCount(byte: number): number {
  return byte.toString(2).replaceAll('0', '').length;
}
