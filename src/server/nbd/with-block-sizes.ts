import { VarveError } from '../../base/varve-error.ts';
import type { BlockSizes } from '../../protocol/nbd/option-codec.ts';
import type { ExportEntry } from './nbd-export.ts';

/**
 * The same export, whose clients have to keep to `sizes`; what is not given stays as it is.
 *
 * @throws VarveError `INVALID` for a disk that has no whole number of blocks: nobody could reach its end
 */
export function withBlockSizes(entry: ExportEntry, sizes: Partial<BlockSizes>, name: string): ExportEntry {
  const { offer } = entry;
  const given = { ...offer.blockSizes, ...sizes };
  const blockSizes = {
    minimum: given.minimum,
    preferred: Math.min(Math.max(given.preferred, given.minimum), given.maximum),
    maximum: given.maximum,
  };
  if (offer.size % blockSizes.minimum !== 0) {
    const size = `it has ${offer.size} bytes`;
    throw new VarveError(
      'INVALID',
      `cannot serve ${name} in blocks of ${blockSizes.minimum} bytes: ${size}; give smaller ones`,
    );
  }
  return { offer: { ...offer, blockSizes }, connect: async () => ({ ...(await entry.connect()), blockSizes }) };
}
