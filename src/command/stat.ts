import type { Command } from 'commander';
import { VarveError } from '../base/varve-error.ts';
import type { FileExtent } from '../filesystem/file-system.ts';
import { type Accounts, readAccounts } from '../guest/accounts.ts';
import { aclText } from '../guest/acl-text.ts';
import type { GuestFile } from '../guest/guest-tree.ts';
import type { Guest, MountedVolume } from '../guest/open-guest.ts';
import type { CommandModule } from './framework/command-module.ts';
import { splitInnerPath } from './input/inner-path.ts';
import { addInsideOptions, type InsideOptions, openInside } from './input/inside-options.ts';
import { exactSize } from './output/exact-size.ts';
import { fileJson, modeDigits, targetOf } from './output/file-json.ts';
import { modeText, timeJson } from './output/file-text.ts';
import { formatFields } from './output/format-fields.ts';
import { type Column, formatTable } from './output/format-table.ts';
import { nameText } from './output/name-text.ts';

interface Options extends InsideOptions {
  readonly dereference?: boolean;
  readonly extents?: boolean;
}

/** `varve stat DISK:PATH…` */
export const statCommand: CommandModule<string[], Options> = {
  examples: [
    ['varve stat web:/etc/fstab', 'all that the disk says of a file'],
    ['varve stat --extents ./disk.raw:/var/lib/db', 'and at which bytes of the disk it is'],
  ],
  completes: ['disk'],
  configure: (command: Command) =>
    addInsideOptions(
      command
        .argument('<disk:path...>', 'files in disks: web:/etc/fstab, ./disk.qcow2:/boot')
        .option('-L, --dereference', 'of a symbolic link, what it leads to')
        .option('--extents', 'with the runs of its content, and where on the disk they are'),
    ),
  async run(context, args, options) {
    const found: object[] = [];
    const texts: string[] = [];
    for (const argument of args) {
      const { disk, inner } = splitInnerPath(argument);
      if (inner === undefined) throw new VarveError('INVALID', `which file of ${disk}? write ${disk}:/etc/fstab`);
      await using guest = await openInside(context, disk, options);
      const followLast = options.dereference || inner.endsWith('/');
      const told = await tellOf(guest, await guest.tree.resolve(inner, { followLast }), options.extents ?? false);
      if (context.json) found.push(await toldJson(told));
      else texts.push(await toldText(told, await readAccounts(guest.tree)));
    }
    context.show(found, () => texts.join('\n\n'));
  },
};

/** A run of a file, and where it is; in bytes. */
interface PlacedExtent {
  readonly offset: number;
  readonly length: number;
  readonly kind: string;
  /** On the disk; left out for what has no bytes of its own there. */
  readonly place?: number | undefined;
}

interface Told {
  readonly file: GuestFile;
  readonly volume: MountedVolume | undefined;
  readonly attributes: ReadonlyMap<string, Uint8Array>;
  readonly extents: readonly PlacedExtent[] | undefined;
}

async function tellOf({ volumes }: Guest, file: GuestFile, withExtents: boolean): Promise<Told> {
  const volume = volumeOf(volumes, file.path);
  const extents: PlacedExtent[] = [];
  if (withExtents && file.kind === 'file') {
    for await (const extent of file.fileSystem.extents(file.node)) extents.push(...placed(extent, volume));
  }
  const attributes = await file.fileSystem.extendedAttributes(file.node);
  return { file, volume, attributes, extents: withExtents ? extents : undefined };
}

/** An extent, in as many pieces as the volume has it in on the disk. */
function* placed(
  { kind, length, offset, place }: FileExtent,
  volume: MountedVolume | undefined,
): Generator<PlacedExtent> {
  const places = place === undefined ? undefined : volume?.placesOnDisk?.(place, length);
  if (place === undefined || places === undefined) yield { offset, length, kind };
  else
    for (const each of places)
      yield { offset: offset + each.start - place, length: each.length, kind, place: each.place };
}

/** The volume that a path is on: the one that is mounted the closest above it. */
function volumeOf(volumes: readonly MountedVolume[], path: string): MountedVolume | undefined {
  const isAbove = ({ directory }: MountedVolume) =>
    directory === '/' || path === directory || (directory !== undefined && path.startsWith(`${directory}/`));
  return volumes.filter(isAbove).sort((a, b) => b.directory!.length - a.directory!.length)[0];
}

async function toldJson({ attributes, extents, file, volume }: Told): Promise<object> {
  const values = [...attributes].map(([name, value]) => [name, Buffer.from(value).toString('base64')]);
  return {
    ...(await fileJson(file)),
    ...{ volume: volume?.name, fileSystem: file.fileSystem.identity.type },
    ...{ attributes: Object.fromEntries(values), extents },
  };
}

async function toldText(told: Told, accounts: Accounts): Promise<string> {
  const { attributes, extents, file, volume } = told;
  const { stat } = file;
  const target = await targetOf(file);
  const owner = (number: number, names: ReadonlyMap<number, string>) =>
    names.has(number) ? `${number} (${names.get(number)})` : String(number);
  const fields = formatFields([
    ['file', `${nameText(file.path)}${target === undefined ? '' : ` -> ${nameText(target)}`}`],
    ['kind', stat.kind],
    ['device', stat.device && `${stat.device.major}, ${stat.device.minor}`],
    ['size', exactSize(stat.size)],
    ['allocated', exactSize(stat.allocated)],
    ['mode', `${modeDigits(stat)} (${modeText(stat)})`],
    ['user', owner(stat.uid, accounts.users)],
    ['group', owner(stat.gid, accounts.groups)],
    ['links', String(stat.links)],
    ['inode', String(stat.inode)],
    ['on', volume && `${volume.name} (${file.fileSystem.identity.type}${volume.isEncrypted ? ', encrypted' : ''})`],
    ...(['accessed', 'modified', 'changed', 'created'] as const).map((key) => [key, timeJson(stat[key])] as const),
    ...[...attributes].map(([name, value]) => ['attribute', `${nameText(name)} = ${valueText(name, value)}`] as const),
  ]);
  return extents === undefined || extents.length === 0 ? fields : `${fields}\n\n${extentsText(extents)}`;
}

/** An attribute's value: as text where it is one, else in hexadecimal. */
function valueText(name: string, value: Uint8Array): string {
  const list = name.startsWith('system.posix_acl_') ? aclText(value) : undefined;
  if (list !== undefined) return list;
  const text = Buffer.from(value).toString('latin1').replace(/\0$/, '');
  return /^[\x20-\x7e]*$/.test(text) ? JSON.stringify(text) : `0x${Buffer.from(value).toString('hex')}`;
}

const columns: readonly Column[] = [
  { title: 'OFFSET', align: 'right' },
  { title: 'LENGTH', align: 'right' },
  { title: 'KIND' },
  { title: 'ON THE DISK', align: 'right' },
];

function extentsText(extents: readonly PlacedExtent[]): string {
  const rows = extents.map(({ kind, length, offset, place }) => [offset, length, kind, place ?? '-'].map(String));
  return formatTable(columns, rows);
}
