import { macOf } from '../../../image/machine/mac-address.ts';
import type { ListedExport } from '../../../protocol/nbd/negotiation.ts';
import { overlayBlockSize } from '../../../store/overlay/map-header.ts';
import { type ExportEntry, type NbdExports, offerOf } from '../../nbd/nbd-export.ts';
import type { Machine } from './machine.ts';
import type { MachineProtocol } from './machine-types.ts';

const supports = { write: true, trim: true, zero: true, extents: true } as const;

/** The disks of machines as exports, each called by the machine's MAC with dashes. */
export class MachineExports implements NbdExports {
  readonly #machines: ReadonlyMap<string, Machine>;
  readonly #protocol: MachineProtocol | undefined;

  /** `protocol` is what events say of those who connect. */
  constructor(machines: ReadonlyMap<string, Machine>, protocol?: MachineProtocol) {
    this.#machines = machines;
    this.#protocol = protocol;
  }

  *list(): Iterable<ListedExport> {
    for (const [name, { disk, label }] of this.#machines) if (disk !== undefined) yield { name, description: label };
  }

  has(name: string): boolean {
    return this.#machineOf(name)?.disk !== undefined;
  }

  /** Opened when somebody connects; the size is known before. */
  find(name: string): ExportEntry | undefined {
    const machine = this.#machineOf(name);
    const boot = machine?.record.boot;
    if (machine?.disk === undefined || boot === undefined) return undefined;
    const { disk, label } = machine;
    const protocol = this.#protocol;
    return {
      offer: offerOf({ device: { size: boot.size, blockSize: overlayBlockSize, supports }, description: label }),
      async connect() {
        try {
          return await disk.connect(protocol);
        } catch (error) {
          machine.tell('failed', (error as Error).message, protocol);
          throw error;
        }
      },
    };
  }

  #machineOf(name: string): Machine | undefined {
    const mac = macOf(name);
    return mac === undefined ? undefined : this.#machines.get(mac);
  }
}
