import { VarveError } from '../base/varve-error.ts';

/** @throws ABORTED when `signal` says that the work is to stop */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new VarveError('ABORTED', 'stopped on request', { cause: signal.reason });
}
