import fs from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { formatSize } from '../../../base/size.ts';
import { systemError, VarveError } from '../../../base/varve-error.ts';
import type { Platform } from '../../../protocol/dhcp/architectures.ts';
import { architectures } from '../../../protocol/dhcp/architectures.ts';
import { anything, fieldsOf, listOf, meant, oneOf, textBy } from './fields.ts';
import { Problems } from './problems.ts';
import { readEntries } from './read-entries.ts';
import { readMachines } from './read-machines.ts';
import { readNamed } from './read-named.ts';
import { readNetworks, readRanges } from './read-networks.ts';
import { readYaml } from './read-yaml.ts';
import type { ChapSettings, DhcpMode, MenuSettings, Room } from './room.ts';
import type { RoomNode } from './room-node.ts';
import { parseInterface, parseLine, parsePath, parseSeconds, parseYesNo } from './values.ts';

const largestFile = 1 << 20;
const dhcpModes: readonly DhcpMode[] = ['auto', 'server', 'proxy', 'off'];
const platforms = [...new Set([...architectures.values()].map(({ platform }) => platform))];

const roomShape = {
  interfaces: listOf(textBy(parseInterface)),
  dhcp: oneOf(dhcpModes),
  networks: anything,
  range: anything,
  loaders: anything,
  menu: anything,
  entries: anything,
  machines: anything,
  chap: anything,
  certificates: anything,
  secrets: anything,
};

/** Reads a room from its file. @throws VarveError `INVALID` with a line for each problem, `NOT_FOUND`, `IO` */
export async function readRoom(path: string): Promise<Room> {
  try {
    const { size } = await fs.stat(path);
    if (size > largestFile) throw tooLarge(path, size);
    return parseRoom(await fs.readFile(path, 'utf8'), path);
  } catch (error) {
    throw systemError(`read the room ${path}`, error);
  }
}

/** What a room's file says. Paths in it are relative to its own. @throws VarveError `INVALID` with a line for each problem */
export function parseRoom(text: string, path: string): Room {
  if (text.length > largestFile) throw tooLarge(path, text.length);
  const problems = new Problems(path);
  const node = readYaml(text, problems);
  if (node?.kind !== 'map' && node !== undefined)
    problems.addAt(1, 'it is empty, or no room: it needs keys such as entries');
  const room = node?.kind === 'map' ? roomFrom(node, dirname(resolve(path)), problems) : undefined;
  problems.throwAny();
  return room!;
}

/** The room that a tree of keys stands for; what is wrong is noted. Paths are relative to `directory`. */
export function roomFrom(node: RoomNode, directory: string, problems: Problems): Room {
  const found = fieldsOf(node, roomShape, problems);
  const { dhcp = 'auto', interfaces = [] } = found;
  const networks = readNetworks(found.networks, problems);
  const entries = readEntries(found.entries, directory, problems);
  // Where one of them is wrong, nothing is said of addresses that may be of it.
  const isWhole = found.networks?.kind !== 'list' || found.networks.items.length === networks.length;
  const names = found.entries?.kind === 'map' ? [...found.entries.fields.keys()] : [];
  if (found.range !== undefined && found.networks !== undefined) {
    problems.add(found.range, 'stands beside networks; write it into one of them');
  }
  return {
    ...{ interfaces, dhcp, networks, entries },
    ranges: readRanges(found.range, undefined, problems),
    loaders: readLoaders(found.loaders, directory, problems),
    menu: readMenu(found.menu, names, problems),
    machines: readMachines(found.machines, { entries: names, networks: isWhole ? networks : [] }, problems),
    certificates: found.certificates && textBy((text) => parsePath(text, directory))(found.certificates, problems),
    chap: readChap(found.chap, directory, problems),
    secrets: readSecrets(found.secrets, directory, problems),
  };
}

function readLoaders(
  node: RoomNode | undefined,
  directory: string,
  problems: Problems,
): Partial<Record<Platform, string>> {
  if (node === undefined) return {};
  const reader = textBy((text) => parsePath(text, directory));
  const shape = Object.fromEntries(platforms.map((platform) => [platform, reader]));
  return fieldsOf(node, shape, problems);
}

function readMenu(node: RoomNode | undefined, entries: readonly string[], problems: Problems): MenuSettings {
  const shape = {
    timeout: textBy((text) => parseSeconds(text, 0, 3600)),
    default: anything,
    always: textBy(parseYesNo),
  };
  const found = node === undefined ? undefined : fieldsOf(node, shape, problems);
  const chosen = found?.default;
  const defaultEntry = chosen && textBy((text) => text)(chosen, problems);
  if (defaultEntry !== undefined && defaultEntry !== 'local' && !entries.includes(defaultEntry)) {
    problems.add(chosen!, `is ${JSON.stringify(defaultEntry)}, which is no entry; ${meant(defaultEntry, entries)}`);
  }
  return { timeoutMs: (found?.timeout ?? 10) * 1000, defaultEntry, always: found?.always ?? false };
}

function readChap(node: RoomNode | undefined, directory: string, problems: Problems): ChapSettings | undefined {
  if (node === undefined) return undefined;
  const file = textBy((text: string) => parsePath(text, directory));
  const user = textBy(parseLine);
  const found = fieldsOf(node, { user, secretFile: file, mutualUser: user, mutualSecretFile: file }, problems);
  if (node.kind !== 'map') return undefined;
  const has = (key: string): boolean => node.fields.has(key);
  if (!has('user') || !has('secretFile')) problems.add(node, 'needs both user and secretFile');
  if (has('mutualUser') !== has('mutualSecretFile'))
    problems.add(node, 'needs both mutualUser and mutualSecretFile, or none');
  const { mutualSecretFile, mutualUser, secretFile, user: name } = found;
  if (name === undefined || secretFile === undefined) return undefined;
  return { user: name, secretFile, mutualUser, mutualSecretFile };
}

function readSecrets(node: RoomNode | undefined, directory: string, problems: Problems): Record<string, string> {
  const named = node === undefined ? {} : (readNamed(node, problems) ?? {});
  return Object.fromEntries(Object.entries(named).map(([name, file]) => [name, resolve(directory, file)]));
}

function tooLarge(path: string, size: number): VarveError {
  return new VarveError('INVALID', `${path} has ${formatSize(size)}; a room has at most ${formatSize(largestFile)}`);
}
