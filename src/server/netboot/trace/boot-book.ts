import { LruMap } from '../../../base/lru.ts';
import { type Boot, canBegin, GrowingBoot } from './boot.ts';
import { fileKey, macOfName } from './file-key.ts';
import type { TraceStep } from './trace-step.ts';

/** How much is remembered. */
export interface BootBookOptions {
  readonly maximumMachines: number;
  /** Of each machine, the newest. */
  readonly maximumBoots: number;
  /** Of machines that have come no further than to DHCP and are not known. */
  readonly maximumStrangers: number;
  readonly isKnown?: ((mac: string) => boolean) | undefined;
}

/** A step that has found its machine and boot. */
export interface PlacedStep {
  /** With the machine's MAC address where that is known, and texts of bounded length. */
  readonly step: TraceStep;
  readonly boot: Boot;
  readonly isNewBoot: boolean;
  readonly isStranger: boolean;
}

const addressCount = 4096;
const longestText = 300;
const mostFiles = 16;

/** Puts steps together to boots, in bounded memory whoever sends what. Addresses are known by what DHCP gave. */
export class BootBook {
  readonly #options: BootBookOptions;
  /** By machine; those that were heard of last stand last. */
  readonly #machines = new Map<string, GrowingBoot[]>();
  readonly #strangers = new Map<string, GrowingBoot[]>();
  readonly #macs = new LruMap<string, string>(addressCount);

  constructor(options: BootBookOptions) {
    this.#options = options;
  }

  /** @returns undefined where the step belongs to no boot, as those of a system that only renews its address */
  take(given: TraceStep): PlacedStep | undefined {
    const step = this.#identified(given);
    const machine = step.mac ?? step.address;
    if (machine === undefined) return undefined;
    const known = this.#machines.get(machine);
    const boots = known ?? this.#strangers.get(machine) ?? [];
    const before = boots.at(-1);
    if (before === undefined && !canBegin(step)) return undefined;
    const isNewBoot = before === undefined || before.endsBefore(step);
    const boot = isNewBoot ? this.#begin(machine, boots) : before;
    boot.add(step);
    const isStranger = known === undefined && !boot.isBeyondDhcp && !this.#options.isKnown?.(machine);
    this.#keep(machine, boots, isStranger);
    return { step, boot, isNewBoot, isStranger };
  }

  /** The boots of each machine, the oldest first; machines in the order in which they were heard of last. */
  boots(): (readonly Boot[])[] {
    return [...this.#strangers.values(), ...this.#machines.values()];
  }

  #begin(machine: string, boots: GrowingBoot[]): GrowingBoot {
    const last = boots.at(-1);
    if (last !== undefined) last.isReplaced = true;
    const boot = new GrowingBoot(machine);
    boots.push(boot);
    if (boots.length > this.#options.maximumBoots) boots.shift();
    return boot;
  }

  #keep(machine: string, boots: GrowingBoot[], isStranger: boolean): void {
    const { maximumMachines, maximumStrangers } = this.#options;
    this.#machines.delete(machine);
    this.#strangers.delete(machine);
    const [map, most] = isStranger ? [this.#strangers, maximumStrangers] : [this.#machines, maximumMachines];
    map.set(machine, boots);
    if (map.size > most) map.delete(map.keys().next().value!);
  }

  #identified(given: TraceStep): TraceStep {
    const step = bounded(given);
    const { address } = step;
    const known = address === undefined ? undefined : this.#macs.get(address);
    const isFailed = step.kind === 'file' && step.failure !== undefined;
    // What a machine is refused by name is another one's.
    const named = step.kind === 'file' && step.status !== 403 ? macOfName(step.name) : undefined;
    const mac = step.mac?.toLowerCase() ?? (isFailed ? (known ?? named) : (named ?? known));
    const tellsAddress =
      step.kind === 'ack' || step.kind === 'request' || step.kind === 'entry' || (named && !isFailed);
    if (tellsAddress && mac !== undefined && address !== undefined) this.#macs.set(address, mac);
    return mac === step.mac ? step : { ...step, mac };
  }
}

/** Texts come from packets: none is kept that is longer than any of use. */
function bounded(step: TraceStep): TraceStep {
  const entries = Object.entries(step).filter(([, value]) => value !== undefined);
  const short = Object.fromEntries(
    entries.map(([key, value]) => [key, typeof value === 'string' ? value.slice(0, longestText) : value]),
  ) as unknown as TraceStep;
  if (short.kind === 'file') return { ...short, name: fileKey(short.name) };
  if (short.kind === 'entry' && short.files !== undefined) {
    return { ...short, files: short.files.slice(0, mostFiles).map(fileKey) };
  }
  return short;
}
