import { formatSize } from '../base/size.ts';
import { VarveError } from '../base/varve-error.ts';
import { log } from '../log/log.ts';
import { referenceOf } from '../store/image-table.ts';
import { measureOwnership, type OwnedSnapshot, type Ownership } from '../store/snapshot-ownership.ts';
import type { CommandContext } from './framework/command-context.ts';
import { type Column, formatTable } from './output/format-table.ts';
import { localTime } from './output/local-time.ts';
import { firstLine } from './output/message-lines.ts';
import { naturalOrder } from './output/natural-order.ts';

/** Shows what the snapshots of an image, or of all, own alone. @throws VarveError `NOT_FOUND`, `INVALID`, `CORRUPT` */
export async function showOwnership(
  context: CommandContext,
  image: string | undefined,
  { top }: { readonly top?: number },
): Promise<undefined> {
  const signal = await context.startWork();
  await using store = await context.openStore();
  if (image !== undefined) requireImage(image, store.images.find(image) !== undefined);
  const ownership = await log.scope('usage', () => measureOwnership(store, { signal }));
  const wanted = image?.normalize('NFC');
  const ofImage = <Owned>(all: readonly Owned[], nameOf: (each: Owned) => string): Owned[] =>
    all.filter((each) => wanted === undefined || nameOf(each) === wanted);
  const snapshots = ofImage(ownership.snapshots, ({ snapshot }) => snapshot.image);
  const images = ofImage(ownership.images, (each) => each.image).sort((a, b) => naturalOrder(a.image, b.image));
  const sorted = top === undefined ? snapshots.sort(byReference) : snapshots.sort(byBytes).slice(0, top);
  const shown = { ...ownership, snapshots: sorted, images };
  context.show(
    () => ownershipJson(shown),
    () => ownershipText(shown),
  );
}

/** @throws VarveError */
function requireImage(image: string, isThere: boolean): void {
  if (isThere) return;
  if (/[@:/]/.test(image)) {
    throw new VarveError('INVALID', `--snapshots is about images: name one, or none for all, not ${image}`);
  }
  throw new VarveError('NOT_FOUND', `there is no image ${image}; varve list shows what there is`);
}

function byReference({ snapshot: a }: OwnedSnapshot, { snapshot: b }: OwnedSnapshot): number {
  return naturalOrder(a.image, b.image) || a.number - b.number;
}

function byBytes(a: OwnedSnapshot, b: OwnedSnapshot): number {
  return b.bytes - a.bytes || byReference(a, b);
}

function ownershipJson({ garbage, images, shared, snapshots }: Ownership): object {
  return {
    snapshots: snapshots.map(({ bodies, bytes, snapshot }) => ({
      reference: referenceOf(snapshot),
      time: new Date(snapshot.time).toISOString(),
      size: snapshot.size,
      bodies,
      bytes,
    })),
    images,
    shared,
    garbage,
  };
}

const right = (title: string): Column => ({ title, align: 'right' });

function ownershipText({ garbage, images, shared, snapshots }: Ownership): string {
  const snapshotRows = snapshots.map(({ bytes, snapshot }) => [
    referenceOf(snapshot),
    localTime(snapshot.time),
    formatSize(bytes),
    firstLine(snapshot.message),
  ]);
  const imageRows = images.map(({ bytes, image }) => [image, formatSize(bytes)]);
  const totals = [
    ['what several images share, or changes build on', formatSize(shared.bytes)],
    ['what nothing needs; varve gc gives it back', formatSize(garbage.bytes)],
  ];
  const snapshotColumns = [{ title: 'SNAPSHOT' }, { title: 'TIME' }, right('ALONE'), { title: 'MESSAGE' }];
  return [
    formatTable(snapshotColumns, snapshotRows),
    '',
    formatTable([{ title: 'IMAGE' }, right('ALONE')], imageRows),
    '',
    formatTable([{ title: 'STORE' }, right('TAKES')], totals),
  ].join('\n');
}
