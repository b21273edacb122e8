import type { Compression, FormatInformation } from '../image-format.ts';
import { hasFeature, ownFeatureNames } from './check-header.ts';
import { cryptMethod } from './encryption/encryption-header.ts';
import { autoclearFeature, featureNames, incompatibleFeature } from './features.ts';
import type { Qcow2Header } from './header.ts';
import { extensionData, extensionType } from './header-extensions.ts';
import type { ImageContents } from './image-contents.ts';

/** What a qcow2 image of `fileSize` bytes says of itself. */
export function qcow2Information(header: Qcow2Header, fileSize: number, contents: ImageContents): FormatInformation {
  const backing = header.backingFile;
  return {
    format: 'qcow2',
    virtualSize: header.size,
    fileSize,
    version: header.version,
    clusterSize: 2 ** header.clusterBits,
    compression: compressionOf(header),
    ...(backing === undefined ? {} : { backing: { name: backing, format: backingFormatOf(header) } }),
    snapshotCount: header.snapshotCount,
    snapshots: contents.snapshots,
    // Whoever writes without keeping them switches them off.
    bitmaps: (header.autoclearFeatures & autoclearFeature.bitmaps) === 0n ? [] : contents.bitmaps,
    features: otherFeatures(header),
    dirty: hasFeature(header, 'dirty'),
    corrupt: hasFeature(header, 'corrupt'),
    ...(header.cryptMethod === cryptMethod.none ? {} : { encryption: encryptionName(header) }),
  };
}

function encryptionName(header: Qcow2Header): string {
  return header.cryptMethod === cryptMethod.aes ? 'AES' : 'LUKS';
}

/** What the image's compressed clusters are compressed with. */
export function compressionOf(header: Qcow2Header): Compression {
  return header.compressionType === 1 ? 'zstd' : 'deflate';
}

/** The format of the backing file, as far as the image tells it. */
export function backingFormatOf(header: Qcow2Header): string | undefined {
  const data = extensionData(header.extensions, extensionType.backingFormat);
  return data === undefined ? undefined : new TextDecoder().decode(data);
}

/** Names of the features that have no field of their own. */
function otherFeatures(header: Qcow2Header): string[] {
  const { dirty, corrupt, compressionType } = incompatibleFeature;
  const incompatible = header.incompatibleFeatures & ~(dirty | corrupt | compressionType);
  const own = ownFeatureNames(header);
  return [
    ...featureNames('incompatible', incompatible, own),
    ...featureNames('compatible', header.compatibleFeatures, own),
    ...featureNames('autoclear', header.autoclearFeatures, own),
  ];
}
