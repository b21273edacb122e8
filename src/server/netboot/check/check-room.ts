import { formatSize } from '../../../base/size.ts';
import type { Guest } from '../../../guest/open-guest.ts';
import type { Platform } from '../../../protocol/dhcp/architectures.ts';
import type { Store } from '../../../store/store.ts';
import { directorySource } from '../../files/directory-source.ts';
import { readChapLogin } from '../chap-secrets.ts';
import { type FoundLoaders, missingLoader } from '../loaders/find-loaders.ts';
import { guestBootOf, missingForBoot } from '../menus/guest-boot.ts';
import { netbootGuests } from '../netboot-guests.ts';
import type { Entry, Room } from '../room/room.ts';
import { requireGoodTemplates } from '../room-templates.ts';
import type { ServerPlace } from '../server-place.ts';
import { type Finding, ok, problem, problemOf, warning } from './finding.ts';

const commonPlatforms: readonly Platform[] = ['bios', 'efi-x64'];
/** An initramfs unpacks to about three times what it takes, and both are there for a moment. */
const unpackedTimes = 4;
const systemMemory = 64 * 2 ** 20;
/** Of a Debian as debootstrap makes it, 42 % (packed by zstd at level 9). */
const packedShare = 0.45;
const otherPlatforms: readonly Platform[] = ['efi-ia32', 'efi-arm64'];

/** Looks at all that a room names: loaders, secrets, templates, and what each entry boots. */
export async function* checkRoom(
  room: Room,
  { loaders, place, store }: { readonly loaders: FoundLoaders; readonly place: ServerPlace; readonly store: Store },
): AsyncGenerator<Finding> {
  for (const platform of [...commonPlatforms, ...otherPlatforms]) yield loaderFinding(platform, loaders);
  try {
    if (readChapLogin(room.chap) !== undefined) yield ok('chap', 'the secrets can be read');
  } catch (error) {
    yield problemOf('chap', error);
  }
  try {
    await requireGoodTemplates(room, place);
    if ([...room.entries.values()].some(({ template }) => template !== undefined))
      yield ok('templates', 'all are filled in');
  } catch (error) {
    yield problemOf('templates', error);
  }
  const needs = new Map<string, number>();
  for (const entry of room.entries.values()) {
    const { bytes, finding } = await lookAt(entry, store);
    if (bytes !== undefined) needs.set(entry.name, bytes);
    yield finding;
  }
  yield* checkMemory(room, needs);
}

/** What an entry was found to be, and how much memory what it loads takes, in bytes. */
interface Seen {
  readonly finding: Finding;
  readonly bytes?: number | undefined;
}

/** Compares what machines are said to have with what their entries take. */
function* checkMemory(room: Room, needs: ReadonlyMap<string, number>): Generator<Finding> {
  for (const { entries, mac, memory, name, uuid } of room.machines) {
    if (memory === undefined) continue;
    const what = `memory of ${name ?? mac ?? uuid}`;
    const names = entries.length > 0 ? entries : [...room.entries.keys()];
    const tooLarge = names.filter((each) => (needs.get(each) ?? 0) > memory);
    const list = tooLarge.map((each) => `${each} takes ${formatSize(needs.get(each)!)}`).join(', ');
    if (tooLarge.length === 0) yield ok(what, formatSize(memory));
    else yield problem(what, `it has ${formatSize(memory)}, and ${list}`);
  }
}

function loaderFinding(platform: Platform, { pxe }: FoundLoaders): Finding {
  const what = `loader for ${platform}`;
  const name = pxe[platform];
  if (name !== undefined) return ok(what, name);
  const { message } = missingLoader(platform);
  return commonPlatforms.includes(platform) ? problem(what, message) : warning(what, message);
}

async function lookAt(entry: Entry, store: Store): Promise<Seen> {
  const what = `entry ${entry.name}`;
  if (entry.boot === 'local') return { finding: ok(what, 'the disk of each machine') };
  try {
    return entry.image === undefined ? await lookAtDirectory(what, entry) : await lookAtImage(what, entry, store);
  } catch (error) {
    return { finding: problemOf(what, error) };
  }
}

async function lookAtDirectory(what: string, { files, initramfs, kernel }: Entry): Promise<Seen> {
  const source = directorySource(files!);
  const sizes: string[] = [];
  let bytes = 0;
  for (const name of [kernel, initramfs]) {
    if (name === undefined) continue;
    const file = await source.open(name);
    if (typeof file !== 'object') return { finding: problem(what, `there is no ${name} in ${files}`) };
    sizes.push(`${name}, ${formatSize(file.size)}`);
    bytes += file.size;
    await file[Symbol.asyncDispose]();
  }
  return { finding: ok(what, sizes.join('; ')), bytes: memoryFor(bytes) };
}

async function lookAtImage(what: string, entry: Entry, store: Store): Promise<Seen> {
  const guests = netbootGuests(store);
  const { disk } = await guests.pin(entry.image!);
  if (entry.boot === 'sanboot') return { finding: ok(what, `${disk}, by its own boot loader`) };
  await using guest = await guests.open(disk);
  const boot = await guestBootOf(guest);
  const missing = missingForBoot(boot, entry);
  if (missing !== undefined) return { finding: problem(what, missing) };
  const paths = [entry.kernel ?? boot.kernel!, ...(entry.initramfs === undefined ? boot.initramfs : [entry.initramfs])];
  let size = 0;
  for (const path of paths) size += (await guest.tree.resolve(path)).stat.size;
  const bytes = memoryFor(size) + (entry.boot === 'ram' ? await packedSize(guest) : 0);
  return { finding: ok(what, `${disk}: ${paths.join(', ')}, ${formatSize(size)}`), bytes };
}

/** A kernel and its initramfs, packed and unpacked, and what a small system takes besides. */
function memoryFor(loaded: number): number {
  return loaded * unpackedTimes + systemMemory;
}

/** About what the files of a system take as a squashfs: it is packed when the server starts, and not for a look. */
async function packedSize({ mounts }: Guest): Promise<number> {
  let used = 0;
  for (const { fileSystem } of mounts) {
    const { free, size } = await fileSystem.usage();
    used += size - free;
  }
  return Math.ceil(used * packedShare);
}
