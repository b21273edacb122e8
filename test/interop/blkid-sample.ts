import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { skipWithout } from './require-tool.ts';
import { sourcePackage } from './source-package.ts';

const run = promisify(execFile);
const title = 'util-linux';
const parts = ['*/tests/ts/blkid', '*/tests/expected/blkid'];
const tools = skipWithout('xz', 'apt-get');
const source = tools ? { reason: tools } : await sourcePackage({ name: title, title, parts });
const tests = 'reason' in source ? '' : join(source.directory, 'tests');

/** Of file systems, or of partition tables. */
type SampleKind = 'fs' | 'pt';

/** False where util-linux's samples for blkid are here, else why they are not. */
export const skipSamples: string | false = 'reason' in source ? source.reason : false;

/** The names of all samples of a kind. */
export async function sampleNames(kind: SampleKind): Promise<string[]> {
  const files = await readdir(directoryOf(kind));
  return files.filter((file) => file.endsWith('.img.xz')).map((file) => file.slice(0, -'.img.xz'.length));
}

/** What a sample holds, or its first `length` bytes. */
export async function unpackedSample(kind: SampleKind, name: string, length = 2 ** 28): Promise<Buffer> {
  const args = ['-c', `xz -dc "$0" | head -c ${length}`, join(directoryOf(kind), `${name}.img.xz`)];
  return (await run('sh', args, { encoding: 'buffer', maxBuffer: length + 1 })).stdout;
}

/** What blkid says, by the name of the file that util-linux keeps that in: `low-probe-ext4`. */
export async function expectedOfBlkid(file: string): Promise<string> {
  return await readFile(join(tests, 'expected/blkid', file), 'utf8');
}

function directoryOf(kind: SampleKind): string {
  return join(tests, 'ts/blkid', `images-${kind}`);
}
