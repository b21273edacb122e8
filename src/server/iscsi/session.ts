import type { MaybePromise } from '../../block/block-device.ts';
import { rejectReasons, responses, taskFunctions, taskResponses } from '../../protocol/iscsi/constants.ts';
import type { OperationalParameters } from '../../protocol/iscsi/operational-keys.ts';
import { scsiStatus } from '../../protocol/scsi/operation-codes.ts';
import { type Sense, senses } from '../../protocol/scsi/sense.ts';
import type { CommandWindow } from './command-window.ts';
import { DataIn, type DataInOptions } from './data-in.ts';
import { DataOut } from './data-out.ts';
import { check, type DiskUnit, type Outcome, type Plan } from './disk-unit.ts';
import type { MemoryShare } from './memory-share.ts';
import type { PduOutput } from './pdu-output.ts';
import { planCommand, planWithoutUnit } from './plan-command.ts';
import { residualOf, type TakingTask, type Task, transferLength } from './task.ts';

/** Commands marked as immediate are not held back by the window; so many are taken in all. */
const maximumTasks = 160;
/** Orders to give up commands that may wait for the disk. */
const maximumManaged = 32;
const flags = { final: 0x80, read: 0x40, write: 0x20 };

/** What a session works with. */
export interface SessionOptions extends DataInOptions {
  readonly unit: DiskUnit;
  readonly window: CommandWindow;
  /** The sessions of this target, this one among them. */
  readonly siblings: ReadonlySet<Session>;
}

/** The commands of one session on its disk. Hot: bench/iscsi.ts watches it. */
export class Session {
  readonly #unit: DiskUnit;
  readonly #pdus: PduOutput;
  readonly #parameters: OperationalParameters;
  readonly #window: CommandWindow;
  readonly #dataIn: DataIn;
  readonly #dataOut: DataOut;
  readonly #share: MemoryShare;
  readonly #siblings: ReadonlySet<Session>;
  readonly #tasks = new Map<number, Task>();
  /** Of the command that came last; plans keep nothing of it. */
  readonly #commandBlock = new DataView(new ArrayBuffer(16));
  #managed = 0;

  constructor(options: SessionOptions) {
    this.#unit = options.unit;
    this.#pdus = options.pdus;
    this.#parameters = options.parameters;
    this.#window = options.window;
    this.#share = options.share;
    this.#siblings = options.siblings;
    this.#dataIn = new DataIn(options);
    this.#dataOut = new DataOut({ ...options, done: (task, data) => this.#run(task, data) });
  }

  /** Commands that are under way. */
  get taskCount(): number {
    return this.#tasks.size;
  }

  /** Whether the initiator has been asked for data that is not there. */
  get asksForData(): boolean {
    for (const task of this.#tasks.values()) {
      if (isTaking(task) && task.pending === undefined && (task.isUnsolicited || task.isAdmitted)) return true;
    }
    return false;
  }

  /** A SCSI command, whose header stands at `at` in `view`; `data` came with it, and is needed until that is done. */
  command(view: DataView, at: number, data: Uint8Array): MaybePromise<void> {
    const tag = view.getUint32(at + 16);
    if (this.#tasks.has(tag)) {
      this.#pdus.reject(rejectReasons.TASK_IN_PROGRESS, headerAt(view, at));
      return;
    }
    const bits = view.getUint8(at + 1);
    const cdb = this.#commandBlock;
    for (let offset = 0; offset < 16; offset += 4) cdb.setUint32(offset, view.getUint32(at + 32 + offset));
    const isHeld = this.#tasks.size > 0 && this.#share.isHeld;
    const plan: Plan =
      isHeld || this.#tasks.size >= maximumTasks
        ? { kind: 'done', outcome: { status: scsiStatus.TASK_SET_FULL } }
        : isOurs(view, at)
          ? planCommand(this.#unit, cdb)
          : planWithoutUnit(cdb);
    const task: Task = {
      tag,
      isRead: (bits & flags.read) !== 0,
      isWrite: (bits & flags.write) !== 0,
      expectedLength: view.getUint32(at + 20),
      plan,
      isAborted: false,
      pending: undefined,
    };
    if (!task.isWrite) return plan.kind === 'take' ? this.#run(task, data.subarray(0, 0)) : this.#start(task);
    const problem = this.#unsolicitedProblem(task, data.length, (bits & flags.final) !== 0);
    if (problem !== undefined) return this.#respond(task, check(problem), 0);
    return this.#take(task, data, (bits & flags.final) === 0);
  }

  /** Data for a command; what belongs to none is passed over. */
  data(view: DataView, at: number, data: Uint8Array): MaybePromise<void> {
    const task = this.#tasks.get(view.getUint32(at + 16));
    if (task === undefined || !isTaking(task) || task.pending !== undefined) return;
    const problem = this.#dataOut.add(task, view, at, data);
    if (problem === undefined) return this.#dataOut.proceed(task);
    this.#forget(task);
    this.#respond(task, check(problem), 0);
  }

  /** Task management; answers when what it ended has ended. */
  async manage(view: DataView, at: number): Promise<void> {
    const tag = view.getUint32(at + 16);
    const reference = view.getUint32(at + 20);
    const code = view.getUint8(at + 1) & 0x7f;
    if (this.#managed >= maximumManaged) {
      this.#answerManagement(tag, taskResponses.REJECTED);
      return;
    }
    const isTargetReset = code === taskFunctions.TARGET_WARM_RESET || code === taskFunctions.TARGET_COLD_RESET;
    this.#managed += 1;
    try {
      const response = isOurs(view, at) || isTargetReset ? await this.#manage(code, reference) : taskResponses.NO_LUN;
      this.#answerManagement(tag, response);
    } finally {
      this.#managed -= 1;
    }
  }

  #answerManagement(tag: number, response: number): void {
    this.#pdus.respond(responses.TASK_MANAGEMENT, 0x80, tag, noData, (answer, position) => {
      answer.setUint8(position + 2, response);
    });
  }

  /** Gives up all commands; returns when the disk has done with them. */
  async abort(): Promise<void> {
    const pending = [...this.#tasks.values()].map((task) => this.#abort(task));
    await Promise.all(pending);
  }

  async #manage(code: number, reference: number): Promise<number> {
    const { nexus, state } = this.#unit;
    switch (code) {
      case taskFunctions.ABORT_TASK: {
        const task = this.#tasks.get(reference);
        if (task === undefined) return taskResponses.NO_TASK;
        await this.#abort(task);
        return taskResponses.COMPLETE;
      }
      case taskFunctions.ABORT_TASK_SET:
        await this.abort();
        return taskResponses.COMPLETE;
      case taskFunctions.CLEAR_TASK_SET:
        await this.#abortAll();
        state.tellOthers(nexus, senses.commandsCleared);
        return taskResponses.COMPLETE;
      case taskFunctions.LOGICAL_UNIT_RESET:
      case taskFunctions.TARGET_WARM_RESET:
      case taskFunctions.TARGET_COLD_RESET:
        await this.#abortAll();
        state.reset();
        return taskResponses.COMPLETE;
      case taskFunctions.TASK_REASSIGN:
        return taskResponses.NO_REASSIGNMENT;
      default:
        return taskResponses.NOT_SUPPORTED;
    }
  }

  async #abortAll(): Promise<void> {
    await Promise.all([...this.#siblings].map((session) => session.abort()));
  }

  #abort(task: Task): Promise<void> | undefined {
    task.isAborted = true;
    if (task.pending === undefined) this.#forget(task);
    return task.pending;
  }

  #unsolicitedProblem({ expectedLength }: Task, length: number, isFinal: boolean): Sense | undefined {
    const { firstBurstLength, immediateData, initialR2t } = this.#parameters;
    const isTooMuch = length > firstBurstLength || length > expectedLength;
    if (isTooMuch || (length > 0 && !immediateData) || (!isFinal && initialR2t))
      return senses.unexpectedUnsolicitedData;
    return undefined;
  }

  #take(task: Task, data: Uint8Array, isUnsolicited: boolean): MaybePromise<void> {
    const { plan } = task;
    if (plan.kind !== 'take') return this.#start(task);
    if (plan.isExact && plan.length !== task.expectedLength) return this.#respond(task, check(senses.invalidField), 0);
    const wanted = Math.min(plan.length, task.expectedLength);
    if (data.length >= wanted && !isUnsolicited) return this.#run(task, data.subarray(0, wanted));
    const taking = this.#dataOut.begin({ ...task, plan }, wanted, data, isUnsolicited);
    this.#tasks.set(task.tag, taking);
    return this.#dataOut.proceed(taking);
  }

  #start(task: Task): MaybePromise<void> {
    const { plan } = task;
    if (plan.kind === 'done') return this.#respond(task, plan.outcome, 0);
    if (plan.kind === 'answer') return this.#answer(task, plan.bytes);
    if (plan.kind === 'run') return this.#await(task, plan.run(task));
    const length = task.isRead ? Math.min(plan.length, task.expectedLength) : 0;
    if (plan.kind !== 'read' || length === 0) return this.#respond(task, undefined, plan.length);
    const outcome = this.#dataIn.sendRead(this.#unit, task, length);
    if (!(outcome instanceof Promise)) {
      if (outcome !== undefined) this.#respond(task, outcome, 0);
      return;
    }
    return this.#keep(
      task,
      outcome.then((failure) => {
        if (failure !== undefined && !task.isAborted) this.#respond(task, failure, 0);
      }),
    );
  }

  #run(task: Task, data: Uint8Array): MaybePromise<void> {
    return task.plan.kind === 'take' ? this.#await(task, task.plan.run(data, task)) : undefined;
  }

  #await(task: Task, outcome: MaybePromise<Outcome | Uint8Array>): MaybePromise<void> {
    if (!(outcome instanceof Promise)) {
      this.#forget(task);
      return this.#finish(task, outcome);
    }
    return this.#keep(
      task,
      outcome.then((found) => this.#finish(task, found)),
    );
  }

  async #keep(task: Task, pending: Promise<void>): Promise<void> {
    this.#tasks.set(task.tag, task);
    task.pending = pending;
    try {
      await pending;
    } finally {
      this.#forget(task);
    }
  }

  #finish(task: Task, outcome: Outcome | Uint8Array): void {
    if (task.isAborted) return;
    if (outcome instanceof Uint8Array) this.#answer(task, outcome);
    else this.#respond(task, outcome, outcome === undefined ? transferLength(task.plan, outcome) : 0);
  }

  #forget(task: Task): void {
    if (this.#tasks.get(task.tag) !== task) return;
    this.#tasks.delete(task.tag);
    this.#window.open(this.#tasks.size);
    if (isTaking(task)) this.#dataOut.release(task);
  }

  #answer(task: Task, bytes: Uint8Array): void {
    const sent = task.isRead ? bytes.subarray(0, task.expectedLength) : noData;
    if (sent.length === 0) this.#respond(task, undefined, bytes.length);
    else this.#dataIn.sendBytes(task, sent, bytes.length);
  }

  #respond(task: Task, outcome: Outcome, length: number): void {
    const { count, flags: bits } = residualOf(task.expectedLength, length);
    const sense = outcome?.sense;
    const data = sense === undefined ? noData : Uint8Array.of(0, sense.length, ...sense);
    const position = this.#pdus.begin(responses.SCSI_RESPONSE, flags.final | bits, task.tag, data.length);
    if (data.length > 0) this.#pdus.bytes.set(data, this.#pdus.dataStart(position));
    this.#pdus.number(position);
    const { view } = this.#pdus;
    view.setUint8(position + 3, outcome?.status ?? scsiStatus.GOOD);
    view.setUint32(position + 44, count);
    this.#pdus.end(position, data.length);
  }
}

const noData = new Uint8Array();

function isTaking(task: Task): task is TakingTask {
  return 'buffer' in task;
}

/** LUN 0, in whatever way it is addressed. */
function isOurs(view: DataView, at: number): boolean {
  return (view.getUint16(at + 8) & 0x3fff) === 0 && view.getUint16(at + 10) === 0 && view.getUint32(at + 12) === 0;
}

function headerAt(view: DataView, at: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + at, 48);
}
