import { formatSize } from '../base/size.ts';
import type { BitmapInformation, FormatInformation, InternalSnapshot } from '../format/image-format.ts';
import { type ChainLink, chainLink, diskChain } from '../image/disk-chain.ts';
import type { CommandContext } from './framework/command-context.ts';
import { exactSize } from './output/exact-size.ts';
import { formatFields } from './output/format-fields.ts';
import { formatTable } from './output/format-table.ts';
import { localTime } from './output/local-time.ts';

/**
 * What `varve info` prints of a disk file, a block device or what is at an address, read as `format` if that is given; a file that it builds
 * on is named, not opened.
 */
export async function showFile(context: CommandContext, path: string, format: string | undefined): Promise<void> {
  const link = await chainLink(path, format);
  context.show(linkJson(link), () => linkText(link));
}

/** The same of all files of a chain. In JSON they are the `chain` of the uppermost, and it is the first of them. */
export async function showChain(context: CommandContext, path: string, format: string | undefined): Promise<void> {
  const chain = await diskChain(path, format);
  context.show(
    () => ({ ...linkJson(chain[0]!), chain: chain.map(linkJson) }),
    () => chain.map(linkText).join('\n\n'),
  );
}

function linkJson({ allocatedSize, information, kind, path }: ChainLink): object {
  const { snapshots, ...rest } = information;
  return {
    kind,
    path,
    ...rest,
    ...(snapshots === undefined ? {} : { snapshots: snapshots.map(snapshotJson) }),
    allocatedSize,
  };
}

function snapshotJson({ timeMs, ...rest }: InternalSnapshot): object {
  return { ...rest, time: new Date(timeMs).toISOString() };
}

function linkText(link: ChainLink): string {
  const { bitmaps = [], snapshots = [] } = link.information;
  return [
    formatFields(fieldsOf(link)),
    ...(snapshots.length === 0 ? [] : ['', 'Snapshots inside the file:', snapshotTable(snapshots)]),
    ...(bitmaps.length === 0 ? [] : ['', 'Dirty bitmaps inside the file:', bitmapTable(bitmaps)]),
  ].join('\n');
}

function fieldsOf({ allocatedSize, information, kind, path }: ChainLink): [string, string | undefined][] {
  const { format, version, virtualSize, fileSize, clusterSize, compression, backing, features = [] } = information;
  const { encryption, parts = [] } = information;
  return [
    [kind === 'address' ? 'Address' : 'File', path],
    ['Format', version === undefined ? format : `${format}, version ${version}`],
    ['Disk size', exactSize(virtualSize)],
    ['File size', exactSize(fileSize)],
    ['On disk', allocatedSize === undefined ? undefined : exactSize(allocatedSize)],
    ['Clusters', clusterSize === undefined ? undefined : exactSize(clusterSize)],
    ['Compression', compression],
    ['Encryption', encryption],
    ['Builds on', backing === undefined ? undefined : backingText(backing)],
    ['Parts in', parts.length === 0 ? undefined : parts.join(', ')],
    ['Snapshots', information.snapshotCount ? `${information.snapshotCount}, inside the file` : undefined],
    ['Features', features.length === 0 ? undefined : features.join(', ')],
    ['State', stateText(information)],
  ];
}

const snapshotColumns = [
  { title: 'ID' },
  { title: 'NAME' },
  { title: 'DISK SIZE', align: 'right' },
  { title: 'MACHINE STATE', align: 'right' },
  { title: 'TIME' },
] as const;

function snapshotTable(snapshots: readonly InternalSnapshot[]): string {
  const rows = snapshots.map(({ id, machineStateLength, name, size, timeMs }) => {
    const state = machineStateLength === 0 ? '-' : formatSize(machineStateLength);
    return [id, name, formatSize(size), state, localTime(timeMs)];
  });
  return formatTable(snapshotColumns, rows);
}

const bitmapColumns = [{ title: 'NAME' }, { title: 'GRANULARITY', align: 'right' }, { title: 'FLAGS' }] as const;

function bitmapTable(bitmaps: readonly BitmapInformation[]): string {
  const rows = bitmaps.map(({ flags, granularity, name }) => [name, formatSize(granularity), flags.join(', ')]);
  return formatTable(bitmapColumns, rows);
}

function backingText({ name, format }: NonNullable<FormatInformation['backing']>): string {
  return format === undefined ? name : `${name} (${format})`;
}

function stateText({ corrupt, dirty }: FormatInformation): string | undefined {
  if (corrupt) return 'damaged, says the file; read what can be read';
  return dirty ? 'not closed by whoever wrote to it last; its content is whole' : undefined;
}
