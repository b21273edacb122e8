import type { BlockDevice } from '../../block/block-device.ts';
import { CheckFindings } from '../check-findings.ts';
import { FlatBlockMap } from '../flat-block-map.ts';
import type { CheckImageOptions, CheckReport } from '../image-format.ts';
import { PlaceSet } from '../place-set.ts';
import type { VdiHeader } from './header.ts';
import { readVdiHeader } from './open-vdi.ts';
import { vdiTable } from './vdi-table.ts';

/**
 * Looks for blocks of a VDI image that are outside of the file, or that two blocks of the disk share, and for a count
 * of blocks that is not what the map has.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED` for a header that cannot be read, and for a repair
 */
export async function checkVdi(file: BlockDevice, options: CheckImageOptions): Promise<CheckReport> {
  const findings = new CheckFindings('vdi', options);
  const header = await readVdiHeader(file, options.name);
  const allocated = await checkMap(file, header, findings);
  const { blocksAllocated, blocksInImage } = header;
  if (allocated !== blocksAllocated) {
    findings.corruption(`blocks_allocated is ${blocksAllocated}, and the block map has ${allocated}`);
  }
  return findings.report({ total: blocksInImage, allocated, compressed: 0, fragmented: 0 });
}

/** How many entries name a block that there can be. */
async function checkMap(file: BlockDevice, header: VdiHeader, findings: CheckFindings): Promise<number> {
  const { blockSize, blocksInImage } = header;
  const table = vdiTable(file, header, findings.name);
  const used = new PlaceSet(blocksInImage, findings.name);
  let allocated = 0;
  for await (const page of new FlatBlockMap(table).tablePages()) {
    for (let index = 0; index < page.entryCount; index += 1) {
      const entry = page.view.getUint32(index * 4, true);
      if (table.kindOf(entry) !== 'data') continue;
      const block = page.firstIndex + index;
      if (entry >= blocksInImage) findings.corruption(`block ${block} is at place ${entry} of ${blocksInImage}`);
      else if (!used.add(entry)) findings.corruption(`block ${block} is at place ${entry}, as is another`);
      else if (table.placeOf(entry) + blockSize > file.size) {
        findings.corruption(`block ${block} lies past the end of the file, which is at byte ${file.size}`);
      }
      if (entry < blocksInImage) allocated += 1;
    }
    findings.progress((page.firstIndex + page.entryCount) * blockSize);
  }
  return allocated;
}
