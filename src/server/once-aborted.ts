/** Calls `action` when a signal is aborted, or at once where it is already; until what is returned is disposed of. */
export function onceAborted(signal: AbortSignal | undefined, action: () => void): Disposable {
  if (signal?.aborted) action();
  else signal?.addEventListener('abort', action, { once: true });
  return { [Symbol.dispose]: () => signal?.removeEventListener('abort', action) };
}
