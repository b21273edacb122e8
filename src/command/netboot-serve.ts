import type { ServedPlace } from '../server/netboot/place-servers.ts';
import type { Room } from '../server/netboot/room/room.ts';
import type { CommandContext } from './framework/command-context.ts';
import { needsNoImage, portsOf, roomOfOptions, roomOptionNames, withInterfaces } from './input/room-options.ts';
import type { NetbootVerb } from './netboot-verb.ts';

/** `varve netboot`, with nothing behind it: serves a room of machines until it is stopped. */
export const serveVerb: NetbootVerb = {
  words: [],
  options: roomOptionNames,
  async run(context, _words, options) {
    const signal = await context.startWork();
    const { config } = options;
    const [{ Privileges }, { NetbootServer }] = await Promise.all([
      import('../server/netboot/privileges.ts'),
      import('../server/netboot/netboot-server.ts'),
    ]);
    const room = await roomOfOptions(options);
    const ports = await portsOf(options.port ?? []);
    const privileges = Privileges.take(options.user, context.storePath);
    const { ControlServer } = await import('../server/control/control-server.ts');
    const { watchRoom } = await import('../server/netboot/room/watch-room.ts');
    await using store = await context.openStore({ create: needsNoImage(room) });
    // An entry of a room may wait for its image; who names one alone has misspelt it.
    const { image } = options;
    if (image !== undefined && store.images.pendingNumber(image) === undefined) store.images.resolve(image);
    await using control = await ControlServer.listen();
    await using server = await NetbootServer.start({ room, store, control, ports, privileges, signal });
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
