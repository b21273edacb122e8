import { readFile } from 'node:fs/promises';
import { isVarveError, systemError } from '../base/varve-error.ts';

const path = '/proc/net/arp';
/** The address is known (ATF_COM). */
const completeFlag = 2;

/**
 * The hardware address of a host that a network interface leads to, as the kernel knows it: `52:54:00:12:34:56`; undefined
 * where it knows none, or is not Linux. Of IPv4 alone.
 *
 * @throws VarveError by errno
 */
export async function neighbourAddress(address: string, interfaceName: string): Promise<string | undefined> {
  try {
    return findNeighbour(await readFile(path, 'latin1'), address, interfaceName);
  } catch (error) {
    const cause = systemError(`read ${path}`, error);
    if (isVarveError(cause, 'NOT_FOUND')) return undefined;
    throw cause;
  }
}

/**
 * Looks for a host in the text of `/proc/net/arp`, a heading and a line for each:
 *
 *   10.9.0.50        0x1         0x2         52:54:00:12:34:56     *        eth1
 *
 * Source: proc(5); arp(7).
 */
export function findNeighbour(table: string, address: string, interfaceName: string): string | undefined {
  for (const line of table.split('\n').slice(1)) {
    if (!line.startsWith(`${address} `)) continue;
    const [, , flags, hardwareAddress, , device] = line.split(/ +/);
    if (device === interfaceName && (Number(flags) & completeFlag) !== 0) return hardwareAddress?.toLowerCase();
  }
  return undefined;
}
