import { xmlElements } from './xml-elements.ts';

/** A disk of a virtual appliance that is in a file. */
export interface OvfDisk {
  readonly diskId: string;
  /** The file's name, as a URI relative to the descriptor. */
  readonly href: string;
  /** How the file is compressed, such as `gzip`; undefined where it is not. */
  readonly compression: string | undefined;
  /** Whether the file is cut into several. */
  readonly isChunked: boolean;
  /** The disk that this one builds on, in the appliance. */
  readonly parentRef: string | undefined;
}

/**
 * The disks that an OVF descriptor names, in its order. Those that are to be empty have no file, and are left out.
 *
 * Source: DMTF DSP0243, Open Virtualization Format 1.1, sections 7.1 (file references) and 9.1 (DiskSection).
 */
export function decodeOvfDisks(text: string): OvfDisk[] {
  const files = new Map<string, ReadonlyMap<string, string>>();
  const disks: ReadonlyMap<string, string>[] = [];
  for (const { attributes, name, parent } of xmlElements(text)) {
    if (parent === 'References' && name === 'File') files.set(attributes.get('id') ?? '', attributes);
    if (parent === 'DiskSection' && name === 'Disk') disks.push(attributes);
  }
  return disks.flatMap((disk) => {
    const file = files.get(disk.get('fileRef') ?? '');
    const href = file?.get('href');
    if (file === undefined || href === undefined) return [];
    return {
      diskId: disk.get('diskId') ?? '',
      href,
      compression: file.get('compression') || undefined,
      isChunked: file.has('chunkSize'),
      parentRef: disk.get('parentRef'),
    };
  });
}
