import { RecordMarks } from '../../protocol/rpc/record-marks.ts';
import type { MemoryBudget } from '../nbd/memory-budget.ts';
import { RequestInput } from '../nbd/request-input.ts';
import type { Wire, WireReceiver } from '../nbd/wire.ts';
import { RecordOutput } from './record-output.ts';
import type { RpcCaller, RpcDispatcher } from './rpc-dispatcher.ts';
import type { RpcReply } from './rpc-reply.ts';

/** The longest request, in bytes: nothing is written here, so that none that makes sense comes near. */
const longestRecord = 2 ** 16;
/** Bytes that wait to be taken by the client; then it has to wait. */
const mostPending = 2 ** 22;

/** What a connection may do, and by whom it is answered. */
export interface RpcConnectionOptions {
  readonly dispatcher: RpcDispatcher;
  readonly budget: MemoryBudget;
  readonly caller: RpcCaller;
  /** Under way at once; the client has to wait with more. */
  readonly maximumRequests: number;
}

/** One client over TCP: takes its calls apart, and answers each when that is done. Hot. */
export class RpcConnection implements WireReceiver {
  readonly #wire: Wire;
  readonly #options: RpcConnectionOptions;
  readonly #input = new RequestInput();
  readonly #marks = new RecordMarks(longestRecord);
  readonly #output: RecordOutput;
  readonly #ended = Promise.withResolvers<void>();
  readonly #resume = (): void => this.#process();
  #underWay = 0;
  #isProcessing = false;
  #isPaused = false;
  #isOver = false;
  /** When bytes came last, as of `performance.now()`. */
  #heardMs = performance.now();

  constructor(wire: Wire, options: RpcConnectionOptions) {
    this.#wire = wire;
    this.#options = options;
    this.#output = new RecordOutput(wire, () => this.#process());
  }

  /** Serves until the connection is over, and nothing is under way for it. */
  async serve(): Promise<void> {
    this.#input.append(this.#wire.early);
    this.#wire.open(this);
    this.#process();
    await this.#ended.promise;
  }

  /** Leaves who has stopped in the middle of a request, or takes no answers, or asks for nothing. */
  expire(now: number, { stallMs, idleMs }: { readonly stallMs: number; readonly idleMs: number }): void {
    const silentMs = now - this.#heardMs;
    const isInside = !this.#isPaused && (this.#input.length > 0 || this.#marks.isInside);
    const isStuck = this.#output.isStuck && now - this.#output.progressMs > stallMs;
    const isIdle = this.#underWay === 0 && this.#output.pendingLength === 0 && idleMs > 0 && silentMs > idleMs;
    if (isIdle || (stallMs > 0 && (isStuck || (isInside && silentMs > stallMs)))) this.destroy();
  }

  /** Ends the connection at once. */
  destroy(): void {
    this.#end();
    this.#wire.destroy();
  }

  space(): Uint8Array {
    return this.#input.space();
  }

  received(length: number): void {
    this.#heardMs = performance.now();
    this.#input.received(length);
    if (this.#isOver) this.#input.clear();
    else this.#process();
  }

  ended(): void {
    this.#end();
  }

  #process(): void {
    if (this.#isProcessing || this.#isOver) return;
    this.#isProcessing = true;
    while (!this.#isOver && !this.#mustWait() && this.#take());
    this.#isProcessing = false;
    if (this.#isOver) return;
    if (this.#mustWait()) this.#pause();
    else if (this.#isPaused) {
      this.#isPaused = false;
      this.#heardMs = performance.now();
      this.#wire.resume();
    }
  }

  #mustWait(): boolean {
    const { budget, maximumRequests } = this.#options;
    const { pendingLength } = this.#output;
    if (this.#underWay >= maximumRequests || pendingLength >= mostPending) return true;
    return budget.isFull && (this.#underWay > 0 || pendingLength > 0);
  }

  #pause(): void {
    if (!this.#isPaused) this.#wire.pause();
    this.#isPaused = true;
    if (this.#options.budget.isFull) this.#options.budget.wait(this.#resume);
  }

  /** Takes a fragment; false where more has to come. */
  #take(): boolean {
    const input = this.#input;
    const { position } = input;
    try {
      const taken = this.#marks.take(input.bytes.subarray(position, position + input.length));
      if (taken === 0) {
        input.require(this.#marks.required);
        return false;
      }
      input.take(taken);
      const { record } = this.#marks;
      if (record !== undefined) this.#answer(record);
      return true;
    } catch {
      // What cannot be told apart cannot be answered either.
      this.destroy();
      return false;
    }
  }

  #answer(record: Uint8Array): void {
    const answer = this.#options.dispatcher.dispatch(record, this.#options.caller);
    if (!(answer instanceof Promise)) {
      this.#send(answer);
      return;
    }
    this.#underWay += 1;
    void answer.then((reply) => {
      this.#underWay -= 1;
      this.#send(reply);
      if (this.#isOver) this.#end();
      else this.#process();
    });
  }

  #send(answer: RpcReply | Uint8Array): void {
    if (answer instanceof Uint8Array) {
      this.#output.push(marked(answer), () => undefined);
    } else if (this.#isOver) {
      answer[Symbol.dispose]();
    } else {
      this.#output.push(answer.record, () => answer[Symbol.dispose]());
    }
  }

  #end(): void {
    if (!this.#isOver) {
      this.#isOver = true;
      this.#options.budget.forget(this.#resume);
      this.#wire.end();
    }
    if (this.#underWay === 0) this.#ended.resolve();
  }
}

function marked(message: Uint8Array): Uint8Array {
  const record = new Uint8Array(4 + message.length);
  new DataView(record.buffer).setUint32(0, 0x8000_0000 + message.length);
  record.set(message, 4);
  return record;
}
