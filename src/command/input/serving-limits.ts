import type { Command } from 'commander';
import { parseSize } from '../../base/size.ts';
import { VarveError } from '../../base/varve-error.ts';
import type { BlockSizes } from '../../protocol/nbd/option-codec.ts';
import type { NbdServerOptions } from '../../server/nbd/nbd-server.ts';
import { parseCount } from './count.ts';
import { parseTimeLimit } from './time-limit.ts';

/** What the options that keep clients of a server in bounds came to; durations in milliseconds. */
export interface ServingLimits {
  readonly maxClients?: number;
  readonly maxRequests?: number;
  readonly maxMemory?: number;
  readonly handshakeTimeout?: number;
  readonly stallTimeout?: number;
  readonly idleTimeout?: number;
  readonly blockSize?: Partial<BlockSizes>;
}

/** Declares `--max-clients`, `--max-requests`, `--max-memory`, the timeouts and `--block-size`. */
export function addServingLimits(command: Command): Command {
  return command
    .option(
      '--max-clients <number>',
      'turn away who comes when so many are there; 128 where nothing is said',
      parseCount,
    )
    .option('--max-requests <number>', 'have each client wait that has so many requests under way; 256', parseCount)
    .option(
      '--max-memory <size>',
      'have clients wait when they make the server keep so much, all together; 256M',
      parseSize,
    )
    .option(
      '--handshake-timeout <time>',
      'leave who has not come to an export by then; 30s, and 0 is never',
      parseTimeLimit,
    )
    .option('--stall-timeout <time>', 'leave who stops in the middle of a request; 30s, and 0 is never', parseTimeLimit)
    .option('--idle-timeout <time>', 'leave who asks for nothing for so long; 0, which is never', parseTimeLimit)
    .option(
      '--block-size <min[,preferred[,max]]>',
      'take only requests that are aligned so, and no longer',
      parseBlockSizes,
    );
}

/** The options in the server's terms. */
export function serverLimits(limits: ServingLimits): Partial<NbdServerOptions> {
  return {
    maximumClients: limits.maxClients,
    maximumRequests: limits.maxRequests,
    maximumMemory: limits.maxMemory,
    handshakeTimeoutMs: limits.handshakeTimeout,
    stallTimeoutMs: limits.stallTimeout,
    idleTimeoutMs: limits.idleTimeout,
  };
}

/**
 * The smallest block, a preferred one and the longest payload; the latter two need not be given.
 * Source: proto.md, "Size constraints".
 *
 * @throws VarveError `INVALID`
 */
function parseBlockSizes(text: string): Partial<BlockSizes> {
  const [minimum = Number.NaN, preferred, maximum, ...more] = text.split(',').map(parseSize);
  if (more.length > 0) throw invalid(text, 'there are at most three sizes');
  if (!isPowerOfTwo(minimum) || minimum > 2 ** 16) throw invalid(text, 'the smallest is a power of two, at most 64K');
  if (
    preferred !== undefined &&
    !(isPowerOfTwo(preferred) && preferred >= Math.max(minimum, 512) && preferred <= 2 ** 25)
  ) {
    throw invalid(text, 'the preferred one is a power of two from 512 to 32M, and not smaller than the smallest');
  }
  if (maximum !== undefined && !(maximum >= (preferred ?? Math.max(minimum, 4096)) && maximum <= 2 ** 25)) {
    throw invalid(text, 'the longest is at most 32M, and not smaller than the preferred one');
  }
  return { minimum, ...(preferred === undefined ? {} : { preferred }), ...(maximum === undefined ? {} : { maximum }) };
}

function isPowerOfTwo(value: number): boolean {
  return value >= 1 && Number.isInteger(Math.log2(value));
}

function invalid(text: string, why: string): VarveError {
  return new VarveError(
    'INVALID',
    `cannot serve with blocks of ${JSON.stringify(text)}: ${why}; as in 512 or 512,4K,1M`,
  );
}
