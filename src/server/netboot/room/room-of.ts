import { VarveError } from '../../../base/varve-error.ts';
import { parseReference } from '../../../store/image-name.ts';
import { roomFrom } from './parse-room.ts';
import { Problems } from './problems.ts';
import type { Room } from './room.ts';
import type { MapNode, RoomNode } from './room-node.ts';

/** A room for one image, as options of a command have it: texts, as they were typed. */
export interface RoomOptions {
  readonly interface?: readonly string[] | undefined;
  readonly dhcp?: string | undefined;
  /** `10.9.0.100-10.9.0.250`. */
  readonly range?: readonly string[] | undefined;
  readonly image?: string | undefined;
  /** `nbd` where nothing is said. */
  readonly boot?: string | undefined;
  readonly overlay?: string | undefined;
  readonly files?: string | undefined;
  readonly kernel?: string | undefined;
  readonly initramfs?: string | undefined;
  readonly root?: string | undefined;
  readonly arguments?: string | undefined;
}

const ofEntry = ['image', 'boot', 'overlay', 'files', 'kernel', 'initramfs', 'root', 'arguments'] as const;

/**
 * The same room that a file with one entry would make; every machine boots it. Its entry is called as the image is.
 *
 * @throws VarveError `INVALID` with a line for each problem, that names the option
 */
export function roomOf(options: RoomOptions): Room {
  const { image, files, boot = 'nbd' } = options;
  if (image === undefined && files === undefined) {
    throw new VarveError('INVALID', 'there is nothing to boot: name an image with --image, or a room with --config');
  }
  const problems = new Problems();
  const given = { ...options, boot };
  const entry = mapOf(
    '',
    ofEntry.map((key) => [key, textOf(`--${key}`, given[key])]),
  );
  const interfaces = listOf('--interface', options.interface);
  const room = mapOf('', [
    ['interfaces', interfaces],
    ['dhcp', textOf('--dhcp', options.dhcp)],
    ['range', listOf('--range', options.range)],
    ['entries', mapOf('--image', [[entryName(image), entry]])],
  ]);
  const made = roomFrom(room, process.cwd(), problems);
  problems.throwAny();
  return made;
}

/** Names of images may have letters that addresses of the web have not. */
function entryName(image: string | undefined): string {
  if (image === undefined) return 'kernel';
  const plain = parseReference(image)
    .image.replace(/[^A-Za-z0-9._-]/g, '-')
    .slice(0, 63);
  return /^[A-Za-z0-9]/.test(plain) && plain !== 'local' ? plain : 'image';
}

function mapOf(where: string, fields: readonly (readonly [name: string, node: RoomNode | undefined])[]): MapNode {
  const present = fields.filter((field): field is [string, RoomNode] => field[1] !== undefined);
  return { kind: 'map', line: undefined, where, fields: new Map(present) };
}

function textOf(where: string, text: string | undefined): RoomNode | undefined {
  return text === undefined ? undefined : { kind: 'text', line: undefined, where, text };
}

function listOf(where: string, texts: readonly string[] | undefined): RoomNode | undefined {
  const items = texts?.map((text) => textOf(where, text)!);
  return items && { kind: 'list', line: undefined, where, items };
}
