import type dgram from 'node:dgram';
import { VarveError } from '../../base/varve-error.ts';

/**
 * The descriptor of a socket. Node does not document where it is; all else is its public interface.
 *
 * @throws VarveError `UNSUPPORTED`
 */
export function descriptorOf(socket: dgram.Socket): number {
  const states = socket as unknown as Record<symbol, { handle?: { fd?: number } } | undefined>;
  for (const symbol of Object.getOwnPropertySymbols(socket)) {
    const fd = states[symbol]?.handle?.fd;
    if (fd !== undefined && fd >= 0) return fd;
  }
  throw new VarveError('UNSUPPORTED', 'cannot use one network interface alone: this Node hides the socket');
}
