import { VarveError } from '../../../base/varve-error.ts';
import type { GuestTree } from '../../../guest/guest-tree.ts';
import { readPart } from '../../../guest/read-part.ts';
import type { Warn } from '../../fact.ts';
import { bytesOfFile, readBytes } from '../../guest-files.ts';
import { type InstalledPackage, mostPackages } from '../installed-package.ts';
import { isBerkeleyHash, readBerkeleyHash } from './berkeley-hash.ts';
import { isNdb, readNdb } from './ndb.ts';
import { decodeRpmHeader, type RpmHeader } from './rpm-header.ts';
import type { RpmRecord } from './rpm-record.ts';
import { isSqlite, readRpmSqlite } from './rpm-sqlite.ts';

/** Those of systems with everything installed have a quarter. */
const largestDatabase = 512 << 20;
/** By which the forms are told apart. */
const headLength = 512;

/** The packages in rpm's database at `path`, by whichever of its three forms it has. @throws VarveError `CORRUPT` … */
export async function rpmPackages(tree: GuestTree, path: string, warn: Warn): Promise<InstalledPackage[]> {
  const file = await tree.find(path);
  if (file?.kind !== 'file' || file.stat.size === 0) return [];
  const form = formOf(await readPart(file, 0, headLength));
  if (form === undefined) throw new VarveError('CORRUPT', `${file.path} is no database that rpm has ever had`);
  const bytes = await bytesOfFile(file, largestDatabase);
  const packages: InstalledPackage[] = [];
  try {
    for (const record of await form(bytes, file.path, tree)) {
      if (packages.length === mostPackages) throw new VarveError('UNSUPPORTED', `${file.path} has too many packages`);
      const found = packageOf(record, file.path, warn);
      if (found !== undefined) packages.push(found);
    }
  } catch (error) {
    // What came before counts.
    if (!(error instanceof VarveError)) throw error;
    warn({ path: file.path, message: error.message });
  }
  return packages;
}

type ReadRecords = (bytes: Uint8Array, path: string, tree: GuestTree) => Iterable<RpmRecord> | Promise<RpmRecord[]>;

/** How a database is read that begins so; undefined for what is none. */
function formOf(head: Uint8Array): ReadRecords | undefined {
  if (isNdb(head)) return readNdb;
  if (isBerkeleyHash(head)) return readBerkeleyHash;
  return isSqlite(head) ? readWithLog : undefined;
}

async function readWithLog(database: Uint8Array, path: string, tree: GuestTree): Promise<RpmRecord[]> {
  const log = await readBytes(tree, `${path}-wal`, largestDatabase);
  return await readRpmSqlite({ database, log: log?.bytes ?? new Uint8Array() }, path);
}

function packageOf(record: RpmRecord, path: string, warn: Warn): InstalledPackage | undefined {
  const what = `${path}: header ${record.number}`;
  try {
    return packageOfHeader(decodeRpmHeader(record.read(), what), record.number, path, what);
  } catch (error) {
    if (!(error instanceof VarveError)) throw error;
    warn({ path, message: error.message });
    return undefined;
  }
}

function packageOfHeader(header: RpmHeader, number: number, path: string, what: string): InstalledPackage {
  const [name, version, release] = [textOf(header.name), textOf(header.version), textOf(header.release)];
  if (name === undefined || version === undefined) {
    throw new VarveError('CORRUPT', `${what} names no package and version`);
  }
  const epoch = numberOf(header.epoch);
  const [, sourcePackage, sourceVersion] =
    /^(.+)-([^-]+-[^-]+)\.(?:no)?src\.rpm$/s.exec(textOf(header.sourcePackage) ?? '') ?? [];
  return {
    ...{ format: 'rpm', name, epoch, version, release, architecture: textOf(header.architecture), state: 'installed' },
    fullVersion: `${epoch === undefined ? '' : `${epoch}:`}${version}${release === undefined ? '' : `-${release}`}`,
    ...{ size: numberOf(header.longSize) ?? numberOf(header.size), installed: numberOf(header.installTime) },
    ...{ sourcePackage, sourceVersion, summary: textOf(header.summary), description: textOf(header.description) },
    ...{ url: textOf(header.url), license: textOf(header.license), vendor: textOf(header.vendor) },
    source: { path, record: `header ${number}` },
  };
}

function textOf(value: string | number | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function numberOf(value: string | number | undefined): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined;
}
