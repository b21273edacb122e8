import fs from 'node:fs';
import { join } from 'node:path';
import { Mutex } from '../../base/mutex.ts';
import { isVarveError, VarveError } from '../../base/varve-error.ts';
import { log } from '../../log/log.ts';
import { formatIpv4 } from '../../protocol/dhcp/ipv4.ts';
import { parseReference } from '../../store/image-name.ts';
import type { Store } from '../../store/store.ts';
import type { ControlServer } from '../control/control-server.ts';
import { LeaseJournal } from '../dhcp/lease-journal.ts';
import type { FileSource } from '../files/file-source.ts';
import { guestSource } from '../files/guest-source.ts';
import { openNfsDisks } from '../nfs/disk-exports.ts';
import { keptHandleKey } from '../nfs/handle-key.ts';
import type { NfsExports } from '../nfs/nfs-export.ts';
import { BootStarter } from './boot-starter.ts';
import { readChapLogin } from './chap-secrets.ts';
import { findPlace } from './find-place.ts';
import { findLoaders } from './loaders/find-loaders.ts';
import { Machines } from './machines/machines.ts';
import type { ChapLogin } from './menus/root-place.ts';
import { netbootFiles } from './netboot-files.ts';
import { netbootGuests } from './netboot-guests.ts';
import { type PlaceParts, PlaceServers, type ServedPlace } from './place-servers.ts';
import type { Privileges } from './privileges.ts';
import { RamImages } from './ram/ram-images.ts';
import type { BootMethod, Room } from './room/room.ts';
import { settingsOf } from './room/settings-of.ts';
import { requireGoodTemplates } from './room-templates.ts';
import { SeenMachines } from './seen-machines.ts';
import type { NetbootPorts, ServerPlace } from './server-place.ts';
import { TemplateServer } from './templates/template-server.ts';
import { machineStep } from './trace/file-steps.ts';
import { traceDirectory } from './trace/read-trace.ts';
import { BootTrace } from './trace/trace.ts';

/** What is served to which machines. */
export interface NetbootOptions {
  readonly room: Room;
  readonly store: Store;
  /** Where commands talk to the server. */
  readonly control: ControlServer;
  readonly ports: NetbootPorts;
  /** Dropped once all ports are open. */
  readonly privileges: Privileges;
  /** Started for a moment, to be looked at: it keeps its privileges, and makes nothing ready for boots. */
  readonly isTrial?: boolean | undefined;
  readonly signal: AbortSignal;
}

/** Everything that a room of machines needs, on the interfaces of this machine. Disposing ends it. */
export class NetbootServer implements AsyncDisposable {
  readonly #options: NetbootOptions;
  readonly #resources = new AsyncDisposableStack();
  readonly #places: PlaceServers[] = [];
  readonly #seen = new SeenMachines();
  readonly #changing = new Mutex();
  #room: Room;
  /** Read once for each room, so that machines are told what their disks want. */
  #chap: ChapLogin | undefined;
  #prepare = (): void => {};

  private constructor(options: NetbootOptions) {
    this.#options = options;
    this.#room = options.room;
  }

  /**
   * Starts all servers of a room.
   *
   * @throws VarveError for interfaces and loaders that are not there, ports that cannot be had, and `BUSY` where `dhcp: server`
   *   finds another server
   */
  static async start(options: NetbootOptions): Promise<NetbootServer> {
    const server = new NetbootServer(options);
    try {
      await server.#start();
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  get places(): ServedPlace[] {
    return this.#places.map(({ served }) => served);
  }

  /** Goes on with another room; boots that are under way are not touched. @throws VarveError, and the room before goes on */
  async change(room: Room): Promise<void> {
    using _lock = await this.#changing.lock();
    const [before, chapBefore] = [this.#room, this.#chap];
    for (const name of ['interfaces', 'loaders', 'certificates'] as const) {
      if (JSON.stringify(room[name]) === JSON.stringify(before[name])) continue;
      throw new VarveError('INVALID', `${name} cannot change while the server runs; start it again`);
    }
    const chap = await requireGood(room, findPlace(room.interfaces[0]!, this.#options.ports));
    [this.#room, this.#chap] = [room, chap];
    try {
      for (const place of this.#places) await place.change();
      this.#prepare();
    } catch (error) {
      [this.#room, this.#chap] = [before, chapBefore];
      // Those that have changed already change back.
      for (const place of this.#places) await place.change().catch((again) => log.error(again));
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources[Symbol.asyncDispose]();
  }

  async #start(): Promise<void> {
    const { control, isTrial = false, ports, privileges, signal, store } = this.#options;
    const room = (): Room => this.#room;
    const { interfaces } = this.#room;
    if (interfaces.length === 0) {
      throw new VarveError('INVALID', 'name the network interface that machines are on: --interface eth1');
    }
    const found = interfaces.map((name) => findPlace(name, ports));
    this.#chap = await requireGood(this.#room, found[0]!);
    const directory = traceDirectory(store.path);
    fs.mkdirSync(directory, { recursive: true });
    const isKnown = (mac: string): boolean => settingsOf(this.#room, { mac, uuid: this.#seen.get(mac).uuid }).isKnown;
    const trace = this.#resources.use(new BootTrace({ directory, isKnown }));
    const journal = this.#resources.use(LeaseJournal.open(join(directory, 'leases')));
    for (const { address, expiresMs, hardwareAddress } of journal.leases())
      if (expiresMs > Date.now()) this.#seen.note(hardwareAddress, { address: formatIpv4(address) });
    const machines = this.#resources.use(
      await Machines.open(store, control, {
        onEvent: (event) => {
          const step = machineStep(event, event.protocol ?? 'iscsi');
          if (step !== undefined) trace.note(step);
        },
      }),
    );
    const guests = netbootGuests(store);
    const allowed = (disk: string): boolean => isServed(disk, this.#room, machines);
    const images = this.#resources.use(guestSource(guests, { allowed }));
    const isPacked = (disk: string): boolean => isNamed(disk, this.#room, 'ram');
    const ram = this.#resources.use(new RamImages({ directory: join(directory, 'ram'), guests, allowed: isPacked }));
    const templates = new TemplateServer();
    const secrets = (): Room['secrets'] => this.#room.secrets;
    const chap = (): ChapLogin | undefined => this.#chap;
    const nfs = this.#resources.use(await openNfsDisks([], { store: async () => store, all: true }));
    const nfsKey = await keptHandleKey(join(directory, 'nfs-handles.key'));
    const starter = new BootStarter({ machines, guests, templates, chap, secrets, ram });
    const loaders = findLoaders(this.#room.loaders);
    const files: FileSource = netbootFiles({ room, loaders: loaders.source, images, ram, templates });
    const parts: PlaceParts = {
      ...{ room, chap, trace, journal, machines, starter, files, loaders, templates, signal, nfsKey },
      nfs: servedOnly(nfs, allowed),
      seen: this.#seen,
    };
    await privileges.asRoot(async () => {
      for (const place of found) this.#places.push(this.#resources.use(await PlaceServers.start(place, parts)));
    });
    if (isTrial) return;
    privileges.drop();
    this.#prepare = () => void starter.prepare(this.#room.entries.values());
    this.#prepare();
  }
}

/** The room's secrets. @throws VarveError for secrets and templates that are not as they have to be */
async function requireGood(room: Room, place: ServerPlace): Promise<ChapLogin | undefined> {
  await requireGoodTemplates(room, place);
  return readChapLogin(room.chap);
}

/** Those exports that machines of the room may mount. Who has mounted one already goes on with it. */
function servedOnly(exports: NfsExports, allowed: (disk: string) => boolean): NfsExports {
  return {
    find: async (name) => (allowed(name) ? await exports.find(name) : undefined),
    withId: (id) => exports.withId(id),
    list: () => [...exports.list()].filter(allowed),
  };
}

/** Whether files of a disk are served: of images that the room names, or that a machine boots. */
function isServed(disk: string, room: Room, machines: Machines): boolean {
  const image = imageOf(disk);
  return image !== undefined && (isNamed(disk, room) || machines.boots(image));
}

/** Whether an entry of the room boots a disk's image, in some way or in this one. */
function isNamed(disk: string, room: Room, boot?: BootMethod): boolean {
  const image = imageOf(disk);
  const fitting = [...room.entries.values()].filter((entry) => boot === undefined || entry.boot === boot);
  return image !== undefined && fitting.some((entry) => entry.image !== undefined && imageOf(entry.image) === image);
}

function imageOf(disk: string): string | undefined {
  try {
    return parseReference(disk).image;
  } catch (error) {
    if (!isVarveError(error)) throw error;
    return undefined;
  }
}
