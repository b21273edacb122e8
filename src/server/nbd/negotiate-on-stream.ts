import type { Duplex } from 'node:stream';
import { ExactReader } from '../../block/nbd/exact-reader.ts';
import { log } from '../../log/log.ts';
import {
  type NegotiationPolicy,
  type NegotiationResult,
  type NegotiationStep,
  negotiate,
} from '../../protocol/nbd/negotiation.ts';
import type { ExportEntry, NbdExports } from './nbd-export.ts';

/** A connection that is ready for requests. */
export interface AgreedConnection {
  readonly result: Extract<NegotiationResult, { kind: 'export' }>;
  readonly entry: ExportEntry;
  /** What it goes on with: the stream that was given, or TLS over it. Paused. */
  readonly stream: Duplex;
  /** What came in behind the handshake. */
  readonly received: Uint8Array;
}

/** How a connection is negotiated. */
export interface StreamNegotiationOptions {
  readonly exports: NbdExports;
  readonly policy: NegotiationPolicy;
  /** Puts TLS over a stream, and gives it when it stands. */
  readonly startTls?: ((stream: Duplex) => Promise<Duplex>) | undefined;
}

/** Negotiates over a stream. Gives why the connection is to be closed where it comes to no export. */
export async function negotiateOnStream(
  stream: Duplex,
  { exports, policy, startTls }: StreamNegotiationOptions,
): Promise<AgreedConnection | string> {
  const negotiation = negotiate(policy);
  let current = stream;
  let reader = new ExactReader(current);
  let entry: ExportEntry | undefined;
  const answer = async (step: NegotiationStep): Promise<unknown> => {
    if (step.kind === 'read') return await reader.read(step.length);
    if (step.kind === 'send') return current.write(step.bytes) ? undefined : await drained(current);
    if (step.kind === 'list') return exports.list();
    if (step.kind === 'find') {
      entry = await exports.find(step.name);
      return entry?.offer;
    }
    const early = reader.detach();
    if (early.length > 0 || startTls === undefined) throw new Error('it sent something in the open behind STARTTLS');
    current = await startTls(current);
    reader = new ExactReader(current);
    return undefined;
  };
  for (let step = negotiation.next(); ; ) {
    if (step.done) {
      const result = step.value;
      const received = reader.detach();
      if (result.kind === 'closed') return result.reason;
      log(2, 'export %s', result.name);
      return { result, entry: entry as ExportEntry, stream: current, received };
    }
    const answered = await answer(step.value);
    if (current.destroyed || (step.value.kind === 'read' && answered === undefined)) return 'the client went away';
    step = negotiation.next(answered);
  }
}

/** Until a client has taken what was sent, or is gone: who asks and does not listen is not answered on. */
async function drained(stream: Duplex): Promise<void> {
  if (stream.destroyed) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const event of ['drain', 'close']) stream.once(event, resolve);
  await promise;
  for (const event of ['drain', 'close']) stream.off(event, resolve);
}
