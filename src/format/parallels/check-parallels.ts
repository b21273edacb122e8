import type { BlockDevice } from '../../block/block-device.ts';
import { CheckFindings } from '../check-findings.ts';
import { FlatBlockMap } from '../flat-block-map.ts';
import type { CheckImageOptions, CheckReport } from '../image-format.ts';
import { PlaceSet } from '../place-set.ts';
import { batOf } from './bat.ts';
import { type ParallelsHeader, readParallelsHeader, sectorSize } from './header.ts';

/**
 * Looks for clusters of a Parallels image that are outside of the file or used twice, and for space at the end of the
 * file that nothing uses.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED` for a header that cannot be read, and for a repair
 */
export async function checkParallels(file: BlockDevice, options: CheckImageOptions): Promise<CheckReport> {
  const findings = new CheckFindings('parallels', options);
  const header = await readParallelsHeader(file, options.name);
  if (header.inUse) findings.corruption('inuse says that it was not closed by whoever wrote to it last');
  const { allocated, end, fragmented } = await checkBat(file, header, findings);
  const leaks = Math.ceil((file.size - end) / header.clusterSize);
  if (leaks > 0) findings.leak(leaks, `${leaks} clusters from byte ${end} on are taken, and nothing uses them`);
  return findings.report({ total: header.batEntries, allocated, compressed: 0, fragmented }, end);
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
        findings.corruption(`cluster ${cluster} is at byte ${place}, outside of the data in the file`);
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
