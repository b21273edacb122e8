import fs from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { VarveError } from '../../base/varve-error.ts';
import { interfaceAddress } from '../../linux/interface-address.ts';
import type { NetbootPorts, ServerPlace } from './server-place.ts';

const interfacesDirectory = '/sys/class/net';

/**
 * Where machines on a network interface find us: at its first IPv4 address. Nothing need be connected to it yet.
 *
 * @throws VarveError `NOT_FOUND` for an interface that is not there, `INVALID` for one without an address
 */
export function findPlace(interfaceName: string, ports: NetbootPorts): ServerPlace {
  const directory = join(interfacesDirectory, interfaceName);
  if (!/^[^/]+$/.test(interfaceName) || !fs.existsSync(directory)) {
    const names = Object.keys(os.networkInterfaces()).filter((name) => name !== 'lo');
    throw new VarveError('NOT_FOUND', `there is no network interface ${interfaceName}; there are ${names.join(', ')}`);
  }
  const own = interfaceAddress(interfaceName);
  if (own === undefined) {
    throw new VarveError('INVALID', `${interfaceName} has no IPv4 address; give it one: ip address add …`);
  }
  return {
    interfaceName,
    address: own.address.join('.'),
    prefix: own.mask.reduce((count, byte) => count + bitCount(byte), 0),
    hardwareAddress: fs.readFileSync(join(directory, 'address'), 'latin1').trim(),
    ports,
  };
}

function bitCount(byte: number): number {
  return byte.toString(2).replaceAll('0', '').length;
}
