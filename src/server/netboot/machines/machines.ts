import { VarveError } from '../../../base/varve-error.ts';
import type { CommitMachine } from '../../../image/machine/commit-machine.ts';
import { findMachine } from '../../../image/machine/find-machine.ts';
import { holdMachines } from '../../../image/machine/hold-machines.ts';
import { requireMac } from '../../../image/machine/mac-address.ts';
import { bootStack, knownMachines } from '../../../image/machine/machine-overlays.ts';
import { completeNote, type SnapshotDetails } from '../../../image/snapshot-details.ts';
import { log } from '../../../log/log.ts';
import { hexOf } from '../../../store/chunk.ts';
import { type MachineRecord, newMachine } from '../../../store/machine/machine-record.ts';
import { machineOf } from '../../../store/overlay/machine-owner.ts';
import type { Store } from '../../../store/store.ts';
import type { ControlServer } from '../../control/control-server.ts';
import type { NbdExports } from '../../nbd/nbd-export.ts';
import { BeginQueue } from './begin-queue.ts';
import { LateRecords } from './late-records.ts';
import { listMachines } from './list-machines.ts';
import { Machine, type MachineHost } from './machine.ts';
import { answerForMachines } from './machine-control.ts';
import { MachineDisk } from './machine-disk.ts';
import { MachineExports } from './machine-exports.ts';
import type {
  BeginOptions,
  MachineBoot,
  MachineCommit,
  MachineProtocol,
  MachineStatus,
  MachinesOptions,
} from './machine-types.ts';
import { type MachineWorkers, machineThreads, workHere } from './machine-workers.ts';

const defaultIdleMs = 60_000;
/** When more disks than that are open with nobody there, the next is closed at once. */
const mostIdle = 64;
const defaultMaximum = 10_000;

/** What is committed to which image. */
export interface CommitOptions extends SnapshotDetails {
  /** The machine, by MAC or name. */
  readonly machine: string;
  /** An image that is there, or the name of a new one. */
  readonly image: string;
  /** The machine's disk becomes the next snapshot although others have come since, whose changes are not in it. */
  readonly force?: boolean | undefined;
}

/**
 * The machines of a store that boot over the network: what each boots, on which overlay, and its disk. One process has them
 * at a time. What it knows is in the store, and after a crash the next one goes on with it: machines that run connect again
 * to the disk that they had, with all that they had flushed.
 */
export class Machines implements AsyncDisposable, MachineHost {
  /** The disk of each machine that has begun a boot, called by its MAC with dashes; for NBD and iSCSI servers. */
  readonly exports: NbdExports;
  readonly #store: Store;
  readonly #options: MachinesOptions;
  readonly #machines = new Map<string, Machine>();
  readonly #resources = new AsyncDisposableStack();
  readonly #workers: MachineWorkers;
  readonly #late: LateRecords;
  readonly #begins: BeginQueue;

  private constructor(store: Store, workers: MachineWorkers, options: MachinesOptions) {
    this.#store = store;
    this.#workers = workers;
    this.#options = options;
    this.exports = new MachineExports(this.#machines);
    this.#late = new LateRecords(workers);
    this.#begins = new BeginQueue(workers);
  }

  /**
   * Makes this process the one that has a store's machines. With `control`, where others talk to it, it is a server, and
   * what waits for the disk is done in threads; without, it does one thing and ends.
   *
   * @throws VarveError `BUSY` naming who has them, `READ_ONLY`
   */
  static async open(
    store: Store,
    control: ControlServer | undefined,
    options: MachinesOptions & { readonly purpose?: string } = {},
  ): Promise<Machines> {
    const { purpose = 'netboot' } = options;
    await using stack = new AsyncDisposableStack();
    stack.use(holdMachines(store, purpose, control?.path));
    const machines = new Machines(store, control === undefined ? workHere(store) : machineThreads(store), options);
    for (const [mac, record] of knownMachines(store)) machines.#machines.set(mac, new Machine(record, machines));
    for (const machine of machines.#machines.values()) machines.#setDisk(machine);
    if (control !== undefined) stack.use(answerForMachines(control, machines));
    machines.#resources.use(stack.move());
    machines.#resources.use(machines.#workers);
    machines.#resources.defer(() => machines.#endAll());
    return machines;
  }

  /**
   * Begins a boot: gives the machine its disk, and ends the connections that it had. Asked for again before anybody
   * connected, it is the same boot.
   *
   * @throws VarveError `NOT_FOUND` for an image that is not there, `INVALID`, `BUSY`, `NO_SPACE`, `IO`
   */
  async begin(options: BeginOptions): Promise<MachineBoot> {
    const mac = requireMac(options.mac);
    const machine = this.#machines.get(mac) ?? (await this.#add(mac));
    using _lock = await machine.lock.lock();
    const retried = machine.record.next === undefined ? machine.imageOfRetry(options) : undefined;
    const image = machine.record.next ?? retried ?? options.image;
    // What is not there must not cost a machine its disk.
    if (this.#store.images.pendingNumber(image) === undefined) this.#store.images.resolve(image);
    if (retried === undefined || !this.#isCurrent(machine, retried)) await this.#beginAnew(machine, options, image);
    machine.asked(options, image);
    const { boot, name } = machine.record;
    const { entry, image: booted, number, overlay, sinceMs, size } = boot!;
    return {
      ...{ mac, name, entry, number, size, overlay, sinceMs, image: booted.name, exportName: mac },
      reference: `${booted.name}@${number}`,
      isKept: machine.isKept,
    };
  }

  /**
   * Makes what a machine's disk holds at this moment the next snapshot of an image, or the first of a new one; it may run.
   *
   * @throws VarveError `NOT_FOUND`, `CONFLICT` where the image has moved on or is not the machine's own, `BUSY`, `NO_SPACE`
   */
  async commit({ machine: text, image: target, force = false, ...details }: CommitOptions): Promise<MachineCommit> {
    const machine = this.#get(text);
    using _lock = await machine.lock.lock();
    const { committed, mac, name } = machine.record;
    const stack = bootStack(this.#store, machine.record);
    const note = completeNote(details, `Committed from ${name ?? mac}`);
    const commit: CommitMachine = { stack, target, note, force, committed, machine: name ?? mac };
    await this.#workers.do({ kind: 'require', commit });
    if (machine.disk?.isOpen !== true) await this.#workers.do({ kind: 'settle', stack });
    await machine.disk?.cover(await this.#workers.do({ kind: 'cover', stack }));
    const { isBase, snapshot } = await this.#workers.do({ kind: 'commit', commit });
    if (snapshot === undefined) return { snapshot };
    if (isBase) await machine.disk?.shorten(snapshot.root);
    const { boot } = machine.record;
    const rebased = isBase && boot !== undefined ? { boot: { ...boot, number: snapshot.number } } : {};
    await this.#keep(machine, { ...rebased, committed: isBase ? undefined : hexOf(snapshot.id) });
    machine.tell('commit', `${snapshot.image}@${snapshot.number}`);
    return { snapshot };
  }

  /**
   * Drops a machine's overlays: those over an image, by default the one that it booted last; all of them where it has not
   * booted since the last time. The images they were over.
   *
   * @throws VarveError `NOT_FOUND`, `BUSY` while it is connected, unless `force` ends that
   */
  async reset(
    text: string,
    { force = false, image }: { force?: boolean; image?: string | undefined } = {},
  ): Promise<string[]> {
    const machine = this.#get(text);
    using _lock = await machine.lock.lock();
    const { boot } = machine.record;
    const used = boot && this.#imageNamed(boot.image.uuid);
    const isUsed = image === undefined || image === used;
    if (isUsed) await this.#endDisk(machine, { force, isDropped: true });
    const { mac } = machine.record;
    const dropped = await this.#workers.do({ kind: 'drop', mac, image: image ?? used });
    if (isUsed) {
      machine.disk = undefined;
      await this.#keep(machine, { boot: undefined, firstWriteMs: undefined, committed: undefined });
    }
    machine.tell('reset', dropped.join(', '));
    return dropped;
  }

  /** Lets a machine's next boot, whatever its entry says, be from an image, once; from none in particular with `undefined`. */
  async setNext(text: string, image: string | undefined): Promise<void> {
    const mac = findMachine(this.#named(), text);
    if (image !== undefined) this.#store.images.resolve(image);
    const machine = this.#machines.get(mac) ?? (await this.#add(mac));
    using _lock = await machine.lock.lock();
    await this.#keep(machine, { next: image });
  }

  /**
   * Makes what a machine has written durable, so that other processes can read it. Whether it is connected, and may go on.
   *
   * @throws VarveError `NOT_FOUND`, `IO`
   */
  async flush(text: string): Promise<boolean> {
    const machine = this.#get(text);
    await machine.disk?.flush();
    return machine.connectionCount > 0;
  }

  /** What `exports` has, for a server of one protocol, by which events then say how a machine came. */
  exportsOver(protocol: MachineProtocol): NbdExports {
    return new MachineExports(this.#machines, protocol);
  }

  /** Whether some machine has booted an image last. */
  boots(image: string): boolean {
    for (const { record } of this.#machines.values()) if (record.boot?.image.name === image) return true;
    return false;
  }

  /** All machines that are known. */
  list(): MachineStatus[] {
    const records = [...this.#machines.values()].map(({ record }) => record);
    return listMachines(this.#store, records, (mac) => (this.#machines.get(mac)?.connectionCount ?? 0) > 0);
  }

  tell(event: Parameters<MachineHost['tell']>[0]): void {
    this.#options.onEvent?.(event);
  }

  keepLater({ record }: Machine): void {
    this.#late.add(record.mac, () => {
      const machine = this.#machines.get(record.mac);
      // Whoever has it locked keeps all of it, and later than this.
      return machine?.lock.locked ? undefined : machine?.record;
    });
  }

  idleMs(): number {
    let idle = 0;
    for (const { connectionCount, disk } of this.#machines.values())
      if (disk?.isOpen && connectionCount === 0) idle += 1;
    return idle > mostIdle ? 0 : (this.#options.idleMs ?? defaultIdleMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }

  async #beginAnew(machine: Machine, options: BeginOptions, image: string): Promise<void> {
    const { entry, overlay } = options;
    const { mac } = machine.record;
    await this.#endDisk(machine, { force: true, isDropped: machine.record.boot?.overlay === 'discard' });
    const { name = machine.record.name } = options;
    const fresh = { firstWriteMs: undefined, next: undefined, lastContactMs: Date.now() };
    const record: MachineRecord = { ...machine.record, ...fresh, name };
    const begin = { mac, entry, image, overlay };
    const { boot, isKept } = await this.#begins.begin(begin, record).catch((error) => {
      this.#setDisk(machine);
      throw error;
    });
    machine.record = { ...record, boot, committed: isKept ? record.committed : undefined };
    machine.isKept = isKept;
    this.#setDisk(machine);
    machine.tell('begin', machine.label);
  }

  /** Whether a boot that nobody has connected to is what it would be now. */
  #isCurrent({ isKept, record }: Machine, reference: string): boolean {
    if (record.boot === undefined || this.#store.images.pendingNumber(reference) !== undefined) return false;
    return isKept || this.#store.images.resolve(reference).number === record.boot.number;
  }

  /** The disk of what a machine's record says that it booted, where its overlay is there. */
  #setDisk(machine: Machine): void {
    const { boot, firstWriteMs } = machine.record;
    machine.disk = undefined;
    if (boot === undefined) return;
    try {
      const who = bootStack(this.#store, machine.record);
      const about = { label: machine.label, hasWritten: firstWriteMs !== undefined };
      machine.disk = new MachineDisk(this.#store, who, about, machine);
    } catch (error) {
      log(1, '%s', (error as Error).message);
    }
  }

  async #endDisk(machine: Machine, { force, isDropped }: { force: boolean; isDropped: boolean }): Promise<void> {
    const { disk } = machine;
    if (disk === undefined) return;
    const count = disk.connectionCount;
    if (count > 0 && !force) {
      const { mac, name } = machine.record;
      throw new VarveError('BUSY', `machine ${name ?? mac} is connected; switch it off first, or --force ends that`);
    }
    if (count > 0) machine.tell('cut', machine.label);
    try {
      await disk.end({ isDropped });
    } catch (error) {
      // What could not be kept of a boot that is over.
      log.error(error);
    }
  }

  async #keep(machine: Machine, changes: Partial<MachineRecord>): Promise<void> {
    machine.record = { ...machine.record, ...changes };
    await this.#workers.do({ kind: 'record', records: [machine.record] });
  }

  /** A machine that is new; where there are too many, the one that was not heard of for longest is forgotten. */
  async #add(mac: string): Promise<Machine> {
    const { maximumMachines = defaultMaximum } = this.#options;
    if (this.#machines.size >= maximumMachines) await this.#forgetOne(maximumMachines);
    const known = this.#machines.get(mac);
    if (known !== undefined) return known;
    const machine = new Machine(newMachine(mac), this);
    this.#machines.set(mac, machine);
    return machine;
  }

  async #forgetOne(maximum: number): Promise<void> {
    const owners = this.#store.overlays.all().map(({ owner }) => machineOf(owner));
    const kept = new Set(owners.flatMap((owner) => (owner?.overlay === 'keep' ? [owner.mac] : [])));
    const free = [...this.#machines.values()].filter(
      ({ connectionCount, lock, record }) => connectionCount === 0 && !lock.locked && !kept.has(record.mac),
    );
    const oldest = free.sort((a, b) => a.record.lastContactMs - b.record.lastContactMs)[0];
    if (oldest === undefined) {
      throw new VarveError(
        'BUSY',
        `there are ${maximum} machines already, all connected or with overlays that are kept`,
      );
    }
    const { mac } = oldest.record;
    this.#machines.delete(mac);
    await oldest.disk?.end();
    await this.#workers.do({ kind: 'forget', mac });
  }

  #get(text: string): Machine {
    const machine = this.#machines.get(findMachine(this.#named(), text));
    if (machine !== undefined) return machine;
    throw new VarveError('NOT_FOUND', `machine ${text} is not known; varve netboot clients lists those that are`);
  }

  #named(): MachineRecord[] {
    return [...this.#machines.values()].map(({ record }) => record);
  }

  #imageNamed(uuid: string): string | undefined {
    return this.#store.images.all().find((image) => image.uuid === uuid)?.name;
  }

  async #endAll(): Promise<void> {
    for (const { disk } of this.#machines.values()) await disk?.end();
    await this.#late[Symbol.asyncDispose]();
  }
}
