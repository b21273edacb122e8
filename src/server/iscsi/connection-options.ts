import type { LoginPolicy, LoginResult } from '../../protocol/iscsi/login.ts';
import type { MemoryBudget } from '../nbd/memory-budget.ts';
import type { CommandWindow } from './command-window.ts';
import type { DataInOptions } from './data-in.ts';
import type { Session } from './session.ts';

/** Who an initiator is. */
export interface InitiatorPort {
  readonly login: LoginResult;
  /** 12 hexadecimal digits. */
  readonly isid: string;
  /** 0 for a new session. */
  readonly sessionHandle: number;
}

/** What a connection came to at the end of its login: a session with its handle, or why there is none. */
export type Opened = { readonly session: Session | undefined; readonly handle: number } | { readonly status: number };

/** A connection, as the session on it needs it. */
export interface SessionCarrier extends Pick<DataInOptions, 'pdus' | 'parameters' | 'room' | 'share'> {
  readonly window: CommandWindow;
  /** Ends it at once. */
  destroy(): void;
}

/** What a connection may take of its server, and asks it for. */
export interface ConnectionOptions {
  readonly policy: LoginPolicy;
  readonly budget: MemoryBudget;
  /** Asks whether the initiator is there after so long without a word, in milliseconds; 0 is never. */
  readonly pingIntervalMs: number;
  /** Leaves an initiator that does not go on with what it has begun, in milliseconds; 0 is never. */
  readonly stallTimeoutMs: number;
  /** Opens the session; `undefined` instead of one for discovery. */
  open(port: InitiatorPort, connection: SessionCarrier): Promise<Opened>;
  /** Hears of a login that is refused: its status, and the target that was asked for. */
  refused?(status: number, target: string | undefined): void;
  /** Each target with where it is. */
  targets(): Iterable<readonly [string, string]>;
}
