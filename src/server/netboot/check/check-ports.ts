import dgram from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';
import type { BootMethod, Room } from '../room/room.ts';
import type { ServerPlace } from '../server-place.ts';
import { type Finding, ok, problem } from './finding.ts';

/** A port that a room's servers listen on. */
export interface NeededPort {
  readonly what: string;
  readonly protocol: 'udp' | 'tcp';
  readonly port: number;
}

/** The ports that a room needs; those of DHCP are others', too. */
export function neededPorts({ certificates, dhcp, entries }: Room, { ports }: ServerPlace): NeededPort[] {
  const methods = new Set(Array.from(entries.values(), ({ boot }) => boot));
  const has = (...wanted: BootMethod[]): boolean => wanted.some((method) => methods.has(method));
  const all: (readonly [boolean, NeededPort])[] = [
    [dhcp !== 'off', { what: 'DHCP', protocol: 'udp', port: ports.dhcpServer }],
    [dhcp === 'proxy' || dhcp === 'auto', { what: 'proxyDHCP', protocol: 'udp', port: 4011 }],
    [true, { what: 'TFTP', protocol: 'udp', port: ports.tftp }],
    [true, { what: 'HTTP', protocol: 'tcp', port: ports.http }],
    [certificates !== undefined, { what: 'HTTPS', protocol: 'tcp', port: ports.https }],
    [has('nbd'), { what: 'NBD', protocol: 'tcp', port: ports.nbd }],
    [has('iscsi', 'sanboot'), { what: 'iSCSI', protocol: 'tcp', port: ports.iscsi }],
    [has('nfs'), { what: 'NFS', protocol: 'tcp', port: ports.nfs }],
  ];
  return all.filter(([isNeeded]) => isNeeded).map(([, port]) => port);
}

/** Whether the ports can be had that a room needs, while nobody serves it. */
export async function* checkPorts(room: Room, place: ServerPlace): AsyncGenerator<Finding> {
  for (const { port, protocol, what } of neededPorts(room, place)) {
    const name = `${place.interfaceName}: ${what}, ${protocol} port ${port}`;
    const code = protocol === 'udp' ? await tryUdp(port, place.address) : await tryTcp(port, place.address);
    if (code === undefined) yield ok(name, 'free');
    else if (code === 'EACCES') yield problem(name, 'only root may listen there; run it as root, or use --port');
    else if (code === 'EADDRINUSE') yield problem(name, 'another program listens there; end that, or use --port');
    else yield problem(name, `cannot be listened on: ${code}`);
  }
}

async function tryUdp(port: number, address: string): Promise<string | undefined> {
  const socket = dgram.createSocket({ type: 'udp4', reuseAddr: port === 67 });
  try {
    const isListening = once(socket, 'listening');
    socket.bind(port, address);
    await isListening;
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  } finally {
    socket.close();
  }
}

async function tryTcp(port: number, host: string): Promise<string | undefined> {
  const server = net.createServer();
  try {
    const isListening = once(server, 'listening');
    server.listen(port, host);
    await isListening;
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  } finally {
    server.close();
  }
}
