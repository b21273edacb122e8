import fs from 'node:fs';
import { join } from 'node:path';
import { fillMounted, whyNoMount } from '../../../test/filesystem/mounted-image.ts';
import { run, sampleImage } from '../../../test/filesystem/sample-image.ts';
import { expectedTree, makeSampleTree } from '../../../test/filesystem/sample-tree.ts';
import { skipWithout } from '../../../test/interop/require-tool.ts';
import { pattern } from '../../conformance/device-content.ts';
import { testFileSystem } from '../../conformance/file-system.ts';
import type { ExpectedFile, FileSystemSample } from '../../conformance/file-system-sample.ts';
import { ntfs } from './ntfs.ts';

const skip = skipWithout('mkntfs', 'ntfs-3g', 'setfattr') || whyNoMount('fuseblk');

interface Making {
  readonly size: number;
  readonly args?: readonly string[];
  readonly options?: string;
}

/** NTFS that mkntfs made, filled through ntfs-3g. */
async function ntfsSample({ size, args = [], options = 'loop' }: Making): Promise<FileSystemSample> {
  let files: FileSystemSample['files'] = [];
  let tableOffset = 0;
  const open = await sampleImage(size, async (image) => {
    await run('mkntfs', ['-q', '-Q', '-F', '-L', 'Größe 1', ...args, image]);
    const boot = fs.readFileSync(image).subarray(0, 512);
    tableOffset = Number(boot.readBigUInt64LE(48)) * boot[13]! * boot.readUInt16LE(11);
    const fill = async (directory: string) => {
      await makeSampleTree(directory, { unix: true, holes: true, manyFiles: 400 });
      await makeMore(directory);
      files = expectedTree(directory, { unix: false, times: true }).map(withAttributes);
    };
    await fillMounted(image, fill, { type: 'ntfs-3g', options });
  });
  return { driver: ntfs, open, files, structures: { offset: tableOffset, length: 600_000 } };
}

/** What only NTFS has, and what is hard for it. */
async function makeMore(directory: string): Promise<void> {
  const at = (...names: string[]) => join(directory, ...names);
  for (const [name, kind, ...numbers] of [
    ['fifo', 'p'],
    ['block', 'b', '8', '17'],
    ['character', 'c', '260', '70000'],
  ]) {
    await run('mknod', [at(name!), kind!, ...numbers]);
  }
  await run('setfattr', ['-n', 'user.short', '-v', 'value', at('one')]);
  await run('setfattr', ['-n', 'user.empty', at('one')]);
  await run('setfattr', ['-n', 'user.long “ÿ”', '-v', 'v'.repeat(20_000), at('file of 512 bytes')]);
  await run('setfattr', ['-n', 'user.of a directory', '-v', '0x00ff00', at('etc')]);
  fs.writeFileSync(at('n'.repeat(255)), 'a long name');
  fs.writeFileSync(at('Case'), 'large');
  fs.writeFileSync(at('case'), 'small');
  for (let index = 0; index < 120; index++) {
    for (const name of ['one in pieces', 'other in pieces']) fs.appendFileSync(at(name), pattern(5000, index));
  }
  for (let index = 0; index < 60; index++)
    fs.linkSync(at('one in pieces'), at('many', `name ${index} of many ${'x'.repeat(100)}`));
  fs.writeFileSync(at('gone'), pattern(100_000, 1));
  fs.rmSync(at('gone'));
}

const attributes: Readonly<Record<string, ExpectedFile['attributes']>> = {
  one: { 'user.short': Buffer.from('value'), 'user.empty': Buffer.alloc(0) },
  'file of 512 bytes': { 'user.long “ÿ”': Buffer.alloc(20_000, 'v') },
  etc: { 'user.of a directory': Uint8Array.of(0, 255, 0) },
  empty: {},
};

function withAttributes(file: ExpectedFile): ExpectedFile {
  const expected = attributes[Buffer.from(file.path).toString()];
  return expected === undefined ? file : { ...file, attributes: expected };
}

testFileSystem('NTFS', () => ntfsSample({ size: 32 << 20 }), skip);
testFileSystem('NTFS in clusters of 512 bytes', () => ntfsSample({ size: 32 << 20, args: ['-c', '512'] }), skip);
testFileSystem('NTFS in clusters of 64 KiB', () => ntfsSample({ size: 64 << 20, args: ['-c', '65536'] }), skip);
testFileSystem(
  'NTFS that compresses',
  () => ntfsSample({ size: 32 << 20, args: ['-C'], options: 'loop,compression' }),
  skip,
);
