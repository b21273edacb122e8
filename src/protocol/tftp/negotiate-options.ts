/** How the blocks of a transfer go out. */
export interface TransferTerms {
  /** Bytes of a block. */
  readonly blockSize: number;
  /** Blocks that go out before one must be acknowledged. */
  readonly windowSize: number;
  /** Until the first repetition, in milliseconds. */
  readonly timeoutMs: number;
  /** What the client has to be told, in the order it asked; empty where it asked for nothing. */
  readonly acknowledged: ReadonlyMap<string, string>;
}

/** The most that a server agrees to. */
export interface TermLimits {
  /** Bytes; 65,464 where nothing is given. */
  readonly maximumBlockSize?: number | undefined;
  /** Blocks; 64 where nothing is given. */
  readonly maximumWindowSize?: number | undefined;
}

/** Bytes of a window: what the sockets of most systems hold that nobody has taken yet. */
const maximumWindowLength = 2 ** 18;

const defaultBlockSize = 512;
const defaultTimeoutMs = 1000;
const largestBlockSize = 65_464;
const largestWindowSize = 65_535;

/**
 * What a server agrees to of the options that a client asks for. What it does not know, or what makes no sense, it
 * leaves out, which is how a server declines. It leaves out the size of an empty file too, at which curl gives up.
 * Source: RFC 2347; RFC 2348 (blksize 8 … 65,464); RFC 2349 (timeout 1 … 255 s, tsize); RFC 7440 (windowsize).
 *
 * @param size of the file in bytes
 */
export function negotiateOptions(
  options: ReadonlyMap<string, string>,
  size: number,
  { maximumBlockSize = largestBlockSize, maximumWindowSize = 64 }: TermLimits = {},
): TransferTerms {
  const terms = { blockSize: defaultBlockSize, windowSize: 1, timeoutMs: defaultTimeoutMs };
  const acknowledged = new Map<string, string>();
  for (const [name, value] of options) {
    if (name === 'blksize') {
      const asked = numberIn(value, 8, largestBlockSize);
      if (asked === undefined) continue;
      terms.blockSize = Math.min(asked, maximumBlockSize);
      acknowledged.set(name, String(terms.blockSize));
    } else if (name === 'windowsize') {
      const asked = numberIn(value, 1, largestWindowSize);
      if (asked === undefined) continue;
      terms.windowSize = Math.min(asked, maximumWindowSize);
      acknowledged.set(name, value);
    } else if (name === 'timeout') {
      const asked = numberIn(value, 1, 255);
      if (asked === undefined) continue;
      terms.timeoutMs = asked * 1000;
      acknowledged.set(name, String(asked));
    } else if (name === 'tsize' && size > 0 && numberIn(value, 0, Number.MAX_SAFE_INTEGER) !== undefined) {
      acknowledged.set(name, String(size));
    }
  }
  terms.windowSize = Math.min(terms.windowSize, Math.max(1, Math.floor(maximumWindowLength / terms.blockSize)));
  if (acknowledged.has('windowsize')) acknowledged.set('windowsize', String(terms.windowSize));
  return { ...terms, acknowledged };
}

function numberIn(text: string, least: number, most: number): number | undefined {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  return value >= least && value <= most ? value : undefined;
}
