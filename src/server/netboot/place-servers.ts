import { isVarveError, VarveError } from '../../base/varve-error.ts';
import { dashedMac } from '../../bytes/hardware-address.ts';
import { neighbourAddress } from '../../linux/neighbours.ts';
import { log } from '../../log/log.ts';
import { clientOf, type DhcpClient } from '../../protocol/dhcp/client.ts';
import { formatIpv4, parseIpv4 } from '../../protocol/dhcp/ipv4.ts';
import { numberOf } from '../../protocol/dhcp/option-codec.ts';
import { messageTypes, optionCodes } from '../../protocol/dhcp/option-codes.ts';
import type { Subnet } from '../../protocol/dhcp/subnet.ts';
import { type DhcpEvent, type DhcpServer, listenDhcp } from '../dhcp/dhcp-server.ts';
import { findDhcpServers } from '../dhcp/find-servers.ts';
import type { LeaseJournal } from '../dhcp/lease-journal.ts';
import type { FileSource } from '../files/file-source.ts';
import { type HttpEvent, listenHttp } from '../http/http-server.ts';
import { type IscsiServerOptions, listenIscsi, type RefusedLogin } from '../iscsi/iscsi-server.ts';
import type { NbdExports } from '../nbd/nbd-export.ts';
import { listenNbd } from '../nbd/nbd-server.ts';
import type { MountEvent } from '../nfs/mount-program.ts';
import type { NfsExports } from '../nfs/nfs-export.ts';
import { listenNfs } from '../nfs/nfs-server.ts';
import { listenTftp } from '../tftp/tftp-server.ts';
import { BootFiles } from './boot-files.ts';
import { bootPlanFor, scriptlessEntry, silenceFor } from './boot-plans.ts';
import type { BootStarter } from './boot-starter.ts';
import { targetSecrets } from './chap-secrets.ts';
import type { FoundLoaders } from './loaders/find-loaders.ts';
import type { Machines } from './machines/machines.ts';
import type { ChapLogin } from './menus/root-place.ts';
import type { BootMethod, DhcpMode, Entry, Room } from './room/room.ts';
import { settingsOf } from './room/settings-of.ts';
import { subnetsOf } from './room/subnets-of.ts';
import type { SeenMachines } from './seen-machines.ts';
import { httpOf, type ServerPlace } from './server-place.ts';
import type { TemplateServer } from './templates/template-server.ts';
import { dhcpSteps } from './trace/dhcp-steps.ts';
import { httpStep, tftpStep } from './trace/file-steps.ts';
import type { BootTrace } from './trace/trace.ts';

/** What the servers of all interfaces share. */
export interface PlaceParts {
  readonly room: () => Room;
  /** The secrets of the room. */
  readonly chap: () => ChapLogin | undefined;
  readonly trace: BootTrace;
  readonly journal: LeaseJournal;
  readonly machines: Machines;
  readonly starter: BootStarter;
  readonly files: FileSource;
  readonly loaders: FoundLoaders;
  readonly templates: TemplateServer;
  readonly seen: SeenMachines;
  readonly nfs: NfsExports;
  /** By which file handles are made. */
  readonly nfsKey: Uint8Array;
  readonly signal: AbortSignal;
}

/** One interface that machines are served on. */
export interface ServedPlace {
  readonly interfaceName: string;
  readonly address: string;
  readonly dhcp: Exclude<DhcpMode, 'auto'>;
  /** Why it is that, where it was found out. */
  readonly because?: string | undefined;
  readonly http: string;
}

/** More machines than that no room has; each has a connection or two. */
const maximumClients = 10_000;

/** The servers on one interface. */
export class PlaceServers implements AsyncDisposable {
  readonly #place: ServerPlace;
  readonly #parts: PlaceParts;
  readonly #resources = new AsyncDisposableStack();
  #dhcp: DhcpServer | undefined;
  #networks = '';
  #mode: ServedPlace['dhcp'] = 'off';
  #because: string | undefined;
  #files: BootFiles | undefined;
  /** Boots that are beginning, by the machine's MAC with dashes. */
  readonly #beginning = new Map<string, Promise<void>>();
  readonly #started = new Set<'nbd' | 'iscsi' | 'nfs'>();

  private constructor(place: ServerPlace, parts: PlaceParts) {
    this.#place = place;
    this.#parts = parts;
  }

  /** @throws VarveError as `NetbootServer.start` does */
  static async start(place: ServerPlace, parts: PlaceParts): Promise<PlaceServers> {
    const servers = new PlaceServers(place, parts);
    try {
      await servers.#start();
      return servers;
    } catch (error) {
      await servers[Symbol.asyncDispose]();
      throw error;
    }
  }

  get served(): ServedPlace {
    const { address, interfaceName } = this.#place;
    return { interfaceName, address, dhcp: this.#mode, because: this.#because, http: httpOf(this.#place) };
  }

  /** Starts what another room needs besides. @throws VarveError for ports that cannot be had */
  async change(): Promise<void> {
    const { dhcp } = this.#parts.room();
    if (dhcp !== 'auto' && dhcp !== this.#mode) {
      throw new VarveError('INVALID', 'dhcp cannot change while the server runs; start it again');
    }
    const networks = this.#networksNow();
    const subnets = this.#subnets();
    await this.#startDisks();
    if (networks === this.#networks) return;
    // Its port is root's, which we may not be any more: the sockets stay.
    this.#dhcp?.setSubnets(subnets);
    this.#networks = networks;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#dhcp?.[Symbol.asyncDispose]();
    await this.#resources[Symbol.asyncDispose]();
  }

  async #start(): Promise<void> {
    const { address: host, ports } = this.#place;
    const { files, loaders, room, seen, starter, trace } = this.#parts;
    const source = new BootFiles({
      ...{ room, place: this.#place, starter, files },
      modules: { hasMenu: loaders.files.has('menu.c32') },
      seen,
      known: {
        neighbour: (address) => neighbourAddress(address, this.#place.interfaceName),
        // What another server gives out is not known to us.
        leased: (mac) => (this.#mode === 'server' ? seen.get(mac).address : undefined),
      },
      onEntry: (step) => trace.note(step),
    });
    this.#files = source;
    await this.#listenHttp(source, ports.http);
    const { certificates } = room();
    if (certificates !== undefined) await this.#listenHttp(source, ports.https, { certificates });
    const tftp = { source, host, port: ports.tftp };
    this.#resources.use(await listenTftp({ ...tftp, onEvent: (event) => trace.note(tftpStep(event, Date.now())) }));
    await this.#startDisks();
    this.#mode = await this.#chooseMode(room().dhcp);
    // Last, so that whoever hears of files finds them.
    await this.#startDhcp();
  }

  async #listenHttp(source: FileSource, port: number, tls?: { readonly certificates: string }): Promise<void> {
    const { templates, trace } = this.#parts;
    const onEvent = (event: HttpEvent): void => {
      templates.noteTransfer(event);
      const step = httpStep(event, Date.now());
      if (step !== undefined) trace.note(step);
    };
    this.#resources.use(await listenHttp({ source, host: this.#place.address, port, tls, onEvent }));
  }

  async #chooseMode(wanted: DhcpMode): Promise<ServedPlace['dhcp']> {
    if (wanted === 'off' || wanted === 'proxy') return wanted;
    const { hardwareAddress, interfaceName, ports } = this.#place;
    const { signal } = this.#parts;
    const dhcpPorts = { server: ports.dhcpServer, client: ports.dhcpClient };
    const others = await findDhcpServers({ interfaceName, hardwareAddress, ports: dhcpPorts, signal });
    const names = others.map(formatIpv4).join(', ');
    if (others.length === 0) {
      if (wanted === 'auto') this.#because = 'nobody else answers';
      return 'server';
    }
    if (wanted === 'auto') {
      this.#because = `${names} gives out addresses`;
      return 'proxy';
    }
    throw new VarveError(
      'BUSY',
      `cannot give out addresses on ${interfaceName}: ${names} does already; use dhcp: proxy, or end that server`,
    );
  }

  async #startDhcp(): Promise<void> {
    if (this.#mode === 'off') return;
    const { address, interfaceName, ports } = this.#place;
    const { journal, room } = this.#parts;
    this.#networks = this.#networksNow();
    const subnets = this.#subnets();
    this.#dhcp = await listenDhcp({
      ...{ interfaceName, server: parseIpv4(address) },
      ports: { server: ports.dhcpServer, client: ports.dhcpClient },
      leases: this.#mode === 'server' ? { subnets, journal } : undefined,
      isKnown: (client) => settingsOf(room(), identityOf(client)).isKnown,
      planFor: (client) => {
        const settings = settingsOf(room(), identityOf(client));
        return bootPlanFor(client, settings, this.#place, this.#parts.loaders);
      },
      onEvent: (event) => this.#noteDhcp(event),
    });
  }

  #subnets(): Subnet[] {
    const { address, prefix } = this.#place;
    return subnetsOf(this.#parts.room(), { address: parseIpv4(address), prefix });
  }

  #networksNow(): string {
    const { machines, networks, ranges } = this.#parts.room();
    return JSON.stringify([networks, ranges, machines.map(({ address, mac }) => [mac, address])]);
  }

  #noteDhcp(event: DhcpEvent): void {
    const { loaders, room, seen, trace } = this.#parts;
    const client = clientOf(event.request);
    if (event.reply !== undefined) seen.note(client.hardwareAddress, { uuid: client.machine });
    const entry = scriptlessEntry(settingsOf(room(), identityOf(client)));
    if (client.isIpxe && entry !== undefined && this.#goesOn(event)) this.#begin(client.hardwareAddress, entry);
    for (const step of dhcpSteps(event, Date.now(), (each) => silenceFor(each, loaders))) {
      if (step.kind === 'ack' && step.mac !== undefined) seen.note(step.mac, { address: step.address });
      trace.note(step);
    }
    if (event.failure !== undefined) log.error(event.failure);
  }

  /** Whether iPXE has all it needs; a flood of machines that only ask begins no boots, where it is we who give addresses. */
  #goesOn({ reply }: DhcpEvent): boolean {
    if (this.#mode !== 'server' || reply === undefined) return reply !== undefined;
    const type = numberOf(reply.options.get(optionCodes.MESSAGE_TYPE), 1);
    return type === messageTypes.ACK && reply.yourAddress !== 0;
  }

  /** Begins the boot of a machine that asks for no script; who connects meanwhile waits for its disk. */
  #begin(mac: string, entry: Entry): void {
    const name = dashedMac(mac);
    if (this.#files === undefined || this.#beginning.has(name)) return;
    const beginning = this.#files.begin(mac, entry).finally(() => this.#beginning.delete(name));
    this.#beginning.set(name, beginning);
  }

  /** The disks of machines, also of those whose boot is just beginning. */
  #exportsOver(protocol: 'nbd' | 'iscsi'): NbdExports {
    const exports = this.#parts.machines.exportsOver(protocol);
    return {
      list: () => exports.list(),
      has: (name) => this.#beginning.has(name) || exports.has?.(name) === true,
      find: async (name) => {
        await this.#beginning.get(name);
        return await exports.find(name);
      },
    };
  }

  /** Starts the servers of disks that the room's entries need and that do not run yet. */
  async #startDisks(): Promise<void> {
    const { address: host, ports } = this.#place;
    const { chap, room } = this.#parts;
    const methods = new Set(Array.from(room().entries.values(), ({ boot }) => boot));
    const needs = (...wanted: BootMethod[]): boolean => wanted.some((method) => methods.has(method));
    if (needs('nbd') && !this.#started.has('nbd')) {
      this.#resources.use(
        await listenNbd({ kind: 'tcp', host, port: ports.nbd }, { exports: this.#exportsOver('nbd'), maximumClients }),
      );
      this.#started.add('nbd');
    }
    if (needs('iscsi', 'sanboot') && !this.#started.has('iscsi')) {
      const options: IscsiServerOptions = {
        ...{ exports: this.#exportsOver('iscsi'), maximumClients },
        // Of the room as it is when somebody logs in.
        get chap() {
          const login = chap();
          return login && targetSecrets(login);
        },
        onRefused: (refused) => this.#noteRefused(refused),
      };
      this.#resources.use(await listenIscsi({ host, port: ports.iscsi }, options));
      this.#started.add('iscsi');
    }
    if (needs('nfs') && !this.#started.has('nfs')) {
      this.#resources.use(await this.#listenNfs());
      this.#started.add('nfs');
    }
  }

  #noteRefused({ client: address, reason: failure, target = 'no target' }: RefusedLogin): void {
    const common = { timeMs: Date.now(), address, failure };
    this.#parts.trace.note({ ...common, kind: 'login', protocol: 'iscsi', disk: target });
  }

  /** Where another program tells clients the ports, or we may not, those are served that know them. */
  async #listenNfs(): Promise<AsyncDisposable> {
    const { address: host, ports } = this.#place;
    const { nfs: exports, nfsKey: key, trace } = this.#parts;
    const onEvent = ({ client: address, failure, method, path }: MountEvent): void => {
      const common = { timeMs: Date.now(), address };
      if (method === 'unmount') trace.note({ ...common, kind: 'end' });
      else trace.note({ ...common, kind: 'login', protocol: 'nfs', disk: path, failure });
    };
    const options = { host, port: ports.nfs, exports, key, onEvent };
    try {
      return await listenNfs({ ...options, portMapPort: ports.portMap });
    } catch (error) {
      if (!isVarveError(error, 'BUSY', 'PERMISSION')) throw error;
      log.error(error);
      return await listenNfs(options);
    }
  }
}

function identityOf({ hardwareAddress, machine }: DhcpClient): { mac: string; uuid: string | undefined } {
  return { mac: hardwareAddress, uuid: machine };
}
