import type { Outcome, Plan } from './disk-unit.ts';

/** Data that the target has asked for. Offsets in bytes. */
interface TransferRequest {
  readonly tag: number;
  position: number;
  readonly end: number;
}

/** A command that is under way. */
export interface Task {
  readonly tag: number;
  readonly isRead: boolean;
  readonly isWrite: boolean;
  /** What the initiator expects to be transferred, in bytes. */
  readonly expectedLength: number;
  readonly plan: Plan;
  /** Nobody waits for it any more. */
  isAborted: boolean;
  /** What the disk is doing for it. */
  pending: Promise<void> | undefined;
}

/** A command that waits for data. */
export interface TakingTask extends Task {
  readonly plan: Extract<Plan, { kind: 'take' }>;
  /** So much data is taken; the initiator may have more. */
  readonly wanted: number;
  /** Up to `wanted` bytes; as long as only what comes unasked has been taken, fewer. */
  buffer: Uint8Array;
  received: number;
  /** What comes unasked goes on. */
  isUnsolicited: boolean;
  /** Number of the next PDU of data in its sequence. */
  dataSn: number;
  requests: TransferRequest[];
  /** Up to where data has been asked for. */
  requested: number;
  r2tSn: number;
  /** Whether it may ask for data; until then it waits for others. */
  isAdmitted: boolean;
}

const noResidual = { flags: 0, count: 0 };

/** What an initiator is told that expected more, or less, than there was: flags and count. */
export function residualOf(expected: number, actual: number): { readonly flags: number; readonly count: number } {
  if (actual === expected) return noResidual;
  if (actual > expected) return { flags: 0x04, count: actual - expected };
  return { flags: 0x02, count: expected - actual };
}

/** How long what a command transfers is, in bytes, where it ends well. */
export function transferLength(plan: Plan, outcome: Outcome | Uint8Array): number {
  if (plan.kind === 'run') return outcome instanceof Uint8Array ? outcome.length : 0;
  if (plan.kind === 'answer') return plan.bytes.length;
  return plan.kind === 'done' ? 0 : plan.length;
}
