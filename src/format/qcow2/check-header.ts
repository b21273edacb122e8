import { corruptImage, unsupportedImage } from '../image-errors.ts';
import { decodeFeatureNames, type FeatureName, featureNames, incompatibleFeature } from './features.ts';
import type { Qcow2Header } from './header.ts';
import { extensionData, extensionType } from './header-extensions.ts';

/** QEMU's limits, which keep a hostile header from asking for gigabytes; in bytes. */
const maximumL1Length = 32 * 2 ** 20;
const maximumRefcountTableLength = 8 * 2 ** 20;
const maximumSnapshotCount = 65536;

const usableFeatures =
  incompatibleFeature.dirty |
  incompatibleFeature.corrupt |
  incompatibleFeature.externalDataFile |
  incompatibleFeature.compressionType |
  incompatibleFeature.extendedL2;

/**
 * Refuses a header that contradicts itself, points out of the file of `fileSize` bytes, or asks for what is not
 * known here. `name` is the image's in errors.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED`
 */
export function checkHeader(header: Qcow2Header, fileSize: number, name: string): void {
  checkFeatures(header, name);
  checkEncryption(header, name);
  checkCompression(header, name);
  if (header.refcountOrder > 6)
    throw corruptImage(name, `refcount_order is ${header.refcountOrder}, and may be 0 to 6`);
  checkL1Table(header, fileSize, name);
  checkRefcountTable(header, fileSize, name);
  checkSnapshotTable(header, fileSize, name);
}

/** The feature names that an image carries itself. */
export function ownFeatureNames(header: Qcow2Header): FeatureName[] {
  const data = extensionData(header.extensions, extensionType.featureNames);
  return data === undefined ? [] : decodeFeatureNames(data);
}

/** The guest bytes that one L2 table covers. */
export function l2Coverage(header: Qcow2Header): number {
  const entryLength = hasFeature(header, 'extendedL2') ? 16 : 8;
  return 2 ** header.clusterBits * (2 ** header.clusterBits / entryLength);
}

/** Whether an incompatible feature is switched on. */
export function hasFeature(header: Qcow2Header, feature: keyof typeof incompatibleFeature): boolean {
  return (header.incompatibleFeatures & incompatibleFeature[feature]) !== 0n;
}

function checkFeatures(header: Qcow2Header, name: string): void {
  const unknown = header.incompatibleFeatures & ~usableFeatures;
  if (unknown !== 0n) {
    const names = featureNames('incompatible', unknown, ownFeatureNames(header)).map((feature) =>
      JSON.stringify(feature),
    );
    throw unsupportedImage(name, `it uses what is not known here: ${names.join(', ')}`);
  }
  if (hasFeature(header, 'extendedL2') && header.clusterBits < 14) {
    throw corruptImage(name, `cluster_bits is ${header.clusterBits}, and extended L2 entries need 14 or more`);
  }
}

function checkEncryption({ cryptMethod }: Qcow2Header, name: string): void {
  if (cryptMethod > 2) throw unsupportedImage(name, `its encryption method ${cryptMethod} is not known`);
}

function checkCompression(header: Qcow2Header, name: string): void {
  const { compressionType } = header;
  if (hasFeature(header, 'compressionType') !== (compressionType !== 0)) {
    throw corruptImage(name, `compression_type is ${compressionType}, and the feature bit for it says otherwise`);
  }
  if (compressionType > 1) throw unsupportedImage(name, `its compression type ${compressionType} is not known`);
}

function checkL1Table(header: Qcow2Header, fileSize: number, name: string): void {
  const length = header.l1Size * 8;
  if (length > maximumL1Length) {
    throw corruptImage(name, `its L1 table has ${header.l1Size} entries, and may have ${maximumL1Length / 8}`);
  }
  const needed = Math.ceil(header.size / l2Coverage(header));
  if (header.l1Size < needed) {
    throw corruptImage(
      name,
      `its L1 table has ${header.l1Size} entries, and a disk of ${header.size} bytes needs ${needed}`,
    );
  }
  if (length > 0) checkTable('L1 table', header.l1TableOffset, length, header, fileSize, name);
}

function checkRefcountTable(header: Qcow2Header, fileSize: number, name: string): void {
  const length = header.refcountTableClusters * 2 ** header.clusterBits;
  if (length === 0) throw corruptImage(name, 'it has no refcount table');
  if (length > maximumRefcountTableLength) {
    throw corruptImage(name, `its refcount table has ${length} bytes, and may have ${maximumRefcountTableLength}`);
  }
  checkTable('refcount table', header.refcountTableOffset, length, header, fileSize, name);
}

function checkSnapshotTable(header: Qcow2Header, fileSize: number, name: string): void {
  if (header.snapshotCount === 0) return;
  if (header.snapshotCount > maximumSnapshotCount) {
    throw corruptImage(name, `it has ${header.snapshotCount} snapshots, and may have ${maximumSnapshotCount}`);
  }
  checkTable('snapshot table', header.snapshotsOffset, 1, header, fileSize, name);
}

function checkTable(
  what: string,
  offset: number,
  length: number,
  header: Qcow2Header,
  fileSize: number,
  name: string,
): void {
  if (offset === 0 || offset % 2 ** header.clusterBits !== 0) {
    throw corruptImage(name, `its ${what} cannot be at byte ${offset}, which starts no cluster of its own`);
  }
  if (offset + length > fileSize) {
    throw corruptImage(
      name,
      `its ${what} at byte ${offset} lies past the end of the file, which has ${fileSize} bytes`,
    );
  }
}
