import type { ErrorCode } from '../../../base/varve-error.ts';

/** What a driver's process is to open, as it is told on its standard input. */
export interface DriverRequest {
  /** Absolute. */
  readonly path: string;
  readonly writable: boolean;
  readonly format?: string | undefined;
  readonly follow: boolean;
  readonly allowed: readonly string[];
  readonly forceShare: boolean;
  readonly internalSnapshot?: string | undefined;
  readonly member?: string | undefined;
  /** Whether a passphrase can be had where one is needed. */
  readonly canAsk: boolean;
  /** The passphrase or key of an encrypted image, as base64. */
  readonly secret?: string | undefined;
  /** The user and group that it is to be once it has opened its files; left out where it stays who it is. */
  readonly userId?: number | undefined;
  /** Whether that user can read this program, which may have parts to load yet. */
  readonly isProgramReadable: boolean;
}

/** What is asked of it, before it is known how it is confined. */
export type DiskRequest = Omit<DriverRequest, 'userId' | 'isProgramReadable'>;

/** What it answers on its standard output, as one line of JSON, before it serves the disk. */
export type DriverAnswer =
  | { readonly kind: 'ready'; readonly contexts: readonly string[] }
  /** It needs a passphrase, and ends. */
  | { readonly kind: 'secret'; readonly question: string }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string };

/** The descriptor that a driver serves its disk on, a socket. */
export const driverDescriptor = 3;
