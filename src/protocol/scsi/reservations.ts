import { ByteReader } from '../../bytes/byte-reader.ts';
import { ByteWriter } from '../../bytes/byte-writer.ts';
import { operationCodes as codes } from './operation-codes.ts';
import { type Sense, senses } from './sense.ts';

/*
 * Who may use a disk: RESERVE and RELEASE, and persistent reservations, which last as long as the target runs.
 * Source: SPC-4, sections 5.13 (the rules), 6.15, 6.16 (the commands); SPC-2, sections 7.21, 7.27 (RESERVE, RELEASE).
 *
 *   PERSISTENT RESERVE OUT  0 reservation key (8), 8 service action key (8), 20 flags: SPEC_I_PT 08h, ALL_TG_PT 04h,
 *                           APTPL 01h
 *   keys        0 generation (4), 4 length of the list (4), 8 keys of 8 bytes
 *   reservation 0 generation (4), 4 length of the rest (4): 0 or 16, 8 key (8), 21 scope and type
 *   full status for each: 0 key (8), 12 flags: R_HOLDER 01h, 13 scope and type, 18 relative port (2), 20 length of the
 *               transport identifier (4), 24 the identifier: protocol 45h, 2 length (2), the initiator port's name
 */

/** The actions of PERSISTENT RESERVE OUT. */
const reserveActions = {
  REGISTER: 0,
  RESERVE: 1,
  RELEASE: 2,
  CLEAR: 3,
  PREEMPT: 4,
  PREEMPT_AND_ABORT: 5,
  REGISTER_AND_IGNORE: 6,
} as const;

/** 1 and 3 are for a holder, 5 and 6 for all that are registered, 7 and 8 are held by all that are registered. */
const reservationTypes = [1, 3, 5, 6, 7, 8];

/** How a change of reservations ended; those who have something to be told of it are told by `onAttention`. */
export type ReservationOutcome = 'good' | 'conflict' | Sense;

const none = 0n;

/** The reservations of one disk. A nexus is an initiator's port, by its name. */
export class Reservations {
  readonly #keys = new Map<string, bigint>();
  readonly #onAttention: (nexus: string, sense: Sense) => void;
  #generation = 0;
  #type = 0;
  /** Who reserved it; with types 7 and 8, one of those that hold it. */
  #holder: string | undefined;
  /** By RESERVE. */
  #exclusive: string | undefined;

  constructor(onAttention: (nexus: string, sense: Sense) => void) {
    this.#onAttention = onAttention;
  }

  /** Whether a command is kept from the disk. `isWrite` changes it, `isRead` tells what is on it. */
  conflicts(nexus: string, operationCode: number, isRead: boolean, isWrite: boolean): boolean {
    if (this.#exclusive === undefined && this.#type === 0) return false;
    if (alwaysAllowed.has(operationCode)) return false;
    if (this.#exclusive !== undefined) return this.#exclusive !== nexus;
    if (allowedBesidePersistent.has(operationCode)) return false;
    if (this.#holds(nexus) || (this.#type >= 5 && this.#keys.has(nexus))) return false;
    const isWriteExclusive = this.#type === 1 || this.#type === 5 || this.#type === 7;
    return isWrite || !(isWriteExclusive && isRead);
  }

  /** RESERVE. */
  reserve(nexus: string): boolean {
    if (this.#keys.size > 0 || (this.#exclusive ?? nexus) !== nexus) return false;
    this.#exclusive = nexus;
    return true;
  }

  /** RELEASE; of what somebody else reserved it does nothing. */
  release(nexus: string): boolean {
    if (this.#keys.size > 0) return false;
    if (this.#exclusive === nexus) this.#exclusive = undefined;
    return true;
  }

  /** The session is over, and with it what it took by RESERVE. */
  releaseSession(nexus: string): void {
    if (this.#exclusive === nexus) this.#exclusive = undefined;
  }

  /** A reset of the disk ends RESERVE, and leaves what is persistent. */
  reset(): void {
    this.#exclusive = undefined;
  }

  /** PERSISTENT RESERVE IN; `undefined` for an action that there is not. */
  report(action: number): Uint8Array | undefined {
    if (action === 0) return this.#reportKeys();
    if (action === 1) return this.#reportReservation();
    // PTPL_C is not set: nothing outlasts the target. ATP_C neither; TMV, and the types.
    if (action === 2) return Uint8Array.of(0, 8, 0, 0x80, 0xea, 0x01, 0, 0);
    return action === 3 ? this.#reportFull() : undefined;
  }

  /**
   * PERSISTENT RESERVE OUT.
   *
   * @param scopeAndType byte 2 of the command
   */
  change(nexus: string, action: number, scopeAndType: number, list: Uint8Array): ReservationOutcome {
    if (this.#exclusive !== undefined && this.#exclusive !== nexus) return 'conflict';
    if (list.length !== 24) return senses.parameterListLength;
    const reader = new ByteReader(list, 'PERSISTENT RESERVE OUT');
    const key = reader.opaque64be();
    const actionKey = reader.opaque64be();
    if ((list[20]! & 0x0d & ~(action === 0 || action === 6 ? 0x04 : 0)) !== 0) return senses.invalidParameter;
    if (action === reserveActions.REGISTER || action === reserveActions.REGISTER_AND_IGNORE) {
      return this.#register(nexus, action === reserveActions.REGISTER ? key : undefined, actionKey);
    }
    if (action > reserveActions.REGISTER_AND_IGNORE) return senses.invalidField;
    if (!this.#keys.has(nexus) || this.#keys.get(nexus) !== key) return 'conflict';
    const type = scopeAndType & 0x0f;
    if (action === reserveActions.CLEAR) return this.#clear(nexus);
    const isValid = scopeAndType >> 4 === 0 && reservationTypes.includes(type);
    if (action === reserveActions.RELEASE) return this.#releasePersistent(nexus, scopeAndType);
    if (!isValid && (action === reserveActions.RESERVE || this.#type !== 0)) return senses.invalidField;
    if (action === reserveActions.RESERVE) return this.#reservePersistent(nexus, type);
    return this.#preempt(nexus, actionKey, type);
  }

  #holds(nexus: string): boolean {
    if (this.#type === 0) return false;
    return this.#type >= 7 ? this.#keys.has(nexus) : this.#holder === nexus;
  }

  #register(nexus: string, key: bigint | undefined, newKey: bigint): ReservationOutcome {
    const known = this.#keys.get(nexus);
    if (key !== undefined && key !== (known ?? none)) return 'conflict';
    if (newKey !== none) {
      if (known === undefined && this.#keys.size >= maximumRegistrations) return senses.insufficientRegistrations;
      this.#keys.set(nexus, newKey);
    } else if (known !== undefined) {
      this.#unregister(nexus);
    }
    this.#generation += 1;
    return 'good';
  }

  #unregister(nexus: string): void {
    const held = this.#holds(nexus);
    this.#keys.delete(nexus);
    if (!held || (this.#type >= 7 && this.#keys.size > 0)) return;
    const tellsOthers = this.#type === 5 || this.#type === 6;
    this.#end();
    if (tellsOthers) this.#tell(nexus, senses.reservationsReleased);
  }

  #end(): void {
    this.#type = 0;
    this.#holder = undefined;
  }

  #reservePersistent(nexus: string, type: number): ReservationOutcome {
    if (this.#type !== 0) return this.#holds(nexus) && this.#type === type ? 'good' : 'conflict';
    this.#type = type;
    this.#holder = nexus;
    return 'good';
  }

  #releasePersistent(nexus: string, scopeAndType: number): ReservationOutcome {
    if (!this.#holds(nexus)) return 'good';
    if (scopeAndType !== this.#type) return senses.invalidRelease;
    const tellsOthers = this.#type >= 5;
    this.#end();
    if (tellsOthers) this.#tell(nexus, senses.reservationsReleased);
    return 'good';
  }

  #clear(nexus: string): ReservationOutcome {
    this.#tell(nexus, senses.reservationsPreempted);
    this.#keys.clear();
    this.#end();
    this.#generation += 1;
    return 'good';
  }

  #preempt(nexus: string, victimKey: bigint, type: number): ReservationOutcome {
    const isHeldByAll = this.#type >= 7;
    const takesOver =
      this.#type !== 0 && (isHeldByAll ? victimKey === none : this.#keys.get(this.#holder as string) === victimKey);
    if (victimKey === none && !(isHeldByAll && takesOver)) return senses.invalidParameter;
    const victims = [...this.#keys].filter(([name, key]) =>
      victimKey === none ? name !== nexus : key === victimKey && (name !== nexus || !takesOver),
    );
    if (victims.length === 0 && !takesOver) return 'conflict';
    for (const [name] of victims) {
      if (name !== nexus) this.#onAttention(name, senses.registrationsPreempted);
      this.#keys.delete(name);
    }
    if (takesOver) {
      const changes = this.#type !== type;
      this.#type = type;
      this.#holder = nexus;
      if (changes) this.#tell(nexus, senses.reservationsReleased);
    } else if (isHeldByAll && this.#keys.size === 0) this.#end();
    this.#generation += 1;
    return 'good';
  }

  #tell(but: string, sense: Sense): void {
    for (const name of this.#keys.keys()) if (name !== but) this.#onAttention(name, sense);
  }

  #reportKeys(): Uint8Array {
    const writer = new ByteWriter(8 + 8 * this.#keys.size);
    writer.u32be(this.#generation);
    writer.u32be(8 * this.#keys.size);
    for (const key of this.#keys.values()) writer.opaque64be(key);
    return writer.bytes;
  }

  #reportReservation(): Uint8Array {
    const writer = new ByteWriter(this.#type === 0 ? 8 : 24);
    writer.u32be(this.#generation);
    writer.u32be(this.#type === 0 ? 0 : 16);
    if (this.#type === 0) return writer.bytes;
    writer.opaque64be(this.#type >= 7 ? none : (this.#keys.get(this.#holder as string) ?? none));
    writer.skip(5);
    writer.u8(this.#type);
    return writer.bytes;
  }

  #reportFull(): Uint8Array {
    const parts = [...this.#keys].map(([nexus, key]) => this.#fullStatus(nexus, key));
    const head = new ByteWriter(8);
    head.u32be(this.#generation);
    head.u32be(parts.reduce((sum, part) => sum + part.length, 0));
    return Buffer.concat([head.bytes, ...parts]);
  }

  #fullStatus(nexus: string, key: bigint): Uint8Array {
    const name = Buffer.from(`${nexus}\0`);
    const nameLength = Math.max(20, (name.length + 3) & ~3);
    const writer = new ByteWriter(28 + nameLength);
    writer.opaque64be(key);
    writer.skip(4);
    writer.u8(this.#holds(nexus) ? 1 : 0);
    writer.u8(this.#holds(nexus) ? this.#type : 0);
    writer.skip(4);
    writer.u16be(1);
    writer.u32be(4 + nameLength);
    writer.u8(0x45);
    writer.u8(0);
    writer.u16be(nameLength);
    writer.put(name);
    return writer.bytes;
  }
}

/** So many initiators may be registered. */
const maximumRegistrations = 256;

/** Source: SPC-2, table 10. */
const alwaysAllowed: ReadonlySet<number> = new Set([
  codes.INQUIRY,
  codes.REPORT_LUNS,
  codes.REQUEST_SENSE,
  codes.RELEASE_6,
  codes.RELEASE_10,
]);

/** Source: SPC-4, table 66; SBC-3, table 13. */
const allowedBesidePersistent: ReadonlySet<number> = new Set([
  codes.TEST_UNIT_READY,
  codes.PERSISTENT_RESERVE_IN,
  codes.PERSISTENT_RESERVE_OUT,
  codes.READ_CAPACITY_10,
  codes.SERVICE_ACTION_IN_16,
  codes.MAINTENANCE_IN,
  codes.RESERVE_6,
  codes.RESERVE_10,
]);
