import type { MaybePromise } from '../../block/block-device.ts';
import { log } from '../../log/log.ts';
import { decodeCall, type RpcCall } from '../../protocol/rpc/call-codec.ts';
import { acceptStatus } from '../../protocol/rpc/constants.ts';
import type { ReplyBuffers } from './reply-buffers.ts';
import { RpcReply } from './rpc-reply.ts';

/** Where a call comes from. */
export interface RpcCaller {
  /** Without the port. */
  readonly address: string;
  readonly transport: 'tcp' | 'udp';
}

/** Writes the answer to a call. */
export type RpcAnswer = (reply: RpcReply) => MaybePromise<void>;

/** A program that can be called. */
export interface RpcProgram {
  readonly number: number;
  /** The one that is spoken. */
  readonly version: number;
  /**
   * Takes the arguments, which are only lent, and gives what answers them; undefined for a procedure that there is not. What
   * it throws is taken for arguments that make no sense.
   */
  prepare(call: RpcCall, caller: RpcCaller): RpcAnswer | undefined;
}

/** Has each call answered by its program. */
export class RpcDispatcher {
  readonly #programs: ReadonlyMap<number, RpcProgram>;
  readonly #buffers: ReplyBuffers;

  constructor(programs: readonly RpcProgram[], buffers: ReplyBuffers) {
    this.#programs = new Map(programs.map((program) => [program.number, program]));
    this.#buffers = buffers;
  }

  /**
   * What a record comes to, which is only lent: an answer that is to be disposed of, or the bytes of one.
   *
   * @throws VarveError `CORRUPT` for what is no call
   */
  dispatch(record: Uint8Array, caller: RpcCaller): MaybePromise<RpcReply | Uint8Array> {
    const call = decodeCall(record);
    if ('denial' in call) return call.denial;
    const reply = new RpcReply(this.#buffers, call.xid);
    const program = this.#programs.get(call.program);
    if (program === undefined) return refused(reply, acceptStatus.PROG_UNAVAIL);
    if (program.version !== call.version) {
      return refused(reply, acceptStatus.PROG_MISMATCH, program.version, program.version);
    }
    const answer = prepare(program, call, caller);
    return typeof answer === 'number' ? refused(reply, answer) : answered(reply, answer);
  }
}

function prepare(program: RpcProgram, call: RpcCall, caller: RpcCaller): RpcAnswer | number {
  // What is to be called to find out whether it is there takes nothing, and gives nothing.
  if (call.procedure === 0) return (reply) => void reply.begin(0);
  try {
    return program.prepare(call, caller) ?? acceptStatus.PROC_UNAVAIL;
  } catch {
    return acceptStatus.GARBAGE_ARGS;
  }
}

function answered(reply: RpcReply, answer: RpcAnswer): MaybePromise<RpcReply> {
  try {
    const pending = answer(reply);
    return pending === undefined
      ? reply
      : pending.then(
          () => reply,
          (error) => failed(reply, error),
        );
  } catch (error) {
    return failed(reply, error);
  }
}

function failed(reply: RpcReply, error: unknown): RpcReply {
  log(1, 'a call could not be answered: %s', (error as Error).message);
  return refused(reply, acceptStatus.SYSTEM_ERR);
}

function refused(reply: RpcReply, status: number, ...words: readonly number[]): RpcReply {
  const writer = reply.begin(4 * words.length, status);
  for (const word of words) writer.u32be(word);
  return reply;
}
