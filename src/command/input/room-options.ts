import { VarveError } from '../../base/varve-error.ts';
import type { Room } from '../../server/netboot/room/room.ts';
import type { NetbootPorts } from '../../server/netboot/server-place.ts';
import type { NetbootOptions } from '../netboot-verb.ts';

/** The options that say what is served to machines, and where. */
export const roomOptionNames = [
  ...(['config', 'interface', 'image', 'boot', 'overlay', 'dhcp', 'range', 'files', 'kernel', 'initramfs'] as const),
  ...(['root', 'arguments', 'port', 'user'] as const),
];

/**
 * The room of `--config`, or the one that the other options make.
 *
 * @throws VarveError `INVALID`
 */
export async function roomOfOptions(options: NetbootOptions): Promise<Room> {
  if (options.config === undefined) {
    const { roomOf } = await import('../../server/netboot/room/room-of.ts');
    return roomOf(options);
  }
  const other = (
    ['image', 'boot', 'overlay', 'dhcp', 'range', 'files', 'kernel', 'initramfs', 'root', 'arguments'] as const
  ).find((name) => options[name] !== undefined);
  if (other !== undefined) {
    throw new VarveError('INVALID', `--${other} does not go with --config; write it into ${options.config}`);
  }
  const { readRoom } = await import('../../server/netboot/room/parse-room.ts');
  return withInterfaces(await readRoom(options.config), options);
}

/** What is said on the command line is what this machine calls its interfaces. */
export function withInterfaces(room: Room, { interface: interfaces }: NetbootOptions): Room {
  return interfaces === undefined ? room : { ...room, interfaces };
}

/** The ports that `--port http=8080` and the like come to. @throws VarveError `INVALID` */
export async function portsOf(given: readonly string[]): Promise<NetbootPorts> {
  const { usualPorts } = await import('../../server/netboot/server-place.ts');
  const ports: Record<string, number> = { ...usualPorts };
  const names: Readonly<Record<string, string>> = {
    ...{ dhcp: 'dhcpServer', 'dhcp-client': 'dhcpClient', 'port-map': 'portMap' },
  };
  for (const text of given) {
    const [, word = '', digits = ''] = /^([a-z-]+)=(\d{1,5})$/.exec(text) ?? [];
    const name = names[word] ?? word;
    if (!Object.hasOwn(usualPorts, name) || Number(digits) < 1 || Number(digits) > 65_535) {
      const words = 'dhcp, dhcp-client, tftp, http, https, nbd, iscsi, nfs, port-map';
      throw new VarveError('INVALID', `--port ${text}: say it as http=8080, with one of ${words}`);
    }
    ports[name] = Number(digits);
  }
  return ports as unknown as NetbootPorts;
}

/** Whether a room boots no image, so that a store that is not there yet is none too few: leases and traces are kept in it. */
export function needsNoImage({ entries }: Room): boolean {
  return [...entries.values()].every(({ image }) => image === undefined);
}
