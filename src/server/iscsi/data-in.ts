import type { MaybePromise } from '../../block/block-device.ts';
import { responses } from '../../protocol/iscsi/constants.ts';
import type { OperationalParameters } from '../../protocol/iscsi/operational-keys.ts';
import { type DiskUnit, deviceFailure, type Failure } from './disk-unit.ts';
import type { MemoryShare } from './memory-share.ts';
import type { PduOutput } from './pdu-output.ts';
import { residualOf, type Task } from './task.ts';

/** The longest PDU that is sent, in bytes. */
const longestSegment = 2 ** 18;
/** Reads shorter than this are copied, which is quicker than a second system call, in bytes. */
const shortestFileLength = 2 ** 16;
/** The rest of a long read waits for an initiator that takes it, where so many bytes wait already. */
const longestQueue = 2 ** 21;
const lastByte = new Uint8Array(1);
const flags = { final: 0x80, hasStatus: 0x01 };

/** Where data is sent, and how. */
export interface DataInOptions {
  readonly pdus: PduOutput;
  readonly parameters: OperationalParameters;
  /** Returns when the initiator has taken enough of what it was sent; at once where nothing waits. */
  readonly room: () => MaybePromise<void>;
  readonly share: MemoryShare;
}

/** Sends what commands read: in segments, and bursts, the last with the status. Hot: bench/iscsi.ts watches it. */
export class DataIn {
  readonly #pdus: PduOutput;
  readonly #parameters: OperationalParameters;
  readonly #room: () => MaybePromise<void>;
  readonly #share: MemoryShare;
  /** Reads have been done when they returned, so that the next may go straight into the output. */
  #readsAtOnce = false;

  constructor({ parameters, pdus, room, share }: DataInOptions) {
    this.#pdus = pdus;
    this.#parameters = parameters;
    this.#room = room;
    this.#share = share;
  }

  /** Sends bytes, of which there were `total`, and that the command ended well. */
  sendBytes(task: Task, bytes: Uint8Array, total: number): void {
    for (let offset = 0, sn = 0; offset < bytes.length; sn += 1) {
      const length = this.#segmentLength(offset, bytes.length);
      const position = this.#begin(task, offset, length, bytes.length, total, sn);
      this.#pdus.bytes.set(bytes.subarray(offset, offset + length), this.#pdus.dataStart(position));
      this.#pdus.end(position, length);
      offset += length;
    }
  }

  /** Sends `length` bytes of the disk; gives why that failed. */
  sendRead(unit: DiskUnit, task: Task, length: number): MaybePromise<Failure | undefined> {
    const { plan } = task;
    if (plan.kind !== 'read') return undefined;
    if (!this.#readsAtOnce) return this.#readApart(unit, task, plan.offset, length, 0, 0);
    let sn = 0;
    for (let offset = 0; offset < length; sn += 1) {
      const segment = this.#segmentLength(offset, length);
      const isSent = this.#readSegment(unit, task, plan.offset, offset, segment, length, sn);
      if (isSent === false) return this.#readApart(unit, task, plan.offset, length, offset, sn);
      if (isSent !== true) return isSent;
      this.#pdus.flushPart();
      offset += segment;
      if (this.#pdus.pendingLength > longestQueue && offset < length) {
        return this.#readApart(unit, task, plan.offset, length, offset, sn + 1);
      }
    }
    return undefined;
  }

  /** False where the device was not done at once: that segment has to be read again. */
  #readSegment(
    unit: DiskUnit,
    task: Task,
    diskOffset: number,
    offset: number,
    segment: number,
    length: number,
    sn: number,
  ): boolean | Failure {
    const { device } = unit;
    const total = task.plan.kind === 'read' ? task.plan.length : 0;
    const file =
      segment >= shortestFileLength && segment % 4 === 0 && !this.#pdus.dataDigest
        ? device.fileRange?.(diskOffset + offset, segment)
        : undefined;
    if (file !== undefined) return this.#sendFile(unit, task, { diskOffset, offset, segment, length, total, sn }, file);
    const pdus = this.#pdus;
    const before = pdus.statSn;
    const position = this.#begin(task, offset, segment, length, total, sn);
    const start = pdus.dataStart(position);
    const target = pdus.bytes.subarray(start, start + segment);
    try {
      const pending = device.read(target, diskOffset + offset);
      if (pending === undefined) {
        pdus.end(position, segment);
        return true;
      }
      this.#readsAtOnce = false;
      // The device still fills that place; what stands there must be something else's only when it is done.
      void pending.catch(() => undefined);
      pdus.leave(position);
    } catch (error) {
      pdus.giveBack(position);
      pdus.statSn = before;
      return deviceFailure(error, false);
    }
    pdus.statSn = before;
    return false;
  }

  #sendFile(
    unit: DiskUnit,
    task: Task,
    part: {
      readonly diskOffset: number;
      readonly offset: number;
      readonly segment: number;
      readonly length: number;
      readonly total: number;
      readonly sn: number;
    },
    file: { readonly fd: number; readonly offset: number },
  ): boolean | Failure {
    const { diskOffset, length, offset, segment, sn, total } = part;
    try {
      // A file that was cut short is found here as long as an error can be told.
      void unit.device.read(lastByte, diskOffset + offset + segment - 1);
    } catch (error) {
      return deviceFailure(error, false);
    }
    const position = this.#begin(task, offset, segment, length, total, sn, true);
    this.#pdus.endHeader(position);
    try {
      this.#pdus.appendFile(file.fd, file.offset, segment);
    } catch {
      this.#pdus.abandon();
    }
    return true;
  }

  async #readApart(
    unit: DiskUnit,
    task: Task,
    diskOffset: number,
    length: number,
    from: number,
    firstSn: number,
  ): Promise<Failure | undefined> {
    const total = task.plan.kind === 'read' ? task.plan.length : 0;
    let sn = firstSn;
    for (let offset = from; offset < length; sn += 1) {
      const segment = this.#segmentLength(offset, length);
      const buffer = new Uint8Array(segment);
      this.#share.change(segment);
      try {
        const pending = unit.device.read(buffer, diskOffset + offset);
        this.#readsAtOnce = pending === undefined;
        if (pending !== undefined) await pending;
        await this.#room();
      } catch (error) {
        return deviceFailure(error, false);
      } finally {
        this.#share.change(-segment);
      }
      if (task.isAborted) return undefined;
      const position = this.#begin(task, offset, segment, length, total, sn);
      this.#pdus.bytes.set(buffer, this.#pdus.dataStart(position));
      this.#pdus.end(position, segment);
      offset += segment;
    }
    return undefined;
  }

  /** Neither a segment nor a burst may be too long. */
  #segmentLength(offset: number, length: number): number {
    const { maximumBurstLength, maximumSegmentLength } = this.#parameters;
    const burstLeft = maximumBurstLength - (offset % maximumBurstLength);
    return Math.min(maximumSegmentLength, longestSegment, burstLeft, length - offset);
  }

  #begin(
    task: Task,
    offset: number,
    segment: number,
    length: number,
    total: number,
    sn: number,
    isFile = false,
  ): number {
    const pdus = this.#pdus;
    const end = offset + segment;
    const isLast = end === length;
    const isBurstEnd = isLast || end % this.#parameters.maximumBurstLength === 0;
    const residual = isLast ? residualOf(task.expectedLength, total) : residualOf(0, 0);
    const bits = (isBurstEnd ? flags.final : 0) | (isLast ? flags.hasStatus | residual.flags : 0);
    const position = isFile
      ? pdus.beginFromFile(responses.DATA_IN, bits, task.tag, segment)
      : pdus.begin(responses.DATA_IN, bits, task.tag, segment);
    if (isLast) pdus.number(position);
    const { view } = pdus;
    view.setUint32(position + 20, 0xffff_ffff);
    view.setUint32(position + 36, sn);
    view.setUint32(position + 40, offset);
    view.setUint32(position + 44, residual.count);
    return position;
  }
}
