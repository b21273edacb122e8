import type { MaybePromise } from '../../block/block-device.ts';
import { noTag, responses } from '../../protocol/iscsi/constants.ts';
import type { OperationalParameters } from '../../protocol/iscsi/operational-keys.ts';
import { type Sense, senses } from '../../protocol/scsi/sense.ts';
import type { MemoryShare } from './memory-share.ts';
import type { PduOutput } from './pdu-output.ts';
import type { TakingTask, Task } from './task.ts';

/** So many bytes one session may be asked for at once; other commands wait for their data. */
const maximumAsked = 2 ** 24;

/** What is needed to take data. */
export interface DataOutOptions {
  readonly pdus: PduOutput;
  readonly parameters: OperationalParameters;
  readonly share: MemoryShare;
  /** All data that is wanted is there. */
  readonly done: (task: TakingTask, data: Uint8Array) => MaybePromise<void>;
}

/**
 * Gathers what initiators send for their commands: what comes unasked, and then what is asked for in bursts. Only as many
 * commands ask at once as there is memory for.
 */
export class DataOut {
  readonly #options: DataOutOptions;
  readonly #waiting = new Set<TakingTask>();
  #asked = 0;
  #nextTag = 0;

  constructor(options: DataOutOptions) {
    this.#options = options;
  }

  /** Begins to take the data of a command: `wanted` bytes, the first of which are `data`. */
  begin(task: Task & Pick<TakingTask, 'plan'>, wanted: number, data: Uint8Array, isUnsolicited: boolean): TakingTask {
    const { firstBurstLength } = this.#options.parameters;
    const buffer = new Uint8Array(isUnsolicited ? Math.min(wanted, firstBurstLength) : Math.min(wanted, data.length));
    buffer.set(data.subarray(0, buffer.length));
    this.#options.share.change(buffer.length);
    return {
      ...task,
      wanted,
      buffer,
      received: data.length,
      isUnsolicited,
      dataSn: 0,
      requests: [],
      requested: 0,
      r2tSn: 0,
      isAdmitted: false,
    };
  }

  /** Takes the data of one PDU; gives what is wrong with it. */
  add(task: TakingTask, view: DataView, at: number, data: Uint8Array): Sense | undefined {
    const transferTag = view.getUint32(at + 20);
    const offset = view.getUint32(at + 40);
    const isFinal = (view.getUint8(at + 1) & 0x80) !== 0;
    if (view.getUint32(at + 36) !== task.dataSn) return senses.protocolError;
    task.dataSn = isFinal ? 0 : task.dataSn + 1;
    if (transferTag === noTag) return this.#addUnsolicited(task, offset, data, isFinal);
    const request = task.requests[0];
    if (request?.tag !== transferTag || offset !== request.position || offset + data.length > request.end) {
      return senses.protocolError;
    }
    task.buffer.set(data, offset);
    task.received += data.length;
    request.position += data.length;
    if (request.position === request.end) task.requests.shift();
    else if (isFinal) return senses.protocolError;
    return undefined;
  }

  /** Asks for more where that may be, or has the command done when all is there. */
  proceed(task: TakingTask): MaybePromise<void> {
    if (task.isUnsolicited) return;
    if (task.received >= task.wanted) return this.#options.done(task, task.buffer.subarray(0, task.wanted));
    if (!task.isAdmitted && !this.#admit(task)) return;
    const { maximumBurstLength, maximumOutstandingR2t } = this.#options.parameters;
    while (task.requests.length < maximumOutstandingR2t && task.requested < task.wanted) {
      this.#ask(task, Math.min(maximumBurstLength, task.wanted - task.requested));
    }
  }

  /** The command has ended, and others may ask for data. */
  release(task: TakingTask): void {
    this.#waiting.delete(task);
    this.#options.share.change(-task.buffer.length);
    if (task.isAdmitted) this.#asked -= task.wanted;
    for (const next of this.#waiting) {
      if (!this.#hasRoom(next)) break;
      this.#waiting.delete(next);
      void this.proceed(next);
    }
  }

  #addUnsolicited(task: TakingTask, offset: number, data: Uint8Array, isFinal: boolean): Sense | undefined {
    const most = Math.min(this.#options.parameters.firstBurstLength, task.expectedLength);
    if (!task.isUnsolicited || offset !== task.received || offset + data.length > most) return senses.protocolError;
    if (offset < task.buffer.length) task.buffer.set(data.subarray(0, task.buffer.length - offset), offset);
    task.received += data.length;
    task.isUnsolicited = !isFinal;
    return undefined;
  }

  #hasRoom({ wanted }: TakingTask): boolean {
    return this.#asked === 0 || (this.#asked + wanted <= maximumAsked && !this.#options.share.isTooMuch(wanted));
  }

  #admit(task: TakingTask): boolean {
    if (!this.#hasRoom(task)) {
      this.#waiting.add(task);
      return false;
    }
    const buffer = new Uint8Array(task.wanted);
    buffer.set(task.buffer.subarray(0, Math.min(task.received, task.buffer.length)));
    this.#options.share.change(buffer.length - task.buffer.length);
    task.buffer = buffer;
    task.requested = task.received;
    task.isAdmitted = true;
    this.#asked += task.wanted;
    return true;
  }

  #ask(task: TakingTask, length: number): void {
    const { pdus } = this.#options;
    const tag = this.#nextTag;
    this.#nextTag = (this.#nextTag + 1) % noTag;
    const position = pdus.begin(responses.READY_TO_TRANSFER, 0x80, task.tag, 0);
    const { view } = pdus;
    view.setUint32(position + 20, tag);
    view.setUint32(position + 24, pdus.statSn);
    view.setUint32(position + 36, task.r2tSn);
    view.setUint32(position + 40, task.requested);
    view.setUint32(position + 44, length);
    pdus.end(position, 0);
    task.requests.push({ tag, position: task.requested, end: task.requested + length });
    task.requested += length;
    task.r2tSn += 1;
  }
}
