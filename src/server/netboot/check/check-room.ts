import { formatSize } from '../../../base/size.ts';
import type { Platform } from '../../../protocol/dhcp/architectures.ts';
import type { Store } from '../../../store/store.ts';
import { directorySource } from '../../files/directory-source.ts';
import { diskGuests } from '../../files/disk-guests.ts';
import { readChapLogin } from '../chap-secrets.ts';
import { type FoundLoaders, missingLoader } from '../loaders/find-loaders.ts';
import { guestBootOf, missingForBoot } from '../menus/guest-boot.ts';
import type { Entry, Room } from '../room/room.ts';
import { requireGoodTemplates } from '../room-templates.ts';
import type { ServerPlace } from '../server-place.ts';
import { type Finding, ok, problem, problemOf, warning } from './finding.ts';

const commonPlatforms: readonly Platform[] = ['bios', 'efi-x64'];
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
  for (const entry of room.entries.values()) yield await entryFinding(entry, store);
}

function loaderFinding(platform: Platform, { pxe }: FoundLoaders): Finding {
  const what = `loader for ${platform}`;
  const name = pxe[platform];
  if (name !== undefined) return ok(what, name);
  const { message } = missingLoader(platform);
  return commonPlatforms.includes(platform) ? problem(what, message) : warning(what, message);
}

async function entryFinding(entry: Entry, store: Store): Promise<Finding> {
  const what = `entry ${entry.name}`;
  if (entry.boot === 'local') return ok(what, 'the disk of each machine');
  try {
    return entry.image === undefined ? await directoryFinding(what, entry) : await imageFinding(what, entry, store);
  } catch (error) {
    return problemOf(what, error);
  }
}

async function directoryFinding(what: string, { files, initramfs, kernel }: Entry): Promise<Finding> {
  const source = directorySource(files!);
  const sizes: string[] = [];
  for (const name of [kernel, initramfs]) {
    if (name === undefined) continue;
    const file = await source.open(name);
    if (typeof file !== 'object') return problem(what, `there is no ${name} in ${files}`);
    sizes.push(`${name}, ${formatSize(file.size)}`);
    await file[Symbol.asyncDispose]();
  }
  return ok(what, sizes.join('; '));
}

async function imageFinding(what: string, entry: Entry, store: Store): Promise<Finding> {
  const guests = diskGuests({ store });
  const { disk } = await guests.pin!(entry.image!);
  if (entry.boot === 'sanboot') return ok(what, `${disk}, by its own boot loader`);
  await using guest = await guests.open(disk);
  const boot = await guestBootOf(guest);
  const missing = missingForBoot(boot, entry);
  if (missing !== undefined) return problem(what, missing);
  const paths = [entry.kernel ?? boot.kernel!, ...(entry.initramfs === undefined ? boot.initramfs : [entry.initramfs])];
  let size = 0;
  for (const path of paths) size += (await guest.tree.resolve(path)).stat.size;
  return ok(what, `${disk}: ${paths.join(', ')}, ${formatSize(size)}`);
}
