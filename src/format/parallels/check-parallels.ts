import { type BlockDevice, isResizable } from '../../block/block-device.ts';
import { CheckFindings } from '../check-findings.ts';
import { FlatBlockMap } from '../flat-block-map.ts';
import type { CheckImageOptions, CheckReport } from '../image-format.ts';
import { PlaceSet } from '../place-set.ts';
import { batOf } from './bat.ts';
import { inUseOffset, type ParallelsHeader, readParallelsHeader, sectorSize } from './header.ts';

/**
 * Looks for clusters of a Parallels image that are outside of the file or used twice, and for space at the end of the
 * file that nothing uses. A repair takes back that space; of `all`, clusters that are not there read as zeros after it,
 * and the image counts as closed. Two uses of one cluster are left as they are.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED` for a header that cannot be read
 */
export async function checkParallels(file: BlockDevice, options: CheckImageOptions): Promise<CheckReport> {
  const findings = new CheckFindings('parallels', options, true);
  const header = await readParallelsHeader(file, options.name);
  const { allocated, end, fragmented } = await checkBat(file, header, findings);
  await checkEnd(file, end, header.clusterSize, findings);
  if (header.inUse) {
    const closes = findings.repair === 'all' && findings.corruptions === 0;
    if (closes) await writeField(file, inUseOffset, 0);
    findings.corruption('inuse says that it was not closed by whoever wrote to it last', closes);
  }
  return findings.report({ total: header.batEntries, allocated, compressed: 0, fragmented }, end);
}

async function checkEnd(file: BlockDevice, end: number, clusterSize: number, findings: CheckFindings): Promise<void> {
  const leaks = Math.ceil((file.size - end) / clusterSize);
  if (leaks <= 0) return;
  const frees = findings.repair !== undefined && isResizable(file);
  if (frees) {
    // What no longer refers to what is cut off has to be there before.
    await file.flush();
    await file.resize(end);
  }
  findings.leak(leaks, `${leaks} clusters from byte ${end} on are taken, and nothing uses them`, frees);
}

async function writeField(file: BlockDevice, offset: number, value: number): Promise<void> {
  const field = new DataView(new ArrayBuffer(4));
  field.setUint32(0, value, true);
  await file.write(new Uint8Array(field.buffer), offset);
}

/** What the BAT takes, and where the last of it ends. */
async function checkBat(file: BlockDevice, header: ParallelsHeader, findings: CheckFindings) {
  const { clusterSize, dataOffset } = header;
  const bat = batOf(file, header, findings.name);
  // Clusters of the older kind may start at any sector, so what is taken is counted in those.
  const unit = header.entryUnit;
  const used = new PlaceSet(Math.ceil(file.size / unit), findings.name);
  let [allocated, fragmented, last, highest] = [0, 0, 0, 0];
  for await (const page of new FlatBlockMap(bat).tablePages()) {
    for (let index = 0; index < page.entryCount; index += 1) {
      const place = bat.placeOf(page.view.getUint32(index * 4, true));
      const cluster = page.firstIndex + index;
      const isOutside = place !== 0 && (place < dataOffset || place + clusterSize > file.size);
      if (isOutside) {
        const forgets = findings.repair === 'all';
        if (forgets) await writeField(file, bat.offset + cluster * 4, 0);
        findings.corruption(`cluster ${cluster} is at byte ${place}, outside of the data in the file`, forgets);
        if (forgets) continue;
      } else if (place !== 0) {
        const isFree = take(used, place / unit, clusterSize / unit);
        if (!isFree) findings.corruption(`cluster ${cluster} is at byte ${place}, which is in use already`);
      }
      highest = Math.max(highest, place);
      if (place !== 0) allocated += 1;
      if (place !== 0 && last !== 0 && last + clusterSize !== place) fragmented += 1;
      last = place;
    }
    findings.progress(Math.min(header.diskSize, (page.firstIndex + page.entryCount) * clusterSize));
  }
  const end = highest === 0 ? Math.ceil(dataOffset / sectorSize) * sectorSize : highest + clusterSize;
  return { allocated, fragmented, end };
}

function take(used: PlaceSet, first: number, count: number): boolean {
  let isFree = true;
  for (let place = first; place < first + count; place += 1) isFree = used.add(place) && isFree;
  return isFree;
}
