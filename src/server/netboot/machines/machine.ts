import { Mutex } from '../../../base/mutex.ts';
import type { MachineRecord } from '../../../store/machine/machine-record.ts';
import type { MachineDisk, MachineDiskListener } from './machine-disk.ts';
import type { BeginOptions, MachineEvent, MachineProtocol } from './machine-types.ts';

/** What a server does for all of its machines. */
export interface MachineHost {
  tell(event: MachineEvent): void;
  /** Lets what a machine's record says be kept, some time. */
  keepLater(machine: Machine): void;
  idleMs(): number;
}

/** The same boot asked for again, which came to nothing the first time. */
const retryMs = 60_000;

/** A machine, as a server has it: what is known of it, and the disk of its boot. */
export class Machine implements MachineDiskListener {
  readonly lock = new Mutex();
  record: MachineRecord;
  disk: MachineDisk | undefined;
  /** Whether the present boot goes on with an overlay that was kept. */
  isKept = false;
  readonly #host: MachineHost;
  /** What the present boot was asked for with, until somebody connects; and the image that `next` had said. */
  #asked: { readonly options: BeginOptions; readonly image: string } | undefined;

  constructor(record: MachineRecord, host: MachineHost) {
    this.record = record;
    this.#host = host;
  }

  get connectionCount(): number {
    return this.disk?.connectionCount ?? 0;
  }

  /** `web@3 of alice` */
  get label(): string {
    const { boot, mac, name } = this.record;
    const who = name ?? mac;
    return boot === undefined ? who : `${boot.image.name}@${boot.number} of ${who}`;
  }

  /** Remembers what a boot was asked for with. */
  asked(options: BeginOptions, image: string): void {
    this.#asked = { options, image };
  }

  /** The image that the same boot was from, where it is asked for again and nobody has connected. */
  imageOfRetry({ entry, image, overlay }: BeginOptions): string | undefined {
    const before = this.#asked?.options;
    const isSame = before?.entry === entry && before.image === image && before.overlay === overlay;
    const isSoon = Date.now() - (this.record.boot?.sinceMs ?? 0) < retryMs;
    return isSame && isSoon ? this.#asked?.image : undefined;
  }

  connected(protocol?: MachineProtocol): void {
    this.#asked = undefined;
    this.#touch({});
    this.tell('login', this.label, protocol);
  }

  disconnected(protocol?: MachineProtocol): void {
    this.#touch({});
    this.tell('logout', this.label, protocol);
  }

  wrote(): void {
    this.#touch({ firstWriteMs: Date.now() });
    this.tell('first-write', this.label);
  }

  idleMs(): number {
    return this.#host.idleMs();
  }

  /** Something happened, of which whoever follows the machine hears. */
  tell(kind: MachineEvent['kind'], detail: string, protocol?: MachineProtocol): void {
    const { mac, name } = this.record;
    this.#host.tell({ mac, name, timeMs: Date.now(), kind, detail, protocol, connectionCount: this.connectionCount });
  }

  #touch(changes: Partial<MachineRecord>): void {
    this.record = { ...this.record, ...changes, lastContactMs: Date.now() };
    this.#host.keepLater(this);
  }
}
