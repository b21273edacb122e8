import type { FormatInformation } from '../image-format.ts';
import { contentIdText, type Descriptor } from './descriptor.ts';
import type { SparseHeader } from './sparse-header.ts';
import type { SparseLayout } from './sparse-layout.ts';

/** What a disk's information is made of; sizes in bytes. */
export interface VmdkInformationSources {
  readonly fileSize: number;
  /** Of the disk. */
  readonly size: number;
  /** What `createType` is, or what the file is in that word's place. */
  readonly subformat: string;
  /** Of the file that was opened, where it is a sparse extent. */
  readonly layout?: SparseLayout;
  readonly header?: SparseHeader;
  readonly descriptor?: Descriptor | undefined;
}

/** What a VMDK disk says of itself. */
export function vmdkInformation(sources: VmdkInformationSources): FormatInformation {
  const { descriptor, fileSize, header, layout, size, subformat } = sources;
  const parts = layout === undefined ? partsOf(descriptor) : [];
  const backing = descriptor?.parent && { name: descriptor.parent.fileName, format: 'vmdk' };
  return {
    format: 'vmdk',
    virtualSize: size,
    fileSize,
    ...(header === undefined ? {} : { version: header.version, dirty: header.uncleanShutdown }),
    ...(layout === undefined ? {} : { clusterSize: layout.grainSize }),
    ...(layout?.compressed ? { compression: 'deflate' as const } : {}),
    ...(backing === undefined ? {} : { backing }),
    ...(descriptor === undefined ? {} : { contentId: contentIdText(descriptor.contentId) }),
    features: [subformat, ...(layout?.hasZeroedGrains ? ['zeroed grains'] : [])],
    ...(parts.length === 0 ? {} : { parts }),
  };
}

function partsOf(descriptor: Descriptor | undefined): string[] {
  const names = descriptor?.extents.flatMap(({ fileName }) => (fileName === undefined ? [] : [fileName]));
  return [...new Set(names)];
}
