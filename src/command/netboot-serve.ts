import { VarveError } from '../base/varve-error.ts';
import type { ServedPlace } from '../server/netboot/place-servers.ts';
import type { Room } from '../server/netboot/room/room.ts';
import type { NetbootPorts } from '../server/netboot/server-place.ts';
import type { CommandContext } from './framework/command-context.ts';
import type { NetbootOptions, NetbootVerb } from './netboot-verb.ts';

/** `varve netboot`, with nothing behind it: serves a room of machines until it is stopped. */
export const serveVerb: NetbootVerb = {
  words: [],
  options: [
    ...(['config', 'interface', 'image', 'boot', 'overlay', 'dhcp', 'range', 'files', 'kernel', 'initramfs'] as const),
    ...(['root', 'arguments', 'port', 'user'] as const),
  ],
  async run(context, _words, options) {
    const signal = await context.startWork();
    const { config } = options;
    const [{ Privileges }, { NetbootServer }] = await Promise.all([
      import('../server/netboot/privileges.ts'),
      import('../server/netboot/netboot-server.ts'),
    ]);
    const room = await roomOf(options);
    const ports = await portsOf(options.port ?? []);
    const privileges = Privileges.take(options.user, context.storePath);
    const { ControlServer } = await import('../server/control/control-server.ts');
    const { watchRoom } = await import('../server/netboot/room/watch-room.ts');
    await using store = await context.openStore();
    await using control = await ControlServer.listen();
    const onFailure: NonNullable<Parameters<typeof NetbootServer.start>[0]['onFailure']> = ({ machine }, { failure }) =>
      context.remark(`${machine} failed to boot (${failure?.stage}): ${failure?.reason}`);
    await using server = await NetbootServer.start({ room, store, control, ports, privileges, signal, onFailure });
    show(context, server.places, privileges.user);
    const change = async (changed: Room): Promise<void> => {
      try {
        await server.change(withInterfaces(changed, options));
        context.remark(`${config} was read again`);
      } catch (error) {
        context.remark(`${config} stays as it was: ${(error as Error).message}`);
      }
    };
    const onError = (error: unknown): void => context.remark(`the room stays as it was: ${(error as Error).message}`);
    using _watch =
      config === undefined ? undefined : watchRoom(config, { onRoom: (each) => void change(each), onError });
    if (!signal.aborted)
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  },
};

/** @throws VarveError `INVALID` */
async function roomOf(options: NetbootOptions): Promise<Room> {
  if (options.config === undefined) {
    const { roomOf: roomOfOptions } = await import('../server/netboot/room/room-of.ts');
    return roomOfOptions(options);
  }
  const other = (
    ['image', 'boot', 'overlay', 'dhcp', 'range', 'files', 'kernel', 'initramfs', 'root', 'arguments'] as const
  ).find((name) => options[name] !== undefined);
  if (other !== undefined) {
    throw new VarveError('INVALID', `--${other} does not go with --config; write it into ${options.config}`);
  }
  const { readRoom } = await import('../server/netboot/room/parse-room.ts');
  return withInterfaces(await readRoom(options.config), options);
}

/** What is said on the command line is what this machine calls its interfaces. */
function withInterfaces(room: Room, { interface: interfaces }: NetbootOptions): Room {
  return interfaces === undefined ? room : { ...room, interfaces };
}

/** `http=8080` and the like. @throws VarveError `INVALID` */
async function portsOf(given: readonly string[]): Promise<NetbootPorts> {
  const { usualPorts } = await import('../server/netboot/server-place.ts');
  const ports: Record<string, number> = { ...usualPorts };
  const names: Readonly<Record<string, string>> = {
    ...{ dhcp: 'dhcpServer', 'dhcp-client': 'dhcpClient', 'port-map': 'portMap' },
  };
  for (const text of given) {
    const [, word = '', digits = ''] = /^([a-z-]+)=(\d{1,5})$/.exec(text) ?? [];
    const name = names[word] ?? word;
    if (!Object.hasOwn(usualPorts, name) || Number(digits) < 1 || Number(digits) > 65_535) {
      const words = 'dhcp, dhcp-client, tftp, http, nbd, iscsi, nfs, port-map';
      throw new VarveError('INVALID', `--port ${text}: say it as http=8080, with one of ${words}`);
    }
    ports[name] = Number(digits);
  }
  return ports as unknown as NetbootPorts;
}

const dhcpWords = {
  server: 'gives out addresses',
  proxy: 'answers beside another DHCP server',
  off: 'answers no DHCP',
};

function show(context: CommandContext, places: readonly ServedPlace[], user: string | undefined): void {
  context.show({ interfaces: places, user }, () =>
    places
      .map(({ address, because, dhcp, http, interfaceName }) => {
        const why = because === undefined ? '' : ` (${because})`;
        return `serving ${interfaceName} at ${address}: ${dhcpWords[dhcp]}${why}, ${http}`;
      })
      .join('\n'),
  );
  if (user !== undefined) context.remark(`going on as user ${user}`);
}
