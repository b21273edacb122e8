import { statSync } from 'node:fs';
import type { FormatInformation } from '../format/image-format.ts';
import { fileInformation } from '../image/file-disk.ts';
import type { CommandContext } from './framework/command-context.ts';
import { exactSize } from './output/exact-size.ts';
import { formatFields } from './output/format-fields.ts';

/**
 * What `varve info` prints of a disk file or a block device, read as `format` if that is given; a file that it builds
 * on is named, not opened.
 */
export async function showFile(context: CommandContext, path: string, format: string | undefined): Promise<void> {
  const information = await fileInformation(path, format);
  const stats = statSync(path);
  // Of a block device, how much of it is in use does not show.
  const allocatedSize = stats.isFile() ? stats.blocks * 512 : undefined;
  const kind = stats.isFile() ? 'file' : 'block device';
  context.show({ kind, path, ...information, allocatedSize }, () =>
    formatFields(fieldsOf(path, information, allocatedSize)),
  );
}

function fieldsOf(
  path: string,
  information: FormatInformation,
  allocatedSize: number | undefined,
): [string, string | undefined][] {
  const { format, version, virtualSize, fileSize, clusterSize, compression, backing, features = [] } = information;
  return [
    ['File', path],
    ['Format', version === undefined ? format : `${format}, version ${version}`],
    ['Disk size', exactSize(virtualSize)],
    ['File size', exactSize(fileSize)],
    ['On disk', allocatedSize === undefined ? undefined : exactSize(allocatedSize)],
    ['Clusters', clusterSize === undefined ? undefined : exactSize(clusterSize)],
    ['Compression', compression],
    ['Builds on', backing === undefined ? undefined : backingText(backing)],
    ['Snapshots', information.snapshotCount ? `${information.snapshotCount}, inside the file` : undefined],
    ['Features', features.length === 0 ? undefined : features.join(', ')],
    ['State', stateText(information)],
  ];
}

function backingText({ name, format }: NonNullable<FormatInformation['backing']>): string {
  return format === undefined ? name : `${name} (${format})`;
}

function stateText({ corrupt, dirty }: FormatInformation): string | undefined {
  if (corrupt) return 'damaged, says the file; read what can be read';
  return dirty ? 'not closed by whoever wrote to it last; its content is whole' : undefined;
}
