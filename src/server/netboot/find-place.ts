import fs from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { VarveError } from '../../base/varve-error.ts';
import type { NetbootPorts, ServerPlace } from './server-place.ts';

/**
 * Where machines on a network interface find us: at its first IPv4 address.
 *
 * @throws VarveError `NOT_FOUND` for an interface that is not there, `INVALID` for one without an address
 */
export function findPlace(interfaceName: string, ports: NetbootPorts): ServerPlace {
  const interfaces = os.networkInterfaces();
  const addresses = interfaces[interfaceName];
  const own = addresses?.find(({ family }) => family === 'IPv4');
  if (own !== undefined) {
    const prefix = Number(own.cidr?.split('/')[1] ?? 32);
    return { interfaceName, address: own.address, prefix, hardwareAddress: own.mac, ports };
  }
  // Node knows only those that have an address.
  if (addresses !== undefined || fs.existsSync(join('/sys/class/net', interfaceName))) {
    throw new VarveError('INVALID', `${interfaceName} has no IPv4 address; give it one: ip address add …`);
  }
  const names = Object.keys(interfaces).filter((name) => name !== 'lo');
  throw new VarveError('NOT_FOUND', `there is no network interface ${interfaceName}; there are ${names.join(', ')}`);
}
