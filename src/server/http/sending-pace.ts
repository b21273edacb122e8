import type { ServerResponse } from 'node:http';

/** How slowly a client may take an answer. */
export interface PaceLimits {
  /** For which a client may take nothing at all. */
  readonly timeoutMs: number;
  /** In bytes a second over a whole answer, beyond `timeoutMs`. */
  readonly minimumRate: number;
}

/** A watch over an answer, until it is disposed. */
export interface SendingPace extends Disposable {
  readonly isTooSlow: boolean;
}

/** Ends the connection of a client that takes `length` bytes too slowly. */
export function watchPace(response: ServerResponse, length: number, limits: PaceLimits): SendingPace {
  const { minimumRate, timeoutMs } = limits;
  let isTooSlow = false;
  const cutOff = (): void => {
    isTooSlow = true;
    response.destroy();
  };
  const { socket } = response;
  socket?.setTimeout(timeoutMs);
  socket?.once('timeout', cutOff);
  const timer = setTimeout(cutOff, Math.min(timeoutMs + (length / minimumRate) * 1000, 2 ** 31 - 1));
  return {
    get isTooSlow() {
      return isTooSlow;
    },
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      socket?.off('timeout', cutOff);
    },
  };
}
