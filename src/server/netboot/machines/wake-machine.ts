import dgram from 'node:dgram';
import { isIPv4 } from 'node:net';
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';
import { systemError, VarveError } from '../../../base/varve-error.ts';
import { hardwareAddressBytes } from '../../../bytes/hardware-address.ts';
import { macOf, requireMac } from '../../../image/machine/mac-address.ts';
import { encodeMagicPacket } from '../../../protocol/wake-on-lan/magic-packet.ts';

/** Who is woken, and where. */
export interface WakeOptions {
  readonly mac: string;
  /** The interface that it is sent on; all with an IPv4 address where nothing is given. */
  readonly interface?: string | undefined;
  /** Its SecureOn password: six bytes as a MAC is written, or four as an IPv4 address is. */
  readonly password?: string | undefined;
  /** 9 (discard) by default. */
  readonly port?: number | undefined;
}

const discardPort = 9;

/**
 * Sends a Wake-on-LAN packet to everybody in the networks of this machine. Where it was sent to.
 *
 * @throws VarveError `INVALID`, `NOT_FOUND` for an interface that is not there or has no IPv4 address, `IO`
 */
export async function wakeMachine(options: WakeOptions): Promise<string[]> {
  const mac = hardwareAddressBytes(requireMac(options.mac));
  const packet = encodeMagicPacket(mac, options.password === undefined ? undefined : passwordOf(options.password));
  const targets = broadcastsOf(networkInterfaces(), options.interface);
  for (const target of targets) await send(packet, target, options.port ?? discardPort);
  return targets.map(({ to }) => to);
}

/** An address of ours, and that of everybody in its network. */
export interface Broadcast {
  readonly from: string;
  readonly to: string;
}

/** The networks to send to. @throws VarveError `NOT_FOUND` */
export function broadcastsOf(
  interfaces: Readonly<Record<string, NetworkInterfaceInfo[] | undefined>>,
  only: string | undefined,
): Broadcast[] {
  const named = only === undefined ? Object.values(interfaces).flat() : interfaces[only];
  const found = (named ?? []).flatMap((each) => {
    if (each === undefined || each.family !== 'IPv4' || (each.internal && only === undefined)) return [];
    return [{ from: each.address, to: broadcastOf(each.address, each.netmask) }];
  });
  if (found.length > 0) return found;
  const what = only === undefined ? 'no interface' : `${only} ${named === undefined ? 'is no interface here, or' : ''}`;
  throw new VarveError('NOT_FOUND', `cannot wake a machine: ${what} has no IPv4 address; ip address lists them`);
}

function broadcastOf(address: string, netmask: string): string {
  const mask = netmask.split('.').map(Number);
  return address
    .split('.')
    .map((part, index) => (Number(part) & mask[index]!) | (~mask[index]! & 0xff))
    .join('.');
}

async function send(packet: Uint8Array, { from, to }: Broadcast, port: number): Promise<void> {
  const socket = dgram.createSocket('udp4');
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(0, from, () => {
        socket.setBroadcast(true);
        socket.send(packet, port, to, (error) => (error === null ? resolve() : reject(error)));
      });
    });
  } catch (cause) {
    throw systemError(`send to ${to}`, cause);
  } finally {
    socket.close();
  }
}

function passwordOf(text: string): Uint8Array {
  if (isIPv4(text)) return Uint8Array.from(text.split('.').map(Number));
  const mac = macOf(text);
  if (mac !== undefined) return hardwareAddressBytes(mac);
  // It is a secret: it is not repeated.
  throw new VarveError('INVALID', 'a SecureOn password is 6 bytes as 01:02:03:04:05:06, or 4 as 1.2.3.4');
}
