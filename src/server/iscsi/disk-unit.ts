import { createHash } from 'node:crypto';
import { Mutex } from '../../base/mutex.ts';
import { isVarveError } from '../../base/varve-error.ts';
import type { BlockDevice, MaybePromise } from '../../block/block-device.ts';
import type { DiskIdentity } from '../../protocol/scsi/inquiry.ts';
import { defaultSettings, type ModeSettings } from '../../protocol/scsi/mode-pages.ts';
import { scsiStatus } from '../../protocol/scsi/operation-codes.ts';
import { Reservations } from '../../protocol/scsi/reservations.ts';
import { encodeSense, type Sense, senses } from '../../protocol/scsi/sense.ts';

/** How a command ended that did not end well. */
export interface Failure {
  /** Of `scsiStatus`. */
  readonly status: number;
  readonly sense?: Uint8Array;
}

/** `undefined` where a command ended well. */
export type Outcome = Failure | undefined;

/** Whoever waits for a command. */
export interface Waiter {
  /** Nobody waits any more, and what goes on for long may stop. */
  readonly isAborted: boolean;
}

/** What a command comes to, before anything of it is done. Offsets and lengths in bytes. */
export type Plan =
  | { readonly kind: 'done'; readonly outcome: Outcome }
  /** Is answered with bytes. */
  | { readonly kind: 'answer'; readonly bytes: Uint8Array }
  /** Is answered with what stands on the disk. */
  | { readonly kind: 'read'; readonly offset: number; readonly length: number }
  /** Is done when `run` is, and `run` when all data is there, or as much as the initiator has of it. */
  | {
      readonly kind: 'take';
      readonly length: number;
      /** The initiator must have exactly that much. */
      readonly isExact?: boolean;
      run(data: Uint8Array, waiter: Waiter): MaybePromise<Outcome>;
    }
  | { readonly kind: 'run'; run(waiter: Waiter): MaybePromise<Outcome | Uint8Array> };

/** A command was done, with nothing to be told. */
export const good: Plan = { kind: 'done', outcome: undefined };

/** A command ended with a reason. */
export function check(sense: Sense): Failure {
  return { status: scsiStatus.CHECK_CONDITION, sense: encodeSense(sense) };
}

/** A command that ends at once with a reason. */
export function refuse(sense: Sense): Plan {
  return { kind: 'done', outcome: check(sense) };
}

/** The most that one command reads or writes, in bytes. */
const maximumTransferLength = 2 ** 23;

/** What all sessions of one target share: who reserved the disk, what is set, and what each has to be told. */
export class UnitState {
  readonly reservations = new Reservations((nexus, sense) => this.tell(nexus, sense));
  settings: ModeSettings = defaultSettings;
  /** Held by whoever goes through a piece of the disk. */
  readonly walks = new Mutex();
  /** Where that is read to, or written from; only for who holds `walks`. */
  piece: Uint8Array | undefined;
  readonly #mutex = new Mutex();
  readonly #attentions = new Map<string, Sense>();
  readonly #nexuses = new Map<string, number>();

  /** Another session of an initiator's port; it learns first that this disk was switched on. */
  enter(nexus: string): void {
    this.#nexuses.set(nexus, (this.#nexuses.get(nexus) ?? 0) + 1);
    if (!this.#attentions.has(nexus)) this.#attentions.set(nexus, senses.powerOn);
  }

  /** What RESERVE took goes with the session. */
  leave(nexus: string): void {
    const left = (this.#nexuses.get(nexus) ?? 1) - 1;
    if (left > 0) {
      this.#nexuses.set(nexus, left);
      return;
    }
    this.#nexuses.delete(nexus);
    this.#attentions.delete(nexus);
    this.reservations.releaseSession(nexus);
  }

  /** What a nexus has to be told before anything else; forgotten with that. */
  takeAttention(nexus: string): Sense | undefined {
    const sense = this.#attentions.get(nexus);
    if (sense !== undefined) this.#attentions.delete(nexus);
    return sense;
  }

  tell(nexus: string, sense: Sense): void {
    if (this.#nexuses.has(nexus)) this.#attentions.set(nexus, sense);
  }

  tellOthers(nexus: string, sense: Sense): void {
    for (const name of this.#nexuses.keys()) if (name !== nexus) this.#attentions.set(name, sense);
  }

  /** Does what must not be done beside others of its kind. */
  async exclusively<T>(action: () => Promise<T>): Promise<T> {
    using _held = await this.#mutex.lock();
    return await action();
  }

  reset(): void {
    this.reservations.reset();
    this.settings = defaultSettings;
    for (const name of this.#nexuses.keys()) this.#attentions.set(name, senses.unitReset);
  }
}

/** A disk as one session sees it. */
export interface DiskUnit extends DiskIdentity {
  readonly device: BlockDevice;
  readonly blockCount: number;
  readonly readOnly: boolean;
  readonly state: UnitState;
  /** The initiator's port. */
  readonly nexus: string;
}

/** The disk that a session works on. `blockSize` in bytes, 512 or 4096. */
export function diskUnit(
  device: BlockDevice,
  { blockSize, name, nexus, state }: Pick<DiskUnit, 'blockSize' | 'name' | 'nexus' | 'state'>,
): DiskUnit {
  return {
    device,
    state,
    name,
    nexus,
    serial: createHash('sha256').update(name).digest('hex').slice(0, 16),
    blockSize,
    blockCount: Math.floor(device.size / blockSize),
    granularity: Math.min(Math.max(device.blockSize, blockSize), 2 ** 20),
    maximumTransfer: maximumTransferLength,
    readOnly: !device.supports.write,
    isThin: device.supports.write && device.supports.trim,
  };
}

/** What an initiator is told when a device failed. */
export function deviceFailure(error: unknown, isWrite: boolean): Failure {
  if (isVarveError(error, 'NO_SPACE')) return check(senses.spaceExhausted);
  if (isVarveError(error, 'READ_ONLY')) return check(senses.writeProtected);
  return check(isWrite ? senses.writeError : senses.readError);
}
