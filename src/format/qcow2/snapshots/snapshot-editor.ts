import { VarveError } from '../../../base/varve-error.ts';
import type { BlockDevice } from '../../../block/block-device.ts';
import { runSteps } from '../../../block/run-steps.ts';
import { checkQcow2 } from '../check/check-qcow2.ts';
import { checkHeader, hasFeature } from '../check-header.ts';
import { incompatibleFeature } from '../features.ts';
import { ImageFile } from '../image-file.ts';
import { readHeader } from '../read-header.ts';
import { Refcounts } from '../refcounts.ts';
import { readSnapshotTable, type SnapshotTable } from './read-snapshots.ts';
import { readTable } from './read-table.ts';
import { replaceSnapshotTable } from './replace-table.ts';
import type { SnapshotEntry } from './snapshot-table.ts';
import { type L1Place, ownClusters } from './table-references.ts';

/** What changing the snapshots of an image needs. */
export class SnapshotEditor {
  readonly image: ImageFile;
  readonly refcounts: Refcounts;
  readonly #table: SnapshotTable;

  private constructor(image: ImageFile, refcounts: Refcounts, table: SnapshotTable) {
    this.image = image;
    this.refcounts = refcounts;
    this.#table = table;
  }

  /**
   * Reads an image that is in order; one that was not closed is repaired first.
   *
   * @throws VarveError `CORRUPT`, `UNSUPPORTED`, `READ_ONLY`
   */
  static async open(file: BlockDevice, name: string): Promise<SnapshotEditor> {
    let header = await readHeader(file, name);
    checkHeader(header, file.size, name);
    const refusal = (why: string): VarveError =>
      new VarveError('READ_ONLY', `cannot change snapshots of ${name}: ${why}`);
    if (!file.supports.write) throw refusal('its file is read-only');
    if (hasFeature(header, 'corrupt')) throw refusal('it says that it is corrupt; check and repair it first');
    if (hasFeature(header, 'externalDataFile')) {
      throw new VarveError('UNSUPPORTED', `${name} keeps its content in an external data file, which has no snapshots`);
    }
    if (hasFeature(header, 'dirty')) {
      await checkQcow2(file, { name, repair: 'all' });
      header = await readHeader(file, name);
    }
    const image = new ImageFile(file, header, name);
    return new SnapshotEditor(
      image,
      await runSteps(Refcounts.open(image)),
      await readSnapshotTable(file, header, name),
    );
  }

  get entries(): readonly SnapshotEntry[] {
    return this.#table.entries;
  }

  /**
   * Runs a change with the image marked as one whose refcounts are not to be relied on, so that whoever opens it after
   * a power cut sets them right. A change that fails is set right at once.
   */
  async run(change: () => Promise<void>): Promise<void> {
    const { file, name } = this.image;
    try {
      await this.#mark(true);
      await change();
      await this.#mark(false);
    } catch (error) {
      await checkQcow2(file, { name, repair: 'all' }).catch(() => undefined);
      throw error;
    }
  }

  /** A copy of an L1 table in clusters of its own, durable; gives its offset. */
  async copyL1Table(place: L1Place): Promise<number> {
    const { clusterSize, file } = this.image;
    const table = await readTable(this.image, place.offset, place.size * 8, 'L1 table');
    const { count } = ownClusters(this.image, place);
    if (count === 0) return 0;
    const bytes = new Uint8Array(count * clusterSize);
    bytes.set(new Uint8Array(table.buffer));
    const first = await runSteps(this.refcounts.allocateContiguous(count));
    await file.write(bytes, first * clusterSize);
    return first * clusterSize;
  }

  /** Writes the table of snapshots anew, and makes the header point to it. */
  async replaceTable(entries: readonly SnapshotEntry[]): Promise<void> {
    await replaceSnapshotTable(this, this.#table.length, entries);
  }

  /** Version 2 has no mark; what can be wrong there after a power cut costs space, and a copy here and there. */
  async #mark(isDirty: boolean): Promise<void> {
    const { file, header } = this.image;
    if (header.version === 2) return;
    const { dirty } = incompatibleFeature;
    const incompatibleFeatures = isDirty ? header.incompatibleFeatures | dirty : header.incompatibleFeatures & ~dirty;
    await runSteps(this.image.changeFields({ incompatibleFeatures }));
    await file.flush();
  }
}
